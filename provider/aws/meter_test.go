package aws

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/google/go-cmp/cmp"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/apicall"
	"github.com/dovetail-sh/dovetail/provider/aws/userdata"
)

// gauge is a Meter that keeps what it is told.
type gauge struct {
	mu            sync.Mutex // guards the fields below
	calls         map[string][]apicall.Call
	batches       map[string][]int
	userData      map[string]int
	notLaunched   [][4]string
	notTerminated [][2]string
}

func (g *gauge) Called(c apicall.Call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls[c.Operation] = append(g.calls[c.Operation], c)
}

func (g *gauge) Batched(batcher string, requests int, _ time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.batches[batcher] = append(g.batches[batcher], requests)
}

func (g *gauge) UserData(class string, bytes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.userData[class] = bytes
}

func (g *gauge) NoUserData(class string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.userData, class)
}

func (g *gauge) NotLaunched(zone, zoneID, capacityType, code string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notLaunched = append(g.notLaunched, [4]string{zone, zoneID, capacityType, code})
}

func (g *gauge) NotTerminated(zone, zoneID string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.notTerminated = append(g.notTerminated, [2]string{zone, zoneID})
}

// withGauge restarts the bench's cloud with a meter, and with an SDK that tries three times and hardly waits.
func (b *bench) withGauge(t *testing.T) *gauge {
	t.Helper()
	g := &gauge{calls: map[string][]apicall.Call{}, batches: map[string][]int{}, userData: map[string]int{}}
	b.deps.Meter = g
	b.deps.Config.Retryer = func() awssdk.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = 3, time.Nanosecond })
	}
	b.restart(t)
	return g
}

func TestAMachinesLifeIsMetered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	g := b.withGauge(t)
	var once sync.Once
	tr.on("CreateFleet", func(r request) (*http.Response, error) {
		f := direct
		once.Do(func() { f = refusal(503, "RequestLimitExceeded") })
		return f(r)
	})
	m, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default")))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Terminate(t.Context(), m.ProviderID); err != nil {
		t.Fatal(err)
	}
	for operation, attempts := range map[string][]apicall.Attempt{
		"CreateFleet": {{Code: 503}, {Code: 200}}, "TerminateInstances": {{Code: 200}},
	} {
		want := []apicall.Call{{Service: "EC2", Operation: operation, Attempts: attempts}}
		if diff := cmp.Diff(want, g.calls[operation]); diff != "" {
			t.Errorf("one machine, whose launch was throttled once: -want +got\n%s", diff)
		}
	}
	if diff := cmp.Diff(map[string][]int{batchDescribe: {1}, batchTerminate: {1}}, g.batches); diff != "" {
		t.Errorf("batches: -want +got\n%s", diff)
	}
	if len(g.notLaunched) > 0 || len(g.notTerminated) > 0 {
		t.Errorf("nothing went wrong in the end, and this was told: %v %v", g.notLaunched, g.notTerminated)
	}
}

func TestWhatEC2DoesNotDoIsMetered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	g := b.withGauge(t)
	m, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default")))
	if err != nil {
		t.Fatal(err)
	}
	order := b.orderFor(t, claim("general-2", "default", append(onDemandAMD64[:len(onDemandAMD64):len(onDemandAMD64)],
		oneOf(shape.LabelInstanceType, "m5.large"), oneOf(shape.LabelZone, "us-east-1a"))...))
	b.sellOut(t, order.Candidates)
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatalf("got %v, want ErrNoCapacity", err)
	}
	zones := zoneIDs(b.classNamed(t, "default"))
	if diff := cmp.Diff(
		[][4]string{{"us-east-1a", zones["us-east-1a"], shape.OnDemand, "InsufficientInstanceCapacity"}},
		g.notLaunched,
	); diff != "" {
		t.Errorf("what was sold out: -want +got\n%s", diff)
	}
	tr.on("TerminateInstances", refusal(400, "OperationNotPermitted"))
	if err := b.Terminate(t.Context(), m.ProviderID); err == nil {
		t.Fatal("want an error")
	}
	if diff := cmp.Diff([][2]string{{m.Zone, zones[m.Zone]}}, g.notTerminated); diff != "" {
		t.Errorf("what was not ended: -want +got\n%s", diff)
	}
}

func TestTheLengthOfUserDataIsMetered(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	g := b.withGauge(t)
	steps := []struct {
		why    string
		change func(*awsv1.EC2NodeClass)
		within func(bytes int, told bool) bool
	}{
		{
			"what a node needs to join",
			func(*awsv1.EC2NodeClass) {},
			func(n int, _ bool) bool { return n > 500 && n < 2000 },
		},
		{
			"with the user's part",
			func(c *awsv1.EC2NodeClass) { c.Spec.UserData = ptr("#!/bin/bash\n# " + strings.Repeat("x", 10000)) },
			func(n int, _ bool) bool { return n > 10000 && n < 12000 },
		},
		{
			"too long is what operators look for",
			func(c *awsv1.EC2NodeClass) { c.Spec.UserData = ptr("#!/bin/bash\n# " + strings.Repeat("x", 20000)) },
			func(n int, _ bool) bool { return n > userdata.MaxBytes },
		},
		{"what does not read has no length", func(c *awsv1.EC2NodeClass) {
			c.Spec.AMISelectorTerms[0].Alias, c.Spec.UserData = "bottlerocket@latest", ptr("this is no TOML")
		}, func(_ int, told bool) bool { return !told }},
		{
			"it reads again",
			func(c *awsv1.EC2NodeClass) { c.Spec.UserData = nil },
			func(_ int, told bool) bool { return told },
		},
	}
	for _, step := range steps {
		class := b.classNamed(t, "default")
		step.change(class)
		if err := b.kube.Update(t.Context(), class); err != nil {
			t.Fatal(err)
		}
		if _, err := b.ResolveClass(t.Context(), ref("default")); err != nil {
			t.Fatal(err)
		}
		if n, told := g.userData["default"]; !step.within(n, told) {
			t.Errorf("%s: %d bytes, %v", step.why, n, told)
		}
	}
	if err := b.kube.Delete(t.Context(), b.classNamed(t, "default")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ResolveClass(t.Context(), ref("default")); err != nil {
		t.Fatal(err)
	}
	if n, told := g.userData["default"]; told {
		t.Errorf("the class is gone, and its user data still has %d bytes", n)
	}
}
