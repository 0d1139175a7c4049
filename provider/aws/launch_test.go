package aws

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
)

// calls counts what was asked of AWS.
func (b *bench) calls(action string) int {
	n := 0
	for _, c := range b.sim.Calls() {
		if c.Action == action {
			n++
		}
	}
	return n
}

func (b *bench) instances(t *testing.T) int {
	t.Helper()
	all, err := b.Machines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// The controller dies after CreateFleet and before the status is written. It starts again
// with an empty memory, and what it would launch has changed.
func TestALaunchWhoseAnswerWasLostIsFoundAgainAfterARestart(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why    string
		change func(t *testing.T, b *bench, order *provider.Order)
	}{
		"SameOrder": {
			why:    "EC2 answers the client token again.",
			change: func(*testing.T, *bench, *provider.Order) {},
		},
		"OtherCandidates": {
			why: "EC2 refuses the token, and the tag tells.",
			change: func(_ *testing.T, _ *bench, order *provider.Order) {
				order.Candidates = order.Candidates[len(order.Candidates)/2:]
			},
		},
		"OtherCapacityType": {
			why: "The other capacity type has a token of its own: only the claim's age says to look first.",
			change: func(_ *testing.T, b *bench, order *provider.Order) {
				order.Candidates = keep(
					order.Candidates,
					func(c provider.Candidate) bool { return c.Offering.CapacityType == shape.OnDemand },
				)
			},
		},
		"ChangedClass": {
			why: "A changed EC2NodeClass means another launch template.",
			change: func(t *testing.T, b *bench, _ *provider.Order) {
				class := b.classNamed(t, "default")
				class.Spec.Tags = map[string]string{"cost": "42"}
				if err := b.kube.Update(t.Context(), class); err != nil {
					t.Fatal(err)
				}
				if _, err := b.ResolveClass(t.Context(), ref("default")); err != nil {
					t.Fatal(err)
				}
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			c := claim("general-1", "default")
			c.CreationTimestamp.Time = b.clock.Now()
			order := b.orderFor(t, c)
			first, err := b.Launch(t.Context(), order)
			if err != nil {
				t.Fatal(err)
			}
			b.clock.Step(2 * time.Second)
			b.restart(t)
			tc.change(t, b, &order)
			second, err := b.Launch(t.Context(), order)
			if err != nil {
				t.Fatalf("%s\nLaunch: %v", tc.why, err)
			}
			if first.ProviderID != second.ProviderID || b.instances(t) != 1 {
				t.Errorf(
					"%s\nfirst %s, then %s; %d instances",
					tc.why,
					first.ProviderID,
					second.ProviderID,
					b.instances(t),
				)
			}
			if second.InstanceType != first.InstanceType || second.Labels[awsv1.LabelInstanceFamily] == "" ||
				second.Capacity.Cpu().IsZero() {
				t.Errorf("what was found again is described as %+v", second)
			}
		})
	}
}

// The leader dies after CreateFleet, and one takes over that had stood by all the time. That it has run for longer than
// the claim exists says nothing: it did not launch.
func TestALaunchOfAnotherLeaderIsFoundByItsStandby(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	standby, err := New(t.Context(), b.deps)
	if err != nil {
		t.Fatal(err)
	}
	standby.inventory = region()
	b.clock.Step(time.Hour)
	c := claim("general-1", "default")
	c.CreationTimestamp.Time = b.clock.Now()
	order := b.orderFor(t, c)
	spot := keep(order.Candidates, func(c provider.Candidate) bool { return c.Offering.CapacityType == shape.Spot })
	order.Candidates = keep(
		order.Candidates,
		func(c provider.Candidate) bool { return c.Offering.CapacityType == shape.OnDemand },
	)
	first, err := b.Launch(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	b.clock.Step(20 * time.Second)
	order.Candidates = spot // what was short for the one is not for the other
	second, err := standby.Launch(t.Context(), order)
	if err != nil || second.ProviderID != first.ProviderID || b.instances(t) != 1 {
		t.Errorf("first %s, then %s, %v; %d instances", first.ProviderID, second.ProviderID, err, b.instances(t))
	}
}

func TestAnEmptyAnswerIsNotTheLast(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	order := b.orderFor(t, claim("general-1", "default", onDemandAMD64...))
	order.Candidates = order.Candidates[:1]
	b.sellOut(t, order.Candidates)
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatalf("got %v, want ErrNoCapacity", err)
	}
	b.refill(t, order.Candidates)
	if _, err := b.Launch(t.Context(), order); err != nil {
		t.Errorf("there is capacity again, and EC2 repeats its old answer unless the token is new: %v", err)
	}
}

func (b *bench) refill(t *testing.T, of []provider.Candidate) {
	t.Helper()
	for _, c := range of {
		if err := b.sim.SetCapacity(
			awssim.Capacity{Type: c.Type.Name, Zone: c.Offering.Zone, Capacity: c.Offering.CapacityType},
		); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSpotThatIsSoldOutFallsBackToOnDemandInOneLaunch(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	none := 0
	if err := b.sim.SetCapacity(
		awssim.Capacity{Type: "*", Zone: "*", Capacity: "spot", Available: &none},
	); err != nil {
		t.Fatal(err)
	}
	order := b.orderFor(t, claim("general-1", "default"))
	if order.Candidates[0].Offering.CapacityType != shape.Spot {
		t.Fatalf("the cheapest candidate is %s, the test needs spot", order.Candidates[0].Offering.CapacityType)
	}
	m, err := b.Launch(t.Context(), order)
	if err != nil || m.CapacityType != shape.OnDemand {
		t.Fatalf("launched %q, %v; want on-demand", m.CapacityType, err)
	}
	if b.instances(t) != 1 {
		t.Errorf("%d instances, want 1", b.instances(t))
	}
}

func TestWhatWasSoldOutIsOfferedAgainAfterThreeMinutes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	order := b.orderFor(t, claim("general-1", "default", onDemandAMD64...))
	order.Candidates = order.Candidates[:1]
	b.sellOut(t, order.Candidates)
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatal(err)
	}
	sold := order.Candidates[0]
	available := func() bool {
		all, err := b.InstanceTypes(t.Context(), ref("default"))
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range all {
			for _, o := range it.Offerings {
				if it.Name == sold.Type.Name && o.Zone == sold.Offering.Zone &&
					o.CapacityType == sold.Offering.CapacityType {
					return o.Available
				}
			}
		}
		t.Fatal("the offering is gone")
		return false
	}
	b.clock.Step(2*time.Minute + 59*time.Second)
	if available() {
		t.Error("offered again a second too early")
	}
	b.clock.Step(time.Second)
	if !available() {
		t.Error("still called sold out after three minutes")
	}
}

func TestLaunchTemplatesAreReused(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	before := b.calls("CreateLaunchTemplate")
	first := b.orderFor(t, claim("general-1", "default", onDemandAMD64...))
	if _, err := b.Launch(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	made := b.calls("CreateLaunchTemplate")
	b.clock.Step(time.Hour)
	b.restart(t)
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-2", "default", onDemandAMD64...))); err != nil {
		t.Fatal(err)
	}
	if again := b.calls("CreateLaunchTemplate"); made == before || again != made {
		t.Errorf("%d templates made before, %d after the first launch, %d after the second", before, made, again)
	}
}

func TestALaunchTemplateThatWasDeletedIsMadeAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default", onDemandAMD64...))); err != nil {
		t.Fatal(err)
	}
	all, err := b.ec2.DescribeLaunchTemplates(t.Context(), &ec2.DescribeLaunchTemplatesInput{})
	if err != nil || len(all.LaunchTemplates) == 0 {
		t.Fatalf("%d templates, %v", len(all.LaunchTemplates), err)
	}
	for _, lt := range all.LaunchTemplates {
		if _, err := b.ec2.DeleteLaunchTemplate(
			t.Context(),
			&ec2.DeleteLaunchTemplateInput{LaunchTemplateName: lt.LaunchTemplateName},
		); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-2", "default", onDemandAMD64...))); err != nil {
		t.Errorf("somebody deleted the launch templates: %v", err)
	}
}

func TestLaunchTemplatesGoADayAfterTheirLastUse(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default", onDemandAMD64...))); err != nil {
		t.Fatal(err)
	}
	count := func() int {
		if err := b.templates.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
		return b.sim.Status().Templates
	}
	count() // as the leader does when it begins
	b.clock.Step(23 * time.Hour)
	if count() == 0 {
		t.Error("collected within a day")
	}
	b.clock.Step(time.Hour)
	if n := count(); n != 0 {
		t.Errorf("%d templates after a day without use", n)
	}
}

// The cluster's tag is AWS's, and users put it on what is theirs.
func TestALaunchTemplateOfTheUsersIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tr := b.withTrouble(t)
	tags := []ec2types.Tag{{Key: ptr(awsv1.EKSClusterNameTagKey), Value: ptr(clusterName)}}
	made, err := b.ec2.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: ptr(
			"managed-nodes",
		),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{KeyName: ptr("k")},
		TagSpecifications: []ec2types.TagSpecification{
			{ResourceType: ec2types.ResourceTypeLaunchTemplate, Tags: tags},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.templates.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.clock.Step(48 * time.Hour)
	}
	if err := b.templates.Collect(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.ec2.DescribeLaunchTemplates(
		t.Context(),
		&ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{*made.LaunchTemplate.LaunchTemplateId}},
	); err != nil {
		t.Errorf("it was collected: %v", err)
	}
	tr.on("DeleteLaunchTemplate", refusal(403, "UnauthorizedOperation"))
	if err := b.templates.TryDelete(t.Context()); err != nil {
		t.Errorf("that we may not delete it is right, and the check says: %v", err)
	}
}

// A standby that takes over does not know what the leader before it used.
func TestANewLeaderLeavesLaunchTemplatesForADay(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	standby := launchtemplate.New(b.ec2, b.clock, clusterName)
	if _, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "default", onDemandAMD64...))); err != nil {
		t.Fatal(err)
	}
	b.clock.Step(48 * time.Hour)
	before := b.sim.Status().Templates
	for _, tc := range []struct {
		after time.Duration
		want  int
	}{{0, before}, {23 * time.Hour, before}, {time.Hour, 0}} {
		b.clock.Step(tc.after)
		if err := standby.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := b.sim.Status().Templates; n != tc.want {
			t.Errorf("%s later: %d templates, want %d", tc.after, n, tc.want)
		}
	}
}

func TestInstancesAreTaggedFromTheFirstMoment(t *testing.T) {
	t.Parallel()
	b := newBench(
		t,
		nodeClass("tagged", func(c *awsv1.EC2NodeClass) { c.Spec.Tags = map[string]string{"team": "blue"} }),
	)
	m, err := b.Launch(t.Context(), b.orderFor(t, claim("general-1", "tagged", onDemandAMD64...)))
	if err != nil {
		t.Fatal(err)
	}
	i, err := b.instance(t.Context(), m.ProviderID)
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, tag := range i.Tags {
		tags[*tag.Key] = *tag.Value
	}
	for key, want := range map[string]string{
		"team": "blue", "kubernetes.io/cluster/demo": "owned", "eks:eks-cluster-name": "demo", "Name": "general-1",
		"karpenter.sh/nodepool": "general", "karpenter.sh/nodeclaim": "general-1", "karpenter.k8s.aws/ec2nodeclass": "tagged",
	} {
		if tags[key] != want {
			t.Errorf("tag %s is %q, want %q", key, tags[key], want)
		}
	}
	if b.calls("CreateTags") != 0 {
		t.Error("tags were added later; between, nobody could have told whose the instance is")
	}
}

func TestAFleetIsOfferedSixtyTypesAtMostAndKeepsMinValues(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	six := 6
	wide := karpenterv1.Requirement{Key: awsv1.LabelInstanceGeneration, Operator: "Exists", MinValues: &six}
	for name, tc := range map[string]struct {
		claim *karpenterv1.NodeClaim
		least int
	}{
		"Plain":     {claim("plain", "default", onDemandAMD64...), 1},
		"MinValues": {claim("wide", "default", append([]karpenterv1.Requirement{wide}, onDemandAMD64...)...), six},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order := b.orderFor(t, tc.claim)
			types, generations := map[string]bool{}, map[string]bool{}
			for _, c := range rounds(tc.claim, order.Candidates)[0] {
				types[c.Type.Name] = true
				generations[c.Labels()[awsv1.LabelInstanceGeneration]] = true
			}
			if len(types) != maxTypes || !types[order.Candidates[0].Type.Name] {
				t.Errorf("%d types, want %d with the cheapest among them", len(types), maxTypes)
			}
			if len(generations) < tc.least {
				t.Errorf("%d generations, want at least %d", len(generations), tc.least)
			}
		})
	}
}

func TestADeadCredentialIsOneClearError(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	sim, err := awssim.New(
		awssim.Options{Clock: b.clock, ClusterName: clusterName, AccessKeys: []string{"AKIAOTHER"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	deps := b.deps
	url := sim.URL()
	deps.Config.BaseEndpoint = &url
	_, err = New(t.Context(), deps)
	if err == nil || !strings.Contains(err.Error(), "the credentials do not allow ec2:DescribeInstanceTypes") ||
		!strings.Contains(err.Error(), "us-east-1") {
		t.Errorf("got %v, want one that names region, call and fix", err)
	}
}
