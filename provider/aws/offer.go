package aws

import (
	"context"
	"fmt"
	"maps"
	"slices"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/image"
	"github.com/dovetail-sh/dovetail/provider/aws/instancetype"
	"github.com/dovetail-sh/dovetail/provider/aws/inventory"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
	"github.com/dovetail-sh/dovetail/provider/aws/selector"
)

// offers is what can be launched from a class. It holds for as long as key stays the same.
type offers struct {
	key   string
	types []*shape.InstanceType
}

// InstanceTypes lists what the region sells, as nodes of the class. It is worked out again
// only when the class, the prices, the inventory or what is sold out has changed.
func (c *catalogue) InstanceTypes(
	ctx context.Context,
	ref karpenterv1.NodeClassReference,
) ([]*shape.InstanceType, error) {
	class, err := c.classes.readyClass(ctx, ref)
	if err != nil {
		return nil, err
	}
	return c.offersOf(ctx, class)
}

func (c *catalogue) offersOf(ctx context.Context, class *awsv1.EC2NodeClass) ([]*shape.InstanceType, error) {
	sold, err := c.inventory.List(ctx)
	if err != nil {
		return nil, err
	}
	dedicated, err := c.classes.asksDedicated(ctx, class)
	if err != nil {
		return nil, err
	}
	market := c.market(class, sold)
	if dedicated {
		market.Dedicated = c.prices.Dedicated
	}
	key := c.offersKey(class, sold, market)
	if types, ok := c.worked(class.Name, key); ok {
		return types, nil
	}
	// In a burst of launches many ask at once after each shortage.
	got, _, _ := c.working.Do(key, func() (any, error) {
		if types, ok := c.worked(class.Name, key); ok {
			return types, nil
		}
		types := c.work(class, sold, market)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.offers[class.Name] = offers{key, types}
		return types, nil
	})
	types, _ := got.([]*shape.InstanceType) // always is
	return types, nil
}

// worked are the offers of a class if they were worked out under this key.
func (c *catalogue) worked(class, key string) ([]*shape.InstanceType, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.offers[class]
	return known.types, ok && known.key == key
}

// offersKey holds everything that work depends on.
func (c *catalogue) offersKey(class *awsv1.EC2NodeClass, sold *inventory.List, m offering.Market) string {
	var shut []string
	for _, zone := range slices.Sorted(maps.Keys(m.ZoneIDs)) {
		if m.Shut(zone) {
			shut = append(shut, zone)
		}
	}
	return fmt.Sprintf(
		"%s/%d/%t/%d/%d/%d/%d/%d/%s",
		class.UID,
		class.Generation,
		m.Dedicated != nil,
		sold.Revision,
		c.prices.Revision(),
		c.shortage.Revision(),
		c.memory.changes(),
		c.reserved.Revision(),
		selector.Key(
			[]any{
				class.Status.AMIs,
				m.ZoneIDs,
				class.Status.CapacityReservations,
				m.Group,
				shut,
				c.cluster.delegatesPrefixes(),
			},
		),
	)
}

// market is where the class's nodes are bought just now.
func (c *catalogue) market(class *awsv1.EC2NodeClass, sold *inventory.List) offering.Market {
	group, _ := c.placement.Known(class.Spec.PlacementGroupSelector) // the class is not ready while it is unknown
	open := c.subnets.ByZone(c.knownSubnets(class))
	return offering.Market{
		ZoneIDs: zoneIDs(class), Sold: sold.Zones, Prices: c.prices, Shortage: c.shortage,
		Reserved: class.Status.CapacityReservations, Left: c.reserved.Left,
		Usable: c.reserved.Usable, Own: c.reserved.Own, Group: group,
		Shut: func(zone string) bool {
			_, ok := open[zone]
			return !ok || c.shifts.Away(zoneIDs(class)[zone])
		},
	}
}

func (c *catalogue) work(
	class *awsv1.EC2NodeClass,
	sold *inventory.List,
	market offering.Market,
) []*shape.InstanceType {
	base := c.setup(class)
	out := make([]*shape.InstanceType, 0, len(sold.Types))
	for _, info := range sold.Types {
		setup, err := base.For(info)
		if err != nil {
			continue // the class's condition names the type
		}
		it := instancetype.New(info, setup)
		ami, hasImage := image.For(class.Status.AMIs, it)
		if seen := c.memory.of(it.Name, ami.ID); seen > 0 {
			it = instancetype.New(info, setup.WithMemory(seen))
		}
		market.Put(
			it,
			info.SupportedUsageClasses,
			hasImage && instancetype.Supported(info, class) && market.Group.Takes(info),
		)
		if len(it.Offerings) > 0 {
			out = append(out, it)
		}
	}
	return out
}

func (c *catalogue) setup(class *awsv1.EC2NodeClass) instancetype.Setup {
	said, _ := kubelet.Parse(class.Spec.Kubelet) // what does not parse is told in the class's condition
	return instancetype.Setup{
		Region:            c.region,
		Family:            class.AMIFamily(),
		Kubelet:           said,
		BlockDevices:      blockDevices(class),
		InstanceStore:     class.Spec.InstanceStorePolicy,
		NetworkInterfaces: class.Spec.NetworkInterfaces,
		ReservedENIs:      c.settings.ReservedENIs,
		PrefixDelegation:  c.cluster.delegatesPrefixes(),
		MemoryOverhead:    c.settings.VMMemoryOverheadPercent,
	}
}

// zoneIDs are the zones with a subnet, by name.
func zoneIDs(class *awsv1.EC2NodeClass) map[string]string {
	out := map[string]string{}
	for _, s := range class.Status.Subnets {
		out[s.Zone] = s.ZoneID
	}
	return out
}

// blockDevices are the class's disks, else those that its images need.
func blockDevices(class *awsv1.EC2NodeClass) []awsv1.BlockDeviceMapping {
	if len(class.Spec.BlockDeviceMappings) > 0 {
		return class.Spec.BlockDeviceMappings
	}
	return launchtemplate.DefaultBlockDevices(class.AMIFamily())
}
