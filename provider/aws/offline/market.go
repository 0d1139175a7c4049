package offline

import (
	"fmt"
	"slices"
	"strings"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
)

// memoryOverhead is the share of memory that hypervisor and kernel take: the controller's default.
const memoryOverhead = 0.075

// Types lists what a region sells, as nodes of the class for its NodePools, ascending by name. The error names the
// regions that are known.
func Types(region string, class *awsv1.EC2NodeClass, pools ...*karpenterv1.NodePool) ([]*shape.InstanceType, error) {
	r, ok := catalog.LookupRegion(region)
	if !ok {
		var known []string
		for _, r := range catalog.Regions() {
			known = append(known, r.Name)
		}
		return nil, fmt.Errorf("region %q is not in the catalogue; it has %s", region, strings.Join(known, ", "))
	}
	setup := setupOf(region, class)
	names := zoneNames(r)
	market := offering.Market{
		ZoneIDs:  reachable(class, names),
		Sold:     map[string][]string{},
		Prices:   prices{region},
		Shortage: offering.NewShortage(clock.RealClock{}),
	}
	if slices.ContainsFunc(pools, offering.AsksDedicated) {
		market.Dedicated = func(string, string) (shape.Money, bool) { return 0, false } // the catalogue has no such prices
	}
	var out []*shape.InstanceType
	for _, t := range catalog.Offered(region) {
		info, ok := describe(t)
		if !ok {
			continue
		}
		for _, id := range catalog.ZoneIDs(region, t.Name) {
			market.Sold[t.Name] = append(market.Sold[t.Name], names[id])
		}
		for _, group := range catalog.LocalZones(region) {
			if len(catalog.ZoneIDs(group.Name, t.Name)) > 0 {
				market.Sold[t.Name] = append(market.Sold[t.Name], group.LocalZoneNames()...)
			}
		}
		it := instancetype.New(info, setup)
		market.Put(it, usages(region, t.Name), instancetype.Supported(info, class))
		if len(it.Offerings) > 0 {
			out = append(out, it)
		}
	}
	return out, nil
}

func setupOf(region string, class *awsv1.EC2NodeClass) instancetype.Setup {
	s := instancetype.Setup{
		Region:            region,
		Family:            class.AMIFamily(),
		Kubelet:           class.Spec.Kubelet,
		BlockDevices:      class.Spec.BlockDeviceMappings,
		InstanceStore:     class.Spec.InstanceStorePolicy,
		NetworkInterfaces: class.Spec.NetworkInterfaces,
		MemoryOverhead:    memoryOverhead,
	}
	if len(s.BlockDevices) == 0 {
		s.BlockDevices = launchtemplate.DefaultBlockDevices(s.Family)
	}
	return s
}

// zoneNames are the zones' names by ID, lettered in the order of their IDs.
func zoneNames(r catalog.Region) map[string]string {
	out := make(map[string]string, len(r.ZoneIDs))
	for i, id := range r.ZoneIDs {
		out[id] = r.Name + string(rune('a'+i))
	}
	return out
}

// reachable are the zones with a subnet, IDs by name.
func reachable(class *awsv1.EC2NodeClass, names map[string]string) map[string]string {
	out := map[string]string{}
	for _, s := range class.Status.Subnets {
		if s.ZoneID == "" || names[s.ZoneID] == "" {
			out[s.Zone] = s.ZoneID
			continue
		}
		// The account's letters count: names is changed to what it calls the zone.
		names[s.ZoneID] = s.Zone
		out[s.Zone] = s.ZoneID
	}
	if len(out) == 0 {
		for id, name := range names {
			out[name] = id
		}
	}
	return out
}

func usages(region, name string) []ec2types.UsageClassType {
	var out []ec2types.UsageClassType
	if _, ok := catalog.OnDemand(region, name); ok {
		out = append(out, ec2types.UsageClassTypeOnDemand)
	}
	if _, ok := catalog.Spot(region, name); ok {
		out = append(out, ec2types.UsageClassTypeSpot)
	}
	return slices.Clip(out)
}

// prices are the catalogue's in one region.
type prices struct{ region string }

// OnDemand is the on-demand price.
func (p prices) OnDemand(name, zone string) (shape.Money, bool) {
	price, ok := catalog.OnDemand(catalog.PricedAs(p.region, zone), name)
	return shape.Money(price), ok
}

// Spot is the region's average, in every zone; of Local Zones none was published.
func (p prices) Spot(name, zone string) (shape.Money, bool) {
	price, ok := catalog.Spot(catalog.PricedAs(p.region, zone), name)
	return shape.Money(price.Avg), ok
}
