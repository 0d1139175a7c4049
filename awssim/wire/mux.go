package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// Handler carries out one action. It returns what is encoded as the answer;
// an error that is no apierror.Error becomes InternalError.
type Handler func(ctx context.Context, c *Call) (any, error)

// Service is a table of actions, by AWS's names.
type Service map[string]Handler

// Record says that a call was made. Code is empty when it succeeded.
type Record struct {
	Time      time.Time `json:"time"`
	Service   string    `json:"service"`
	Action    string    `json:"action"`
	AccessKey string    `json:"accessKey,omitempty"`
	Code      string    `json:"code,omitempty"`
}

// maxRecords bounds the memory of the call log; the oldest half goes first.
const maxRecords = 100_000

// Mux serves all services at one address.
type Mux struct {
	services  map[string]Service
	keys      []string // the access keys that are known; empty means all
	now       func() time.Time
	requestID func() string

	mu    sync.Mutex // guards the fields below
	calls []Record
}

// NewMux serves the given services by name. accessKeys, when there are any,
// are the only ones that may sign calls.
func NewMux(services map[string]Service, accessKeys []string, now func() time.Time, requestID func() string) *Mux {
	return &Mux{services: services, keys: accessKeys, now: now, requestID: requestID}
}

// unsigned lists the actions that AWS takes without a signature.
var unsigned = []string{"AssumeRoleWithWebIdentity"}

func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c, err := read(r)
	if c == nil {
		http.Error(w, err.Error(), apierror.From(err).Status)
		return
	}
	c.RequestID = m.requestID()
	var out any
	if err == nil {
		err = m.authenticate(c)
	}
	if err == nil {
		out, err = m.handle(r.Context(), c)
	}
	record := Record{Time: m.now(), Service: c.Service, Action: c.Action, AccessKey: c.AccessKey}
	var written error
	if err != nil {
		refusal := apierror.From(err)
		record.Code = refusal.Code
		written = c.refuse(w, refusal)
	} else {
		written = c.answer(w, out)
	}
	m.record(record)
	if written != nil {
		slog.DebugContext(r.Context(), "answering a simulated AWS call", "action", c.Action, "error", written)
	}
}

func (m *Mux) handle(ctx context.Context, c *Call) (any, error) {
	handler := m.services[c.Service][c.Action]
	if handler == nil {
		code := "InvalidAction"
		if !c.IsQuery() {
			code = "UnknownOperationException"
		}
		return nil, apierror.New(code, "The action %s is not valid for this web service.", c.Action)
	}
	return handler(ctx, c)
}

// authenticate answers as each service does to a key it does not know. The
// signature itself is not checked.
func (m *Mux) authenticate(c *Call) error {
	if slices.Contains(unsigned, c.Action) {
		return nil
	}
	if c.AccessKey == "" {
		return apierror.WithStatus(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	if len(m.keys) == 0 || slices.Contains(m.keys, c.AccessKey) {
		return nil
	}
	switch c.proto {
	case ec2Query:
		return apierror.WithStatus(http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials")
	case awsQuery:
		return apierror.WithStatus(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	default:
		return apierror.WithStatus(http.StatusForbidden, "UnrecognizedClientException", "The security token included in the request is invalid.")
	}
}

func (m *Mux) record(r Record) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.calls) >= maxRecords {
		m.calls = slices.Delete(m.calls, 0, maxRecords/2)
	}
	m.calls = append(m.calls, r)
}

// Calls returns a copy of the log, oldest first.
func (m *Mux) Calls() []Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls)
}

// Handle adapts a function of a typed input to a Handler: it decodes the
// call's parameters first.
func Handle[In, Out any](act func(ctx context.Context, c *Call, in *In) (Out, error)) Handler {
	return func(ctx context.Context, c *Call) (any, error) {
		in := new(In)
		if err := c.Decode(in); err != nil {
			return nil, err
		}
		out, err := act(ctx, c, in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Action, err)
		}
		return out, nil
	}
}
