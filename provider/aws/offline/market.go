package offline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/utils/clock"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
)

// memoryOverhead is the share of memory that hypervisor and kernel take: the controller's default.
const memoryOverhead = 0.075

// Types lists what a region sells, as nodes of the class for its NodePools, ascending by name. Notes are what was
// assumed of the class or left out, one clause each that the class is the subject of. The error names the regions that
// are known.
func (a Account) Types(
	region string,
	class *awsv1.EC2NodeClass,
	pools ...*karpenterv1.NodePool,
) (out []*shape.InstanceType, notes []string, err error) {
	r, ok := catalog.LookupRegion(region)
	if !ok {
		var known []string
		for _, r := range catalog.Regions() {
			known = append(known, r.Name)
		}
		return nil, nil, fmt.Errorf("region %q is not in the catalogue; it has %s", region, strings.Join(known, ", "))
	}
	stock, notes, err := a.stock(class)
	if err != nil {
		return nil, nil, err
	}
	base := setupOf(region, class)
	base.PrefixDelegation = a.PrefixDelegation
	names := zoneNames(r)
	market := offering.Market{
		ZoneIDs:  reachable(class, names),
		Prices:   prices{region},
		Shortage: offering.NewShortage(clock.RealClock{}),
	}
	if slices.ContainsFunc(pools, offering.AsksDedicated) {
		// the catalogue has no such prices
		market.Dedicated = func(string, string) (shape.Money, bool) { return 0, false }
	}
	goods := sold(region, names)
	notes = append(notes, stock.take(&market, goods)...)
	market.Sold = goods.zones
	if wrong := kubelet.Judge(class.Spec.Kubelet, class.AMIFamily(), true); wrong != nil {
		notes = append(notes, "would not be ready: "+wrong.Message)
	}
	var unfit []error
	for _, info := range goods.types {
		setup, err := base.For(info)
		if err != nil {
			unfit = append(unfit, err)
			continue
		}
		it := instancetype.New(info, setup)
		market.Put(it, usages(region, it.Name), hasImage(class, it) && instancetype.Supported(info, class))
		if len(it.Offerings) > 0 {
			out = append(out, it)
		}
	}
	if len(unfit) > 0 {
		notes = append(
			notes,
			fmt.Sprintf(
				"has expressions in its kubelet configuration that give nothing for %d instance types, which are left "+
					"out: %v",
				len(unfit),
				unfit[0],
			),
		)
	}
	return out, notes, nil
}

// goods are the types that may be bought.
type goods struct {
	types []ec2types.InstanceTypeInfo
	zones map[string][]string // by type
}

// has reports whether a type is among the goods, and puts it there if the catalogue knows it from elsewhere.
func (g *goods) has(name string) bool {
	if g.zones[name] != nil {
		return true
	}
	t, ok := catalog.Lookup(name)
	if !ok || !g.add(t) {
		return false
	}
	slices.SortFunc(
		g.types,
		func(a, b ec2types.InstanceTypeInfo) int { return cmp.Compare(a.InstanceType, b.InstanceType) },
	)
	return true
}

// add adds a type that is sold in no zone yet; false if no node runs on it.
func (g *goods) add(t *catalog.Type) bool {
	info, ok := Describe(t)
	if ok {
		g.types, g.zones[t.Name] = append(g.types, info), []string{}
	}
	return ok
}

// sold are the types of a region, and the zones of each by name.
func sold(region string, names map[string]string) *goods {
	out := &goods{zones: map[string][]string{}}
	for _, t := range catalog.Offered(region) {
		if !out.add(t) {
			continue
		}
		for _, id := range catalog.ZoneIDs(region, t.Name) {
			out.zones[t.Name] = append(out.zones[t.Name], names[id])
		}
		for _, group := range catalog.LocalZones(region) {
			if len(catalog.ZoneIDs(group.Name, t.Name)) > 0 {
				out.zones[t.Name] = append(out.zones[t.Name], group.LocalZoneNames()...)
			}
		}
	}
	return out
}

// hasImage reports whether nodes of the class have an image to start from: one of those that its status has, or else
// one of its family. AMIs that the class chooses itself may be anything.
func hasImage(class *awsv1.EC2NodeClass, it *shape.InstanceType) bool {
	if len(class.Status.AMIs) > 0 {
		_, has := image.For(class.Status.AMIs, it)
		return has
	}
	if _, byAlias := class.Alias(); !byAlias && len(class.Spec.AMISelectorTerms) > 0 {
		return true
	}
	return image.Serves(class.AMIFamily(), it)
}

func setupOf(region string, class *awsv1.EC2NodeClass) instancetype.Setup {
	said, _ := kubelet.Parse(
		class.Spec.Kubelet,
	) // a controller would say in the class's condition what does not parse
	s := instancetype.Setup{
		Region:            region,
		Family:            class.AMIFamily(),
		Kubelet:           said,
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
