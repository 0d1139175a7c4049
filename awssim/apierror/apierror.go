// Package apierror is the one error type that the simulated services answer
// with: AWS's code, a message and an HTTP status. The wire package turns it
// into each protocol's form. Nothing here knows a protocol or a service.
package apierror

import (
	"errors"
	"fmt"
	"net/http"
)

// Error is a refusal in AWS's terms.
type Error struct {
	Code    string // AWS's code, "InvalidInstanceID.NotFound"
	Message string // AWS's sentence, or ours in its manner
	Status  int    // HTTP status; 400 for most
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// New makes a client error (HTTP 400).
func New(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: http.StatusBadRequest}
}

// WithStatus makes an error with another status than 400.
func WithStatus(status int, code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Status: status}
}

// From returns err as an Error; what is none becomes InternalError, so that
// every answer has a code.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return WithStatus(http.StatusInternalServerError, "InternalError", "An internal error has occurred: %v", err)
}

// Invalid is EC2's InvalidParameterValue.
func Invalid(format string, args ...any) *Error { return New("InvalidParameterValue", format, args...) }

// Missing is EC2's MissingParameter.
func Missing(name string) *Error {
	return New("MissingParameter", "The request must contain the parameter %s", name)
}

// DryRun is what EC2 answers to a dry run that would have worked.
func DryRun() *Error {
	return WithStatus(
		http.StatusPreconditionFailed,
		"DryRunOperation",
		"Request would have succeeded, but DryRun flag is set.",
	)
}
