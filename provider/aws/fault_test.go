package aws

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

// trouble stands between the provider and AWS. A fault for an action decides what becomes of
// its calls; it may make the call itself.
type trouble struct {
	mu     sync.Mutex // guards the fields below
	asked  map[string][]url.Values
	faults map[string]func(call func() (*http.Response, error)) (*http.Response, error)
}

func (tr *trouble) on(action string, fault func(call func() (*http.Response, error)) (*http.Response, error)) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.faults[action] = fault
}

func (tr *trouble) Do(req *http.Request) (*http.Response, error) {
	var text []byte
	if req.Body != nil {
		text, _ = io.ReadAll(req.Body) // is in memory: httpClient has put it there
		req.Body = io.NopCloser(strings.NewReader(string(text)))
	}
	form, _ := url.ParseQuery(string(text))
	tr.mu.Lock()
	fault := tr.faults[form.Get("Action")]
	tr.asked[form.Get("Action")] = append(tr.asked[form.Get("Action")], form)
	tr.mu.Unlock()
	call := func() (*http.Response, error) { return http.DefaultClient.Do(req) }
	if fault == nil {
		return call()
	}
	return fault(call)
}

// withTrouble restarts the bench's cloud with faults in between.
func (b *bench) withTrouble(t *testing.T) *trouble {
	t.Helper()
	tr := &trouble{asked: map[string][]url.Values{}, faults: map[string]func(func() (*http.Response, error)) (*http.Response, error){}}
	b.deps.Config.HTTPClient = tr
	b.restart(t)
	return tr
}

// answer makes an answer of EC2 without asking it.
func answer(status int, body string) func(func() (*http.Response, error)) (*http.Response, error) {
	return func(func() (*http.Response, error)) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(body)),
		}, nil
	}
}

func refusal(status int, code string) func(func() (*http.Response, error)) (*http.Response, error) {
	return answer(status, "<Response><Errors><Error><Code>"+code+"</Code><Message>trouble</Message></Error></Errors><RequestID>r</RequestID></Response>")
}

// lost makes the call and loses its answer.
func lost(call func() (*http.Response, error)) (*http.Response, error) {
	resp, err := call()
	if err == nil {
		_ = resp.Body.Close()
	}
	return nil, errors.New("connection reset by peer")
}

func direct(call func() (*http.Response, error)) (*http.Response, error) { return call() }

// hidden is what DescribeInstances says while EC2 does not list anything yet.
var hidden = answer(200, `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><reservationSet/></DescribeInstancesResponse>`)

func TestWhateverCreateFleetAnswersThereIsOneMachineInTheEnd(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why    string
		fault  func(func() (*http.Response, error)) (*http.Response, error)
		reason string
	}{
		"Lost":         {"the machine is there and nobody was told", lost, awserror.ReasonLaunchFailed},
		"Throttled":    {"nothing was begun", refusal(503, "RequestLimitExceeded"), awserror.ReasonRateLimited},
		"ServerError":  {"who knows", refusal(500, "InternalError"), awserror.ReasonInternalError},
		"Unauthorized": {"the role lacks a permission", refusal(403, "UnauthorizedOperation"), awserror.ReasonUnauthorized},
		"Malformed":    {"the answer does not read", answer(200, "<Create"), awserror.ReasonLaunchFailed},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tr := b.withTrouble(t)
			order := b.orderFor(t, claim("general-1", "default"))
			tr.on("CreateFleet", tc.fault)
			_, err := b.Launch(t.Context(), order)
			var launch *provider.LaunchError
			if !errors.As(err, &launch) || launch.Reason != tc.reason || launch.Message == "" {
				t.Errorf("%s: got %v, want a LaunchError with reason %s", tc.why, err, tc.reason)
			}
			tr.on("CreateFleet", direct)
			if _, err := b.Launch(t.Context(), order); err != nil {
				t.Fatalf("%s: the next launch: %v", tc.why, err)
			}
			if n := b.instances(t); n != 1 || len(b.sim.Status().Instances) != 1 {
				t.Errorf("%s: %d machines", tc.why, n)
			}
		})
	}
}

func TestAMachineThatEC2DoesNotListYetIsThereAllTheSame(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	m, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default")))
	if err != nil {
		t.Fatal(err)
	}
	tr.on("DescribeInstances", hidden)
	if got, err := b.Machine(t.Context(), m.ProviderID); err != nil || got.State != provider.Pending {
		t.Errorf("Machine: %q, %v; want pending", got.State, err)
	}
	if n := b.instances(t); n != 1 {
		t.Errorf("Machines lists %d, want 1", n)
	}
	if err := b.Terminate(t.Context(), m.ProviderID); err != nil {
		t.Errorf("Terminate: %v", err)
	}
	tr.on("DescribeInstances", direct)
	b.clock.Step(time.Hour)
	if _, err := b.Machine(t.Context(), m.ProviderID); !errors.Is(err, provider.ErrNotFound) {
		t.Errorf("Machine after Terminate: %v, want ErrNotFound", err)
	}
}

// The token says that something was launched, and EC2 does not list it yet: to launch again
// now would make two.
func TestALostLaunchThatIsNotListedYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	order := b.orderFor(t, claim("general-1", "default", onDemandAMD64...))
	tr.on("CreateFleet", lost)
	if _, err := b.Launch(t.Context(), order); err == nil {
		t.Fatal("the answer was lost")
	}
	tr.on("CreateFleet", direct)
	tr.on("DescribeInstances", hidden)
	order.Candidates = order.Candidates[1:]
	for range 2 {
		_, err := b.Launch(t.Context(), order)
		var launch *provider.LaunchError
		if !errors.As(err, &launch) || launch.Reason != reasonLaunchUnclear {
			t.Fatalf("got %v, want reason %s", err, reasonLaunchUnclear)
		}
		b.clock.Step(settleFor / 3)
	}
	tr.on("DescribeInstances", direct)
	if _, err := b.Launch(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if n := len(b.sim.Status().Instances); n != 1 {
		t.Errorf("%d instances", n)
	}
}

// Spot was asked for and the answer lost; now the order wants on demand, whose client token
// is another.
func TestALostLaunchIsFoundBeforeAnotherCapacityTypeIsAskedFor(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	order := b.orderFor(t, claim("general-1", "default"))
	tr.on("CreateFleet", lost)
	if _, err := b.Launch(t.Context(), order); err == nil {
		t.Fatal("the answer was lost")
	}
	tr.on("CreateFleet", direct)
	tr.on("DescribeInstances", hidden)
	order.Candidates = keep(order.Candidates, func(c provider.Candidate) bool { return c.Offering.CapacityType == shape.OnDemand })
	var launch *provider.LaunchError
	if _, err := b.Launch(t.Context(), order); !errors.As(err, &launch) || launch.Reason != reasonLaunchUnclear {
		t.Fatalf("got %v, want reason %s", err, reasonLaunchUnclear)
	}
	tr.on("DescribeInstances", direct)
	m, err := b.Launch(t.Context(), order)
	if err != nil || m.CapacityType != shape.Spot || len(b.sim.Status().Instances) != 1 {
		t.Errorf("got %q, %v, %d instances; want the one spot instance", m.CapacityType, err, len(b.sim.Status().Instances))
	}
}

func TestAThrottledLookUpDoesNotMakeAClassUnready(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	for _, action := range []string{"DescribeSubnets", "DescribeSecurityGroups", "DescribeImages"} {
		tr.on(action, refusal(503, "RequestLimitExceeded"))
	}
	if _, err := b.ResolveClass(t.Context(), ref("default")); err == nil {
		t.Error("the caller has to come again soon")
	}
	if !ready(b.classNamed(t, "default")) {
		t.Error("what was true of the class a moment ago still is")
	}
}
