package aws

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
)

// Whatever class finds out first that something is sold out, no other may go on offering it: each would make claims
// that cannot be launched, again and again.
func TestAShortageHoldsForAllClasses(t *testing.T) {
	t.Parallel()
	b := newBench(
		t,
		nodeClass("other", func(c *awsv1.EC2NodeClass) { c.Spec.Tags = map[string]string{"team": "blue"} }),
	)
	const pool = "m5.large/us-east-1a"
	order := b.orderFor(
		t,
		claim(
			"general-1",
			"default",
			append(
				slices.Clone(onDemandAMD64),
				oneOf(shape.LabelInstanceType, "m5.large"),
				oneOf(shape.LabelZone, "us-east-1a"),
			)...),
	)
	for _, class := range []string{"default", "other"} {
		if !slices.Contains(b.available(t, class, shape.OnDemand), pool) {
			t.Fatalf("%s does not offer %s to begin with", class, pool)
		}
	}
	b.sellOut(t, order.Candidates)
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatalf("got %v, want ErrNoCapacity", err)
	}
	for range 2 { // whichever is asked first, and each time
		for _, class := range []string{"other", "default"} {
			if slices.Contains(b.available(t, class, shape.OnDemand), pool) {
				t.Errorf("%s still offers %s", class, pool)
			}
		}
	}
}

// Many claims are launched at once, and after a shortage each wants to know what is left. It is worked out once.
func TestOffersAreWorkedOutOnceForAllWhoAsk(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.available(t, "default", shape.Spot)
	b.shortage.Note(offering.Pool{CapacityType: shape.Spot, InstanceType: "m5.large", Zone: "us-east-1a"})
	answers := make([][]*shape.InstanceType, 16)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			var err error
			if answers[i], err = b.InstanceTypes(t.Context(), ref("default")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for i, types := range answers {
		if &types[0] != &answers[0][0] {
			t.Errorf("answer %d was worked out for itself", i)
		}
	}
}

// With one throttled call one claim waits; the others, asked for at the same time, are launched.
func TestAThrottledLaunchIsOneClaimsAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	const claims = 8
	orders := make([]provider.Order, claims)
	for i := range orders {
		orders[i] = b.orderFor(t, claim(fmt.Sprintf("general-%d", i), "default", onDemandAMD64...))
	}
	var once sync.Once
	tr.on("CreateFleet", func(r request) (*http.Response, error) {
		f := direct
		once.Do(func() { f = refusal(503, "RequestLimitExceeded") })
		return f(r)
	})
	failed := make([]error, claims)
	var all sync.WaitGroup
	for i := range orders {
		all.Go(func() { _, failed[i] = b.Launch(t.Context(), orders[i]) })
	}
	all.Wait()
	throttled := 0
	for _, err := range failed {
		var launch *provider.LaunchError
		if errors.As(err, &launch) {
			throttled++
		}
	}
	if n := len(b.sim.Status().Instances); throttled != 1 || n != claims-1 {
		t.Errorf("%d claims were refused and %d instances launched, want 1 and %d", throttled, n, claims-1)
	}
}

// A quota that is used up says so once: nothing larger of the same families is tried again for a while.
func TestAQuotaIsRespectedInPlans(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	none := 0
	if err := b.sim.SetQuota(awssim.VCPUs{Bucket: "standard", Capacity: "on-demand", VCPUs: &none}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Launch(
		t.Context(),
		b.orderFor(
			t,
			claim(
				"general-1",
				"default",
				append(slices.Clone(onDemandAMD64), oneOf(shape.LabelInstanceType, "m5.large"))...),
		),
	); !errors.Is(
		err,
		provider.ErrNoCapacity,
	) {
		t.Fatalf("got %v, want ErrNoCapacity", err)
	}
	left := map[string]bool{}
	for _, o := range b.available(t, "default", shape.OnDemand) {
		left[o] = true
	}
	for name, want := range map[string]bool{"m5.large/us-east-1a": false, "r5.24xlarge/us-east-1b": false, "m5.xlarge/us-east-1a": false, "g5.xlarge/us-east-1a": true} {
		if left[name] != want {
			t.Errorf("%s on offer: %v, want %v", name, left[name], want)
		}
	}
	if len(b.available(t, "default", shape.Spot)) == 0 {
		t.Error("spot has a quota of its own")
	}
}

// What a class's images can not run on is not offered to that class, and is to another that differs in nothing else.
func TestClassesThatDifferInTheirFamilyAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nodeClass("rocket", func(c *awsv1.EC2NodeClass) {
		c.Spec.AMISelectorTerms = []awsv1.AMISelectorTerm{{Alias: "bottlerocket@latest"}}
	}))
	firstGraviton := func(offering string) bool { return strings.HasPrefix(offering, "a1.large/") }
	for range 2 { // whichever is asked first
		for class, want := range map[string]bool{"default": false, "rocket": true} {
			if got := slices.ContainsFunc(b.available(t, class, shape.OnDemand), firstGraviton); got != want {
				t.Errorf("%s offers a1.large: %v, want %v", class, got, want)
			}
		}
	}
}

// A claim for which nothing is left by the time of its launch is given up like one that EC2 had nothing for.
func TestALaunchWithNothingLeftIsNoCapacity(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	order := b.orderFor(t, claim("general-1", "default"))
	order.Candidates = nil
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Errorf("got %v, want ErrNoCapacity", err)
	}
}

// What was short is forgotten by a restart, and that costs one call: the first launch gets its machine all the same,
// and learns of everything that was short on its way.
func TestAfterARestartOneLaunchLearnsAgainWhatIsShort(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	none := 0
	if err := b.sim.SetCapacity(
		awssim.Capacity{Type: "*", Zone: "*", Capacity: "spot", Available: &none},
	); err != nil {
		t.Fatal(err)
	}
	onSpot := func() int { return len(b.available(t, "default", shape.Spot)) }
	all := onSpot()
	for n := range 2 {
		before := b.calls("CreateFleet")
		order := b.orderFor(t, claim(fmt.Sprintf("general-%d", n), "default"))
		tried := len(rounds(order.Claim, order.Candidates)[0])
		m, err := b.Launch(t.Context(), order)
		if err != nil || m.CapacityType != shape.OnDemand {
			t.Fatalf("launch %d: %s, %v; want on demand", n, m.CapacityType, err)
		}
		if calls := b.calls("CreateFleet") - before; calls != 2 {
			t.Errorf("launch %d took %d calls of CreateFleet, want one for spot and one on demand", n, calls)
		}
		if learned := all - onSpot(); learned != tried {
			t.Errorf(
				"launch %d learned of %d offerings that they are short, want all %d that it tried",
				n,
				learned,
				tried,
			)
		}
		b.restart(t)
		if left := onSpot(); left != all {
			t.Errorf("%d of %d offerings after a restart", left, all)
		}
	}
}
