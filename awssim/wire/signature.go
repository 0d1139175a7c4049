package wire

import (
	"net/http"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// credential reads what a version 4 signature was made with: key id, day,
// region, service and "aws4_request", each empty when it is missing.
func credential(r *http.Request) [5]string {
	text := signaturePart(r, "Credential")
	if text == "" {
		text = r.URL.Query().Get("X-Amz-Credential")
	}
	var out [5]string
	copy(out[:], strings.Split(text, "/"))
	return out
}

// signaturePart reads one part of the header that carries the signature:
// "AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…".
func signaturePart(r *http.Request, name string) string {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), name+"=")
	value, _, _ := strings.Cut(rest, ",")
	return strings.TrimSpace(value)
}

// checkSignature refuses a signature that lacks a part, or was made for
// another service.
func checkSignature(r *http.Request, c *Call) error {
	header, query := r.Header.Get("Authorization"), r.URL.Query()
	whole := strings.HasPrefix(header, "AWS4-HMAC-SHA256 ") && signaturePart(r, "SignedHeaders") != "" &&
		signaturePart(r, "Signature") != ""
	if header == "" {
		whole = query.Has("X-Amz-SignedHeaders") && query.Has("X-Amz-Signature")
	}
	if !whole {
		return apierror.New(
			"IncompleteSignature",
			"Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' of the algorithm "+
				"AWS4-HMAC-SHA256.",
		)
	}
	made := credential(r)
	if made[3] != c.Service || made[4] != "aws4_request" {
		code, status := "SignatureDoesNotMatch", http.StatusForbidden
		if c.proto == ec2Query {
			code, status = "AuthFailure", http.StatusUnauthorized
		}
		return apierror.WithStatus(status, code, "Credential should be scoped to correct service: '%s'.", c.Service)
	}
	return nil
}
