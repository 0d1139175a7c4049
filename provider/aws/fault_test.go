package aws

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/awserror"
)

func TestWhateverCreateFleetAnswersThereIsOneMachineInTheEnd(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why    string
		fault  mischief
		reason string
	}{
		"Lost":        {"the machine is there and nobody was told", lost, awserror.ReasonLaunchFailed},
		"Throttled":   {"nothing was begun", refusal(503, "RequestLimitExceeded"), awserror.ReasonRateLimited},
		"ServerError": {"who knows", refusal(500, "InternalError"), awserror.ReasonInternalError},
		"Unauthorized": {
			"the role lacks a permission",
			refusal(403, "UnauthorizedOperation"),
			awserror.ReasonUnauthorized,
		},
		"Malformed": {"the answer does not read", answer(200, "<Create"), awserror.ReasonLaunchFailed},
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
	order.Candidates = keep(
		order.Candidates,
		func(c provider.Candidate) bool { return c.Offering.CapacityType == shape.OnDemand },
	)
	var launch *provider.LaunchError
	if _, err := b.Launch(t.Context(), order); !errors.As(err, &launch) || launch.Reason != reasonLaunchUnclear {
		t.Fatalf("got %v, want reason %s", err, reasonLaunchUnclear)
	}
	tr.on("DescribeInstances", direct)
	m, err := b.Launch(t.Context(), order)
	if err != nil || m.CapacityType != shape.Spot || len(b.sim.Status().Instances) != 1 {
		t.Errorf(
			"got %q, %v, %d instances; want the one spot instance",
			m.CapacityType,
			err,
			len(b.sim.Status().Instances),
		)
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

// The spot market's API fails: a claim that may be on demand is launched on demand, and only once.
func TestOnDemandStepsInWhenTheCallForSpotFails(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why   string
		fault mischief
		calls int // of Launch
	}{
		"ServerError": {
			"a spot machine may yet come to light: on demand waits until that is settled",
			refusal(500, "InternalError"),
			2,
		},
		"NoAnswer": {"the same", unreachable, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tr := b.withTrouble(t)
			order := b.orderFor(t, claim("general-1", "default"))
			tr.on("CreateFleet", func(r request) (*http.Response, error) {
				if r.form.Get("TargetCapacitySpecification.DefaultTargetCapacityType") == shape.Spot {
					return tc.fault(r)
				}
				return r.pass()
			})
			for call := 1; ; call++ {
				m, err := b.Launch(t.Context(), order)
				if call < tc.calls {
					var launch *provider.LaunchError
					if !errors.As(err, &launch) {
						t.Fatalf("%s: launch %d gave %v, want a LaunchError", tc.why, call, err)
					}
					b.clock.Step(settleFor)
					continue
				}
				if err != nil || m.CapacityType != shape.OnDemand {
					t.Fatalf("%s: launch %d gave %q, %v", tc.why, call, m.CapacityType, err)
				}
				break
			}
			if n := len(b.sim.Status().Instances); n != 1 {
				t.Errorf("%s: %d instances", tc.why, n)
			}
		})
	}
}

// EC2 counts calls, and not what they are for: a throttled call says nothing of spot. Were on demand asked for in its
// place, each larger burst would leave part of the fleet on demand.
func TestAThrottledCallForSpotIsMadeAgainForSpot(t *testing.T) {
	t.Parallel()
	inside := answer(200, strings.ReplaceAll(notSpot, "InvalidFleetConfiguration", "RequestLimitExceeded"))
	for name, throttled := range map[string]mischief{"TheCall": refusal(503, "RequestLimitExceeded"), "AnOffer": inside} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			tr := b.withTrouble(t)
			order := b.orderFor(t, claim("general-1", "default"))
			tr.on("CreateFleet", throttled)
			_, err := b.Launch(t.Context(), order)
			var launch *provider.LaunchError
			if !errors.As(err, &launch) || launch.Reason != awserror.ReasonRateLimited {
				t.Errorf("got %v, want reason %s", err, awserror.ReasonRateLimited)
			}
			if n := len(tr.asked["CreateFleet"]); n != 1 {
				t.Errorf("%d calls, want one", n)
			}
			tr.on("CreateFleet", direct)
			if m, err := b.Launch(t.Context(), order); err != nil || m.CapacityType != shape.Spot {
				t.Errorf("launched %q, %v; want spot", m.CapacityType, err)
			}
		})
	}
}

// notSpot is a fleet's answer in which one zone had no machine, and another offer was refused for what it is.
const notSpot = `<CreateFleetResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><fleetId>fleet-1</fleetId><errorSet>
<item><errorCode>InsufficientInstanceCapacity</errorCode><errorMessage>none</errorMessage><lifecycle>spot</lifecycle>
<launchTemplateAndOverrides><overrides><instanceType>m5.large</instanceType><availabilityZone>us-east-1a</availabilityZone></overrides></launchTemplateAndOverrides></item>
<item><errorCode>InvalidFleetConfiguration</errorCode><errorMessage>not supported</errorMessage><lifecycle>spot</lifecycle>
<launchTemplateAndOverrides><overrides><instanceType>c5.large</instanceType><availabilityZone>us-east-1b</availabilityZone></overrides></launchTemplateAndOverrides></item>
</errorSet></CreateFleetResponse>`

// A fleet that has bought nothing has bought nothing, whatever its reasons: pods that may be on demand need not wait
// until somebody has mended what EC2 has against one offer.
func TestOnDemandStepsInWhateverSpotLacks(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	tr.on("CreateFleet", func(r request) (*http.Response, error) {
		if r.form.Get("TargetCapacitySpecification.DefaultTargetCapacityType") == shape.Spot {
			return answer(200, notSpot)(r)
		}
		return r.pass()
	})
	m, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default")))
	if err != nil || m.CapacityType != shape.OnDemand {
		t.Errorf("launched %q, %v; want on-demand", m.CapacityType, err)
	}
	only := claim("general-2", "default", oneOf(shape.LabelCapacityType, shape.Spot))
	_, err = b.Launch(t.Context(), b.orderFor(t, only))
	if !errors.Is(err, provider.ErrNoCapacity) || !strings.Contains(err.Error(), "InvalidFleetConfiguration") {
		t.Errorf("who may have spot alone reads why there is none, and got %v", err)
	}
}

// A capacity type whose API fails is left alone for a while, so that plans do not count on it. One launch without an
// answer says nothing of it: its connection may have been lost.
func TestACapacityTypeWhoseAPIFailsIsLeftAloneForAWhile(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	spot := func() int { return len(b.available(t, "default", shape.Spot)) }
	before, failing := spot(), true
	tr.on("CreateFleet", func(r request) (*http.Response, error) {
		if failing && r.form.Get("TargetCapacitySpecification.DefaultTargetCapacityType") == shape.Spot {
			return refusal(500, "InternalError")(r)
		}
		return r.pass()
	})
	launch := func(name, want string) {
		t.Helper()
		order := b.orderFor(t, claim(name, "default"))
		m, err := b.Launch(t.Context(), order)
		if err != nil {
			b.clock.Step(settleFor)
			m, err = b.Launch(t.Context(), order)
		}
		if err != nil || m.CapacityType != want {
			t.Fatalf("%s was launched %q, %v; want %s", name, m.CapacityType, err, want)
		}
	}
	launch("general-1", shape.OnDemand)
	if n := spot(); n != before || before == 0 {
		t.Errorf("after one launch without an answer %d spot offers are left of %d", n, before)
	}
	failing = false
	launch("general-2", shape.Spot)
	failing = true
	launch("general-3", shape.OnDemand)
	if n := spot(); n != before {
		t.Errorf("EC2 has answered in between, and %d spot offers are left of %d", n, before)
	}
	launch("general-4", shape.OnDemand)
	if n := spot(); n != 0 {
		t.Errorf("the second in a row got no answer, and %d spot offers are left", n)
	}
	b.clock.Step(time.Hour)
	if n := spot(); n != before {
		t.Errorf("%d spot offers an hour later, want %d", n, before)
	}
}
