package offline_test

import (
	"slices"
	"testing"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/offline"
)

func find(t *testing.T, types []*shape.InstanceType, name string) *shape.InstanceType {
	t.Helper()
	i := slices.IndexFunc(types, func(it *shape.InstanceType) bool { return it.Name == name })
	if i < 0 {
		t.Fatalf("no %s among %d types", name, len(types))
	}
	return types[i]
}

func TestTypesLookLikeTheLiveProviders(t *testing.T) {
	t.Parallel()
	types, _, err := offline.Account{}.Types("us-east-1", &awsv1.EC2NodeClass{})
	if err != nil {
		t.Fatal(err)
	}
	m5 := find(t, types, "m5.large")
	if m5.Capacity.CPU != 2000 || m5.Capacity.Pods != 29 || m5.Allocatable.CPU != 1930 {
		t.Errorf(
			"m5.large has %+v, allocatable %+v; want 2 cores, 29 pods, 1930m allocatable",
			m5.Capacity,
			m5.Allocatable,
		)
	}
	want := shape.Requirement{Key: awsv1.LabelInstanceCategory, Values: []string{"m"}}
	if !slices.ContainsFunc(m5.Requirements, func(r shape.Requirement) bool {
		return r.Key == want.Key && slices.Equal(r.Values, want.Values)
	}) {
		t.Errorf("m5.large lacks %v in %v", want, m5.Requirements)
	}
	for _, o := range m5.Offerings {
		if o.CapacityType == shape.OnDemand && o.Price != 96_000 {
			t.Errorf("m5.large costs %s on demand in %s, want 0.0960", o.Price, o.Zone)
		}
	}
}

func TestASubnetIsWhereNodesAre(t *testing.T) {
	t.Parallel()
	class := &awsv1.EC2NodeClass{}
	class.Status.Subnets = []awsv1.Subnet{{ID: "subnet-1", Zone: "us-east-1c", ZoneID: "use1-az1"}}
	types, _, err := offline.Account{}.Types("us-east-1", class)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range find(t, types, "m5.large").Offerings {
		if o.Zone != "us-east-1c" {
			t.Errorf("an offering in %s, where there is no subnet", o.Zone)
		}
	}
}

// A simulated NodePool that requires dedicated machines has some to choose from.
func TestDedicatedMachinesAreSoldToPoolsThatAskForThem(t *testing.T) {
	t.Parallel()
	pool := &karpenterv1.NodePool{}
	pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
		{Key: awsv1.LabelInstanceTenancy, Operator: "In", Values: []string{"dedicated"}},
	}
	for want, pools := range map[bool][]*karpenterv1.NodePool{true: {pool}, false: {{}}} {
		types, _, err := offline.Account{}.Types("us-east-1", &awsv1.EC2NodeClass{}, pools...)
		if err != nil {
			t.Fatal(err)
		}
		got := slices.ContainsFunc(find(t, types, "m5.large").Offerings, func(o shape.Offering) bool {
			tenancy, _ := shape.LabelValue(o.Extra, awsv1.LabelInstanceTenancy)
			return tenancy == "dedicated" && o.Price > 96_000
		})
		if got != want {
			t.Errorf("a dedicated m5.large is sold: %v, want %v", got, want)
		}
	}
}

func TestAnUnknownRegionIsNamed(t *testing.T) {
	t.Parallel()
	var none offline.Account
	if _, _, err := none.Types("us-east-9", &awsv1.EC2NodeClass{}); err == nil {
		t.Error("no error for region us-east-9")
	}
}
