package wire

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// XMLView is for answers whose XML differs in form from their JSON (SQS
// speaks both).
type XMLView interface{ XMLView() any }

// answer writes out in the call's protocol. A nil out is an empty answer.
func (c *Call) answer(w http.ResponseWriter, out any) error {
	w.Header().Set("X-Amzn-Requestid", c.RequestID)
	if !c.IsQuery() {
		return c.answerJSON(w, out)
	}
	if view, ok := out.(XMLView); ok {
		out = view.XMLView()
	}
	inner, err := innerXML(out)
	if err != nil {
		return fmt.Errorf("encoding the answer to %s: %w", c.Action, err)
	}
	var buf bytes.Buffer
	buf.WriteString(xml.Header)
	fmt.Fprintf(&buf, `<%sResponse xmlns="%s">`, c.Action, c.namespace)
	if c.proto == ec2Query {
		fmt.Fprintf(&buf, "<requestId>%s</requestId>%s", c.RequestID, inner)
	} else {
		fmt.Fprintf(
			&buf,
			"<%[1]sResult>%[2]s</%[1]sResult><ResponseMetadata><RequestId>%[3]s</RequestId></ResponseMetadata>",
			c.Action,
			inner,
			c.RequestID,
		)
	}
	fmt.Fprintf(&buf, "</%sResponse>", c.Action)
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	_, err = w.Write(buf.Bytes())
	return err
}

func (c *Call) answerJSON(w http.ResponseWriter, out any) error {
	body := []byte("{}")
	if out != nil {
		var err error
		if body, err = json.Marshal(out); err != nil {
			return fmt.Errorf("encoding the answer to %s: %w", c.Action, err)
		}
	}
	w.Header().Set("Content-Type", c.contentType())
	_, err := w.Write(body)
	return err
}

func (c *Call) contentType() string {
	if c.proto == awsJSON {
		return "application/x-amz-json-" + c.jsonType
	}
	return "application/json"
}

// innerXML encodes the fields of v without an element around them.
func innerXML(v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	var buf bytes.Buffer
	if err := xml.NewEncoder(&buf).EncodeElement(v, xml.StartElement{Name: xml.Name{Local: "x"}}); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(bytes.TrimPrefix(buf.Bytes(), []byte("<x>")), []byte("</x>")), nil
}

// refuse writes e in the call's protocol.
func (c *Call) refuse(w http.ResponseWriter, e *apierror.Error) error {
	w.Header().Set("X-Amzn-Requestid", c.RequestID)
	fault := "Sender"
	if e.Status >= http.StatusInternalServerError {
		fault = "Receiver"
	}
	if !c.IsQuery() {
		body, err := json.Marshal(map[string]string{"__type": e.Code, "message": e.Message, "Message": e.Message})
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", c.contentType())
		w.Header().Set("X-Amzn-Errortype", e.Code)
		if code := legacySQS[e.Code]; code != "" && c.Service == SQS {
			w.Header().Set("X-Amzn-Query-Error", code+";"+fault)
		}
		w.WriteHeader(e.Status)
		_, err = w.Write(body)
		return err
	}
	code := e.Code
	if c.Service == SQS && legacySQS[code] != "" {
		code = legacySQS[code]
	}
	detail := struct {
		Type    string `xml:",omitempty"`
		Code    string
		Message string
	}{fault, code, e.Message}
	format := `<ErrorResponse><Error>%s</Error><RequestId>%s</RequestId></ErrorResponse>`
	if c.proto == ec2Query {
		detail.Type = ""
		format = `<Response><Errors><Error>%s</Error></Errors><RequestID>%s</RequestID></Response>`
	}
	inner, err := innerXML(detail)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/xml;charset=UTF-8")
	w.WriteHeader(e.Status)
	_, err = fmt.Fprintf(w, xml.Header+format, inner, c.RequestID)
	return err
}

// legacySQS maps SQS's codes to those of its query protocol.
var legacySQS = map[string]string{
	"QueueDoesNotExist":            "AWS.SimpleQueueService.NonExistentQueue",
	"QueueNameExists":              "QueueAlreadyExists",
	"EmptyBatchRequest":            "AWS.SimpleQueueService.EmptyBatchRequest",
	"TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
	"BatchEntryIdsNotDistinct":     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
}
