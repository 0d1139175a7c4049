package aws

import (
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
)

const (
	bostonGroup = "us-east-1-bos-1"
	boston      = "us-east-1-bos-1a"
	bostonID    = "use1-bos1-az1"
)

// newBostonBench is an account with a subnet in Boston's Local Zone, and one type that is sold there.
func newBostonBench(t *testing.T) *bench {
	t.Helper()
	b := newBenchIn(t, []string{bostonGroup}, Settings{ClusterName: clusterName, VMMemoryOverheadPercent: 0.075})
	two := ec2types.Filter{Name: awssdk.String("instance-type"), Values: []string{"t3.medium", "t3.large"}}
	b.inventory = inventory.New(some{ec2.NewFromConfig(b.deps.Config), two})
	return b
}

// A Local Zone sells what EC2 lists there, at its own prices, and no spot where the market tells no price.
func TestALocalZoneSellsWhatItHasAtItsOwnPrice(t *testing.T) {
	t.Parallel()
	b := newBostonBench(t)
	inBoston := func(name string) []shape.Offering {
		t.Helper()
		types, err := b.InstanceTypes(t.Context(), ref("default"))
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(types, func(it *shape.InstanceType) bool { return it.Name == name })
		return slices.DeleteFunc(
			slices.Clone(types[i].Offerings),
			func(o shape.Offering) bool { return o.Zone != boston },
		)
	}
	zone := []shape.Label{{Key: awsv1.LabelTopologyZoneID, Value: bostonID}}
	want := []shape.Offering{
		{Zone: boston, CapacityType: shape.OnDemand, Price: 52_000, Available: true, Extra: zone},
		{Zone: boston, CapacityType: shape.Spot, Extra: zone},
	}
	for _, when := range []string{"before prices were asked for", "after"} {
		if diff := cmp.Diff(want, inBoston("t3.medium")); diff != "" {
			t.Errorf("%s: -want +got\n%s", when, diff)
		}
		if got := inBoston("t3.large"); len(got) > 0 {
			t.Errorf("%s: t3.large, which Boston does not sell, is offered there: %v", when, got)
		}
		if err := b.refreshPrices(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got, _ := b.prices.OnDemand("t3.medium", "us-east-1a"); got != 41_600 {
		t.Errorf("t3.medium costs %s in the region, want 0.0416: a Local Zone's price is not the region's", got)
	}
}

// A claim for a Local Zone is launched in its subnet, and what EC2 tells of the instance later is the same.
func TestLaunchInALocalZone(t *testing.T) {
	t.Parallel()
	b := newBostonBench(t)
	order := b.orderFor(t, claim("edge-1", "default", oneOf(shape.LabelZone, boston)))
	m, err := b.Launch(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if m.Zone != boston || m.CapacityType != shape.OnDemand || m.Labels[awsv1.LabelTopologyZoneID] != bostonID ||
		m.Labels["topology.kubernetes.io/region"] != "us-east-1" {
		t.Errorf(
			"launched %s %s with labels %v, want on demand in %s of us-east-1",
			m.CapacityType,
			m.Zone,
			m.Labels,
			boston,
		)
	}
	again, err := b.Machine(t.Context(), m.ProviderID)
	if err != nil || again.Zone != boston {
		t.Errorf("EC2 tells of zone %q, %v", again.Zone, err)
	}
	subnets := b.classNamed(t, "default").Status.Subnets
	if !slices.ContainsFunc(subnets, func(s awsv1.Subnet) bool { return s.Zone == boston && s.ZoneID == bostonID }) {
		t.Errorf("the status lists subnets %v, want one in %s", subnets, boston)
	}
}
