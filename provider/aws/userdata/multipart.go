package userdata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
)

// usualBoundary is between parts: fixed, so that equal input gives equal output.
const usualBoundary = "//"

// boundaryOf is a boundary that no part has a line of: a part may be multipart itself.
func boundaryOf(parts []part) string {
	boundary := usualBoundary
	used := func(p part) bool { return strings.Contains("\n"+p.body, "\n--"+boundary) }
	for n := 1; slices.ContainsFunc(parts, used); n++ {
		boundary = usualBoundary + strconv.Itoa(n)
	}
	return boundary
}

// Content types of parts.
const (
	shellType      = "text/x-shellscript; charset=\"us-ascii\""
	nodeConfigType = "application/node.eks.aws"
)

// part is one part of multipart user data. The body stays encoded as the header says.
type part struct {
	header textproto.MIMEHeader
	body   string
}

func newPart(contentType, body string) part {
	return part{textproto.MIMEHeader{"Content-Type": {contentType}}, body}
}

// isMultipart reports whether the user wrote MIME rather than a script.
func isMultipart(text string) bool {
	head := strings.ToLower(strings.TrimLeft(text, " \t\r\n"))
	return strings.HasPrefix(head, "mime-version:") || strings.HasPrefix(head, "content-type: multipart/")
}

// split reads multipart user data.
func split(text string) ([]part, error) {
	message, err := mail.ReadMessage(strings.NewReader(strings.TrimLeft(text, " \t\r\n")))
	if err != nil {
		return nil, &Malformed{Line: 1, Detail: fmt.Sprintf("the MIME header does not read: %v", err)}
	}
	kind, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" {
		return nil, &Malformed{
			Line:   max(lineOf(text, "content-type:"), 1),
			Detail: `the header needs a Content-Type like: multipart/mixed; boundary="//"`,
		}
	}
	var out []part
	reader := multipart.NewReader(message.Body, params["boundary"])
	for {
		p, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, &Malformed{
				Line: lineOfPart(text, params["boundary"], len(out)+1),
				Detail: fmt.Sprintf(
					"part %d does not read: %v; each part begins with --%s and the last line is --%s--",
					len(out)+1,
					err,
					params["boundary"],
					params["boundary"],
				),
			}
		}
		body, err := io.ReadAll(p)
		if err != nil {
			return nil, &Malformed{
				Line: lineOfPart(text, params["boundary"], len(out)+1),
				Detail: fmt.Sprintf(
					"part %d does not end: the last line must be --%s--",
					len(out)+1,
					params["boundary"],
				),
			}
		}
		out = append(out, part{p.Header, string(body)})
	}
}

// lineOfPart is the line, from 1, of the boundary with which a part begins, or the last boundary there is; 0 without
// any.
func lineOfPart(text, boundary string, number int) int {
	last := 0
	for i, line := range strings.Split(text, "\n") {
		if number > 0 && strings.HasPrefix(line, "--"+boundary) {
			number--
			last = i + 1
		}
	}
	return last
}

// lineOf is the line on which a text first stands, whatever its case, from 1; 0 if nowhere.
func lineOf(text, want string) int {
	i := strings.Index(strings.ToLower(text), want)
	if i < 0 {
		return 0
	}
	return 1 + strings.Count(text[:i], "\n")
}

// join writes parts as one MIME document.
func join(parts []part) (string, error) {
	var b bytes.Buffer
	boundary := boundaryOf(parts)
	fmt.Fprintf(&b, "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=%q\n\n", boundary)
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		return "", fmt.Errorf("writing user data: %w", err)
	}
	for _, p := range parts {
		header := p.header
		if header.Get("Content-Type") == "" {
			header = maps.Clone(header) // how the body is encoded stays
			header.Set("Content-Type", shellType)
		}
		pw, err := w.CreatePart(header)
		if err != nil {
			return "", fmt.Errorf("writing user data: %w", err)
		}
		if _, err := io.WriteString(pw, p.body); err != nil {
			return "", fmt.Errorf("writing user data: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("writing user data: %w", err)
	}
	// cloud-init keeps carriage returns, and bash trips over them.
	return strings.ReplaceAll(b.String(), "\r", ""), nil
}
