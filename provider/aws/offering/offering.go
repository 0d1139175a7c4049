// Package offering says where and how instance types can be bought just now, and for how
// much: each type in each zone that has a subnet, on demand and on the spot market.
//
// It also remembers what AWS had none of (Shortage). Offerings that cannot be had stay
// listed, not Available, so that explanations can count them.
package offering

import (
	"cmp"
	"slices"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Prices is what offerings need to know of prices.
type Prices interface {
	OnDemand(instanceType string) (shape.Money, bool)
	Spot(instanceType, zone string) (shape.Money, bool)
}

// Market is where types are bought.
type Market struct {
	// ZoneIDs are the zones with a subnet, by name.
	ZoneIDs map[string]string

	// Sold lists the zones in which AWS offers each type.
	Sold map[string][]string

	Prices   Prices
	Shortage *Shortage
}

// Put adds offerings to a type that has none, and the labels that follow from them. usable is
// false for types that the class's nodes cannot be of: they are listed, and not available.
// Types that are sold in none of the zones get no offerings.
func (m Market) Put(it *shape.InstanceType, usages []ec2types.UsageClassType, usable bool) {
	var zones, ids, capacityTypes []string
	for _, zone := range m.Sold[it.Name] {
		id, ok := m.ZoneIDs[zone]
		if !ok {
			continue
		}
		zones = append(zones, zone)
		if id != "" {
			ids = append(ids, id)
		}
		for _, usage := range usages {
			o, ok := m.offering(it.Name, zone, usage)
			if !ok {
				continue
			}
			o.Available = o.Available && usable
			if id != "" {
				o.Extra = []shape.Label{{Key: awsv1.LabelTopologyZoneID, Value: id}}
			}
			it.Offerings = append(it.Offerings, o)
			capacityTypes = append(capacityTypes, o.CapacityType)
		}
	}
	it.Requirements = append(it.Requirements,
		in(shape.LabelZone, zones), in(awsv1.LabelTopologyZoneID, ids), in(shape.LabelCapacityType, capacityTypes))
	slices.SortFunc(it.Requirements, func(a, b shape.Requirement) int { return cmp.Compare(a.Key, b.Key) })
}

// offering is false for usage classes that are bought otherwise, such as capacity blocks.
func (m Market) offering(name, zone string, usage ec2types.UsageClassType) (shape.Offering, bool) {
	o := shape.Offering{Zone: zone}
	switch usage {
	case ec2types.UsageClassTypeOnDemand:
		o.CapacityType = shape.OnDemand
		o.Price, o.Available = m.Prices.OnDemand(name)
	case ec2types.UsageClassTypeSpot:
		o.CapacityType = shape.Spot
		o.Price, o.Available = m.Prices.Spot(name, zone)
	default:
		return o, false
	}
	o.Available = o.Available && !m.Shortage.Has(o.CapacityType, name, zone)
	return o, true
}

func in(key string, values []string) shape.Requirement {
	if len(values) == 0 {
		return shape.Requirement{Key: key, Operator: shape.DoesNotExist}
	}
	slices.Sort(values)
	return shape.Requirement{Key: key, Operator: shape.In, Values: slices.Compact(values)}
}
