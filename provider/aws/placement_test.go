package aws

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// groups is EC2's list of placement groups: one, of a strategy.
func groups(strategy, more string) string {
	return `<DescribePlacementGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><placementGroupSet><item>
<groupId>pg-1</groupId><groupName>close</groupName><state>available</state><strategy>` + strategy + `</strategy>` + more + `</item></placementGroupSet></DescribePlacementGroupsResponse>`
}

const noGroups = `<DescribePlacementGroupsResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><placementGroupSet/></DescribePlacementGroupsResponse>`

// placed is a bench whose class "placed" selects the placement group "close".
func placed(t *testing.T, describe mischief) (*bench, *trouble) {
	t.Helper()
	b := newBench(t)
	tr := b.withTrouble(t)
	tr.on("DescribePlacementGroups", describe)
	name := "close"
	class := nodeClass("placed", func(c *awsv1.EC2NodeClass) {
		c.Spec.PlacementGroupSelector = &awsv1.PlacementGroupSelector{Name: &name}
	})
	if err := b.kube.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	return b, tr
}

func (b *bench) resolve(t *testing.T, class string) error {
	t.Helper()
	_, err := b.ResolveClass(t.Context(), ref(class))
	return err
}

func TestPlacementGroupsOfEachStrategy(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why        string
		answer     string
		partitions []string
		refuses    string // a type that the group does not take
	}{
		"Cluster": {"burstable types cannot be in a cluster group", groups("cluster", ""), nil, "t3.large"},
		"Spread":  {"metal can be spread", groups("spread", ""), nil, ""},
		"Partition": {
			"every partition is an offer",
			groups("partition", "<partitionCount>3</partitionCount>"),
			[]string{"1", "2", "3"},
			"",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := placed(t, answer(200, tc.answer))
			if err := b.resolve(t, "placed"); err != nil {
				t.Fatal(err)
			}
			types, err := b.InstanceTypes(t.Context(), ref("placed"))
			if err != nil {
				t.Fatal(err)
			}
			var partitions []string
			for _, it := range types {
				for i := range it.Offerings {
					o := &it.Offerings[i]
					if id, _ := shape.LabelValue(o.Extra, awsv1.LabelPlacementGroupID); id != "pg-1" {
						t.Fatalf("%s: %s has no label of its placement group", tc.why, it.Name)
					}
					if p, ok := shape.LabelValue(
						o.Extra,
						awsv1.LabelPlacementGroupPartition,
					); ok &&
						!slices.Contains(partitions, p) {
						partitions = append(partitions, p)
					}
					if o.Available && it.Name == tc.refuses {
						t.Errorf("%s: %s is on offer", tc.why, it.Name)
					}
				}
			}
			slices.Sort(partitions)
			if !slices.Equal(partitions, tc.partitions) {
				t.Errorf("%s: partitions %v, want %v", tc.why, partitions, tc.partitions)
			}
		})
	}
}

func TestALaunchIsPlacedInThePartitionThatTheClaimWants(t *testing.T) {
	t.Parallel()
	b, tr := placed(t, answer(200, groups("partition", "<partitionCount>7</partitionCount>")))
	if err := b.resolve(t, "placed"); err != nil {
		t.Fatal(err)
	}
	tr.on(
		"CreateFleet",
		answer(
			200,
			`<CreateFleetResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><fleetId>fleet-1</fleetId></CreateFleetResponse>`,
		),
	)
	c := claim(
		"general-1",
		"placed",
		append(slices.Clone(onDemandAMD64), oneOf(awsv1.LabelPlacementGroupPartition, "5"))...)
	order := b.orderFor(t, c)
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Fatalf("the answer is empty, and Launch gave %v", err)
	}
	made := tr.asked["CreateLaunchTemplate"]
	last := made[len(made)-1]
	if id, partition := last.Get(
		"LaunchTemplateData.Placement.GroupId",
	), last.Get(
		"LaunchTemplateData.Placement.PartitionNumber",
	); id != "pg-1" ||
		partition != "5" {
		t.Errorf("the template places instances in %q, partition %q", id, partition)
	}
}

func TestAPlacementGroupThatIsNotThere(t *testing.T) {
	t.Parallel()
	b, tr := placed(t, answer(200, noGroups))
	if err := b.resolve(t, "placed"); err != nil {
		t.Fatal(err)
	}
	got := condition.Get(b.classNamed(t, "placed"), awsv1.ConditionPlacementGroupReady)
	if got.Reason != awsv1.ReasonPlacementGroupNotFound {
		t.Errorf("reason %s", got.Reason)
	}
	if _, err := b.InstanceTypes(t.Context(), ref("placed")); !errors.Is(err, provider.ErrClassNotReady) {
		t.Errorf("InstanceTypes: %v, want ErrClassNotReady", err)
	}
	tr.on("DescribePlacementGroups", answer(200, groups("cluster", "")))
	b.clock.Step(2 * time.Minute)
	if err := b.resolve(t, "placed"); err != nil || !ready(b.classNamed(t, "placed")) {
		t.Errorf("the group is there now: %v", err)
	}

	// EC2 fails: the group that was known is used for a day.
	tr.on("DescribePlacementGroups", refusal(503, "RequestLimitExceeded"))
	b.clock.Step(2 * time.Minute)
	if err := b.resolve(t, "placed"); err != nil || !ready(b.classNamed(t, "placed")) {
		t.Errorf("a throttled call makes the class unready: %v", err)
	}

	// After a restart nothing is known, and to launch outside of the group would be wrong.
	b.restart(t)
	if _, err := b.InstanceTypes(t.Context(), ref("placed")); !errors.Is(err, provider.ErrClassUndecided) {
		t.Errorf("InstanceTypes: %v, want ErrClassUndecided", err)
	}
	if err := b.resolve(t, "placed"); err == nil {
		t.Error("the caller has to come again soon")
	}
	if got := condition.Get(
		b.classNamed(t, "placed"),
		awsv1.ConditionPlacementGroupReady,
	); got.Reason != awsv1.ReasonPlacementGroupResolutionFailed ||
		!strings.Contains(got.Message, "RequestLimitExceeded") {
		t.Errorf("reason %s: %s", got.Reason, got.Message)
	}
}

func TestASpreadGroupThatIsFullInAZone(t *testing.T) {
	t.Parallel()
	b, tr := placed(t, answer(200, groups("spread", "")))
	if err := b.resolve(t, "placed"); err != nil {
		t.Fatal(err)
	}
	tr.on(
		"CreateFleet",
		answer(
			200,
			`<CreateFleetResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><fleetId>fleet-1</fleetId><errorSet><item>
<errorCode>InstanceLimitExceeded</errorCode><errorMessage>You have exceeded the number of instances per Availability Zone in a spread placement group.</errorMessage>
<launchTemplateAndOverrides><overrides><instanceType>m5.large</instanceType><availabilityZone>us-east-1a</availabilityZone></overrides></launchTemplateAndOverrides>
</item></errorSet></CreateFleetResponse>`,
		),
	)
	order := b.orderFor(
		t,
		claim(
			"general-1",
			"placed",
			append(slices.Clone(onDemandAMD64), oneOf(shape.LabelInstanceType, "m5.large"))...),
	)
	if _, err := b.Launch(t.Context(), order); !errors.Is(err, provider.ErrNoCapacity) {
		t.Errorf("got %v, want ErrNoCapacity: another zone has room", err)
	}
	for _, o := range b.available(t, "placed", shape.OnDemand) {
		if strings.HasSuffix(o, "/us-east-1a") {
			t.Fatalf("%s is on offer, and the group is full there", o)
		}
	}
	if len(b.available(t, "placed", shape.OnDemand)) == 0 ||
		len(b.available(t, "default", shape.OnDemand)) < len(b.available(t, "placed", shape.OnDemand)) {
		t.Error("other zones, and classes outside of the group, are not full")
	}
}

func TestDriftFromAPlacementGroup(t *testing.T) {
	t.Parallel()
	b, _ := placed(t, answer(200, groups("cluster", "")))
	if err := b.resolve(t, "placed"); err != nil {
		t.Fatal(err)
	}
	c := b.launchedClaim(t)
	*c.Spec.NodeClassRef = ref("placed")
	stamp, err := b.Class(t.Context(), ref("placed"))
	if err != nil {
		t.Fatal(err)
	}
	c.Annotations = stamp.Stamp
	if got, err := b.Drift(t.Context(), c); err != nil || got != DriftPlacement {
		t.Errorf("an instance outside of the group: %q, %v, want %s", got, err, DriftPlacement)
	}
}
