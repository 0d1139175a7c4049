package wire

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/fault"
	"github.com/dovetail-sh/dovetail/awssim/limiter"
)

// Handler carries out one action. It returns what is encoded as the answer;
// an error that is no apierror.Error becomes InternalError.
type Handler func(ctx context.Context, c *Call) (any, error)

// Service is a table of actions, by AWS's names.
type Service map[string]Handler

// Record says that a call was made.
type Record = control.Call

// maxRecords bounds the memory of the call log; the oldest half goes first.
const maxRecords = 100_000

// Mux serves all services at one address.
type Mux struct {
	routers   []router
	faults    *fault.Set
	limits    *limiter.Limiter
	keys      []string // the access keys that are known; empty means all
	now       func() time.Time
	requestID func() string

	floor atomic.Int64 // nanoseconds; see SetFloor

	mu    sync.Mutex // guards the fields below
	calls []Record
}

// NewMux serves the given services. accessKeys, when there are any,
// are the only ones that may sign calls. limits throttles; faults makes calls go
// wrong that would have been let in.
func NewMux(
	apis []API,
	limits *limiter.Limiter,
	faults *fault.Set,
	accessKeys []string,
	now func() time.Time,
	requestID func() string,
) *Mux {
	var routers []router
	for _, api := range apis {
		routers = append(routers, newRouter(api))
	}
	return &Mux{routers: routers, limits: limits, faults: faults, keys: accessKeys, now: now, requestID: requestID}
}

// unsigned lists the actions that AWS takes without a signature.
var unsigned = []string{"AssumeRoleWithWebIdentity"}

// SetFloor sets the least time from a request's header to its answer, by the
// wall's clock. AWS's SDK for Go closes a request's body as soon as the answer
// begins; when that comes before net/http has seen the body's end, net/http
// drops the connection. No network is as fast as loopback, so no client has to
// stand that.
func (m *Mux) SetFloor(least time.Duration) { m.floor.Store(int64(least)) }

// Floor is what SetFloor set.
func (m *Mux) Floor() time.Duration { return time.Duration(m.floor.Load()) }

func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var due <-chan time.Time
	if floor := m.Floor(); floor > 0 {
		due = time.After(floor)
	}
	c, err := m.read(r)
	if c == nil {
		http.Error(w, err.Error(), apierror.From(err).Status)
		return
	}
	c.RequestID = m.requestID()
	record := Record{Time: m.now(), Service: c.Service, Action: c.Action, AccessKey: c.AccessKey}
	var rule fault.Rule
	if err == nil {
		err = m.authenticate(r, c)
	}
	if err == nil {
		err = m.throttle(c)
	}
	if err == nil {
		rule, _ = m.faults.Next(fault.Call{Service: c.Service, Action: c.Action, Params: c.Params})
		record.Fault, c.Fault = rule.Kind, rule.Kind
	}
	out, answers, err := m.carryOut(r.Context(), c, rule, err)
	if err != nil {
		record.Code = apierror.From(err).Code
	}
	m.record(record)
	if !answers {
		hangUp(w, r, time.Duration(rule.Hold), rule.Kind == fault.Timeout)
		return
	}
	if due != nil {
		select {
		case <-due:
		case <-r.Context().Done():
		}
	}
	if err := m.write(w, c, out, err); err != nil {
		slog.DebugContext(r.Context(), "answering a simulated AWS call", "action", c.Action, "error", err)
	}
}

// carryOut does what the call asks for, as far as the fault lets it. It says
// too whether there is an answer at all.
func (m *Mux) carryOut(
	ctx context.Context,
	c *Call,
	rule fault.Rule,
	refused error,
) (out any, answers bool, err error) {
	if refused != nil {
		return nil, true, refused
	}
	if refusal := rule.Refusal(c.Service, c.Action); refusal != nil {
		return nil, true, refusal
	}
	if rule.Kind == fault.Timeout || rule.Kind == fault.Reset {
		return nil, false, nil
	}
	out, err = m.handle(ctx, c)
	return out, rule.Kind != fault.Lost, err
}

// write answers the call, or refuses it with err.
func (m *Mux) write(w http.ResponseWriter, c *Call, out any, err error) error {
	if err != nil {
		return c.refuse(w, apierror.From(err))
	}
	if c.Fault == fault.Malformed {
		return c.answerByHalf(w, out)
	}
	return c.answer(w, out)
}

func (m *Mux) handle(ctx context.Context, c *Call) (any, error) {
	for _, one := range m.routers {
		if handler := one.api.Actions[c.Action]; handler != nil && one.api.Name == c.Service {
			return handler(ctx, c)
		}
	}
	code := "InvalidAction"
	if !c.IsQuery() {
		code = "UnknownOperationException"
	}
	return nil, apierror.New(code, "The action %s of %s is not simulated.", c.Action, c.Service)
}

// APIs are the services that are served, by name.
func (m *Mux) APIs() []API {
	var out []API
	for _, one := range m.routers {
		out = append(out, one.api)
	}
	slices.SortFunc(out, func(a, b API) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// throttle refuses a call whose bucket is empty.
func (m *Mux) throttle(c *Call) error {
	if !m.limits.On() {
		return nil
	}
	cost := limiter.Call{Service: c.Service, Action: c.Action, Broad: true}
	for name, value := range c.Params() {
		list, _, _ := strings.Cut(name, ".")
		switch {
		case list == "InstanceId":
			cost.Items++
		case list == "MaxCount":
			cost.Items, _ = strconv.Atoi(value) // the handler refuses what is no number
		}
		cost.Broad = cost.Broad && list == "DryRun"
	}
	if m.limits.Allow(m.now(), cost) {
		return nil
	}
	return fault.Rule{Kind: fault.Throttle}.Refusal(c.Service, c.Action)
}

// authenticate answers as each service does to a request that is not signed,
// not signed for it, or signed with a key it does not know. Whether the
// signature is right is not checked: there is no secret to check it with.
func (m *Mux) authenticate(r *http.Request, c *Call) error {
	if slices.Contains(unsigned, c.Action) {
		return nil
	}
	if c.AccessKey == "" {
		return apierror.WithStatus(
			http.StatusForbidden,
			"MissingAuthenticationToken",
			"Request is missing Authentication Token",
		)
	}
	if err := checkSignature(r, c); err != nil {
		return err
	}
	if len(m.keys) == 0 || slices.Contains(m.keys, c.AccessKey) {
		return nil
	}
	switch c.proto {
	case ec2Query:
		return apierror.WithStatus(
			http.StatusUnauthorized,
			"AuthFailure",
			"AWS was not able to validate the provided access credentials",
		)
	case awsQuery:
		return apierror.WithStatus(
			http.StatusForbidden,
			"InvalidClientTokenId",
			"The security token included in the request is invalid.",
		)
	default:
		return apierror.WithStatus(
			http.StatusForbidden,
			"UnrecognizedClientException",
			"The security token included in the request is invalid.",
		)
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
// call's parameters first. An input with a method Halve is a list's: it is
// told when only half a page is to be given.
func Handle[In, Out any](act func(ctx context.Context, c *Call, in *In) (Out, error)) Handler {
	return func(ctx context.Context, c *Call) (any, error) {
		in := new(In)
		if err := c.Decode(in); err != nil {
			return nil, err
		}
		if list, ok := any(in).(interface{ Halve() }); ok && c.Fault == fault.Partial {
			list.Halve()
		}
		out, err := act(ctx, c, in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Action, err)
		}
		return out, nil
	}
}
