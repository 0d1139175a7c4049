package sqsapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/queue"
	"github.com/dovetail-sh/dovetail/awssim/wire"
)

type sendIn struct {
	onQueue
	Body  string `query:"MessageBody" json:"MessageBody"`
	Delay int    `query:"DelaySeconds" json:"DelaySeconds"`
}

type sendOut struct {
	MD5 string `json:"MD5OfMessageBody" xml:"MD5OfMessageBody"`
	ID  string `json:"MessageId" xml:"MessageId"`
}

func (a *Account) sendMessage(_ context.Context, _ *wire.Call, in *sendIn) (*sendOut, error) {
	q, err := a.byURL(in.QueueURL)
	switch {
	case err != nil:
		return nil, err
	case in.Body == "":
		return nil, apierror.New("MissingParameter", "The request must contain the parameter MessageBody.")
	case len(in.Body) > maxBody:
		return nil, apierror.New(
			"InvalidParameterValue",
			"One or more parameters are invalid. Reason: Message must be shorter than %d bytes.",
			maxBody,
		)
	case in.Delay < 0 || in.Delay > 900:
		return nil, apierror.New(
			"InvalidParameterValue",
			"Value %d for parameter DelaySeconds is invalid. Reason: Must be >= 0 and <= 900.",
			in.Delay,
		)
	}
	return &sendOut{queue.MD5(in.Body), q.Send(in.Body, time.Duration(in.Delay)*time.Second)}, nil
}

type receiveIn struct {
	onQueue
	Most       *int     `query:"MaxNumberOfMessages" json:"MaxNumberOfMessages"`
	Visible    *int     `query:"VisibilityTimeout" json:"VisibilityTimeout"`
	Wait       int      `query:"WaitTimeSeconds" json:"WaitTimeSeconds"`
	Attributes []string `query:"AttributeName" json:"AttributeNames"`
	System     []string `query:"MessageSystemAttributeName" json:"MessageSystemAttributeNames"`
	Own        []string `query:"MessageAttributeName" json:"MessageAttributeNames"`
	Attempt    string   `query:"ReceiveRequestAttemptId" json:"ReceiveRequestAttemptId"`
}

type message struct {
	ID         string            `json:"MessageId" xml:"MessageId"`
	Receipt    string            `json:"ReceiptHandle" xml:"ReceiptHandle"`
	MD5        string            `json:"MD5OfBody" xml:"MD5OfBody"`
	Body       string            `json:"Body" xml:"Body"`
	Attributes map[string]string `json:"Attributes,omitempty" xml:"-"`
	Pairs      []pair            `json:"-" xml:"Attribute"`
}

type receiveOut struct {
	Messages []message `json:"Messages,omitempty" xml:"Message"`
}

func (a *Account) receiveMessage(ctx context.Context, _ *wire.Call, in *receiveIn) (*receiveOut, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	most, visible, wait := 1, q.Visible, time.Duration(in.Wait)*time.Second
	if in.Most != nil {
		most = *in.Most
	}
	if in.Visible != nil {
		visible = time.Duration(*in.Visible) * time.Second
	}
	switch {
	case most < 1 || most > 10:
		return nil, apierror.New(
			"InvalidParameterValue",
			"Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.",
			most,
		)
	case wait < 0 || wait > maxWait:
		return nil, apierror.New(
			"InvalidParameterValue",
			"Value %d for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided.",
			in.Wait,
		)
	case visible < 0 || visible > 12*time.Hour:
		return nil, apierror.New(
			"InvalidParameterValue",
			"Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.",
			*in.Visible,
		)
	}
	out := &receiveOut{}
	for _, m := range q.Receive(ctx, most, visible, wait) {
		attributes := in.attributes(m)
		out.Messages = append(
			out.Messages,
			message{m.ID, m.Receipt, queue.MD5(m.Body), m.Body, attributes, pairs(attributes)},
		)
	}
	return out, nil
}

func (in *receiveIn) attributes(m queue.Message) map[string]string {
	all := map[string]string{
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.Receives),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.First.UnixMilli(), 10),
		"SenderId":                         "simulated",
	}
	out := map[string]string{}
	for _, name := range append(in.Attributes, in.System...) {
		if name == "All" {
			return all
		}
		if value, ok := all[name]; ok {
			out[name] = value
		}
	}
	return out
}

type receiptIn struct {
	onQueue
	Receipt string `query:"ReceiptHandle" json:"ReceiptHandle"`
}

func badReceipt(receipt string) error {
	return apierror.WithStatus(
		http.StatusNotFound,
		"ReceiptHandleIsInvalid",
		"The input receipt handle %q is not a valid receipt handle.",
		receipt,
	)
}

func (a *Account) deleteMessage(_ context.Context, _ *wire.Call, in *receiptIn) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if !q.Delete(in.Receipt) {
		return nil, badReceipt(in.Receipt)
	}
	return nil, nil
}

type visibilityIn struct {
	receiptIn
	Timeout int `query:"VisibilityTimeout" json:"VisibilityTimeout"`
}

func (a *Account) changeVisibility(_ context.Context, _ *wire.Call, in *visibilityIn) (any, error) {
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	if !q.Hide(in.Receipt, time.Duration(in.Timeout)*time.Second) {
		return nil, badReceipt(in.Receipt)
	}
	return nil, nil
}

type batchIn struct {
	onQueue
	Entries []struct {
		ID      string `query:"Id" json:"Id"`
		Receipt string `query:"ReceiptHandle" json:"ReceiptHandle"`
	} `query:"DeleteMessageBatchRequestEntry"`
}

type batchDone struct {
	ID string `json:"Id" xml:"Id"`
}

type batchFailed struct {
	ID          string `json:"Id" xml:"Id"`
	Code        string
	Message     string
	SenderFault bool
}

type batchOut struct {
	Successful []batchDone   `xml:"DeleteMessageBatchResultEntry"`
	Failed     []batchFailed `xml:"BatchResultErrorEntry"`
}

func (a *Account) deleteMessageBatch(_ context.Context, c *wire.Call, in *batchIn) (*batchOut, error) {
	var ids []string
	for _, e := range in.Entries {
		ids = append(ids, e.ID)
	}
	if err := a.checkBatch(in.QueueURL, "DeleteMessageBatchRequestEntry", ids); err != nil {
		return nil, err
	}
	q, err := a.byURL(in.QueueURL)
	if err != nil {
		return nil, err
	}
	out := &batchOut{Successful: []batchDone{}, Failed: []batchFailed{}}
	for i, e := range in.Entries {
		if c.Fault == fault.Partial && i >= len(in.Entries)/2 {
			out.Failed = append(
				out.Failed,
				batchFailed{e.ID, "InternalError", "We encountered an internal error. Please try again.", false},
			)
			continue
		}
		if q.Delete(e.Receipt) {
			out.Successful = append(out.Successful, batchDone{e.ID})
		} else {
			refusal := apierror.From(badReceipt(e.Receipt))
			out.Failed = append(out.Failed, batchFailed{e.ID, refusal.Code, refusal.Message, true})
		}
	}
	return out, nil
}
