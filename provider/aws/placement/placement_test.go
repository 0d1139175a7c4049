package placement

import (
	"context"
	"errors"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	testclock "k8s.io/utils/clock/testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

// region has the groups that are set, and counts questions.
type region struct {
	groups []ec2types.PlacementGroup
	err    error
	asked  int
}

func (r *region) DescribePlacementGroups(
	context.Context, *ec2.DescribePlacementGroupsInput, ...func(*ec2.Options),
) (*ec2.DescribePlacementGroupsOutput, error) {
	r.asked++
	return &ec2.DescribePlacementGroupsOutput{PlacementGroups: r.groups}, r.err
}

func named(name string) *awsv1.PlacementGroupSelector {
	return &awsv1.PlacementGroupSelector{Name: &name}
}

func open() (*Finder, *region, *testclock.FakeClock) {
	r := &region{groups: []ec2types.PlacementGroup{{
		GroupId: awssdk.String("pg-1"), GroupName: awssdk.String("g"), Strategy: ec2types.PlacementStrategyPartition,
		PartitionCount: awssdk.Int32(3),
	}}}
	clock := testclock.NewFakeClock(time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC))
	return New(r, clock), r, clock
}

// A launch outside of the group that a user chose is never right: while EC2 fails, the group counts as it was.
func TestAGroupIsKeptWhileEC2Fails(t *testing.T) {
	t.Parallel()
	f, r, clock := open()
	want := Group{ID: "pg-1", Name: "g", Strategy: ec2types.PlacementStrategyPartition, Partitions: 3}
	find := func(what string) {
		t.Helper()
		got, err := f.Find(t.Context(), named("g"))
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got\n%s", what, diff)
		}
	}
	find("at first")
	find("again")
	if r.asked != 1 {
		t.Errorf("asked %d times within a minute", r.asked)
	}
	r.err = errors.New("throttled")
	clock.Step(23 * time.Hour)
	find("while EC2 fails")
	clock.Step(2 * time.Hour)
	if g, err := f.Find(t.Context(), named("g")); err == nil {
		t.Errorf("a day later it is still %v", g)
	}
}

// A group that is gone is gone at once, however long it was known.
func TestAGroupThatIsGone(t *testing.T) {
	t.Parallel()
	f, r, clock := open()
	if _, err := f.Find(t.Context(), named("g")); err != nil {
		t.Fatal(err)
	}
	if _, ok := f.Known(named("g")); !ok {
		t.Error("what was found is not known")
	}
	r.groups = nil
	clock.Step(keep)
	if g, err := f.Find(t.Context(), named("g")); !errors.Is(err, ErrNotFound) {
		t.Errorf("found %v, %v", g, err)
	}
	if g, ok := f.Known(named("g")); ok {
		t.Errorf("still known as %v", g)
	}
}

func TestNoSelectorIsNoGroup(t *testing.T) {
	t.Parallel()
	f, r, _ := open()
	g, err := f.Find(t.Context(), nil)
	if known, ok := f.Known(nil); err != nil || g != (Group{}) || known != (Group{}) || !ok || r.asked != 0 {
		t.Errorf("%v, %v, known as %v, after %d questions", g, err, known, r.asked)
	}
}

func TestLabelsAndTypesOfAGroup(t *testing.T) {
	t.Parallel()
	info := ec2types.InstanceTypeInfo{PlacementGroupInfo: &ec2types.PlacementGroupInfo{
		SupportedStrategies: []ec2types.PlacementGroupStrategy{ec2types.PlacementGroupStrategySpread},
	}}
	for name, c := range map[string]struct {
		group  Group
		labels []map[string]string
		takes  bool
	}{
		"none": {Group{}, []map[string]string{nil}, true},
		"spread": {Group{ID: "pg-1", Strategy: ec2types.PlacementStrategySpread},
			[]map[string]string{{awsv1.LabelPlacementGroupID: "pg-1"}}, true},
		"cluster": {Group{ID: "pg-1", Strategy: ec2types.PlacementStrategyCluster},
			[]map[string]string{{awsv1.LabelPlacementGroupID: "pg-1"}}, false},
		"partition": {Group{ID: "pg-1", Strategy: ec2types.PlacementStrategyPartition, Partitions: 2},
			[]map[string]string{
				{awsv1.LabelPlacementGroupID: "pg-1", awsv1.LabelPlacementGroupPartition: "1"},
				{awsv1.LabelPlacementGroupID: "pg-1", awsv1.LabelPlacementGroupPartition: "2"},
			}, false},
	} {
		if diff := cmp.Diff(c.labels, c.group.Labels()); diff != "" {
			t.Errorf("%s: labels, -want +got\n%s", name, diff)
		}
		if got := c.group.Takes(info); got != c.takes {
			t.Errorf("%s: takes the type is %t", name, got)
		}
	}
}
