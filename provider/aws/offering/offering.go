// Package offering says where and how instance types can be bought just now, and for how
// much: each type in each zone that has a subnet, on demand and on the spot market.
//
// It also remembers what AWS had none of (Shortage). Offerings that cannot be had stay
// listed, not Available, so that explanations can count them.
package offering

import (
	"cmp"
	"slices"
	"strconv"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// reservedDiscount divides the on-demand price of what is reserved. Dearer types stay dearer,
// and any reservation is cheaper than any spot instance.
const reservedDiscount = 100_000

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

	// Reserved are the capacity reservations that may be launched into, and Left tells how
	// many instances each still takes.
	Reserved []awsv1.CapacityReservation
	Left     func(id string) int32
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
		for _, r := range m.Reserved {
			if r.InstanceType == it.Name && r.AvailabilityZone == zone {
				it.Offerings = append(it.Offerings, m.reserved(r, id, usable))
				capacityTypes = append(capacityTypes, shape.Reserved)
			}
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

// reserved is the offering of a reservation. It is paid for already, so it costs next to
// nothing; next to nothing rather than nothing, so that fewer and smaller machines still win.
func (m Market) reserved(r awsv1.CapacityReservation, zoneID string, usable bool) shape.Offering {
	left := m.Left(r.ID)
	price, _ := m.Prices.OnDemand(r.InstanceType)
	labels := map[string]string{
		awsv1.LabelCapacityReservationID:            r.ID,
		awsv1.LabelCapacityReservationType:          string(r.ReservationType),
		awsv1.LabelCapacityReservationInterruptible: strconv.FormatBool(r.Interruptible),
	}
	if zoneID != "" {
		labels[awsv1.LabelTopologyZoneID] = zoneID
	}
	return shape.Offering{
		Zone:         r.AvailabilityZone,
		CapacityType: shape.Reserved,
		Extra:        shape.LabelsOf(labels),
		Price:        max(price/reservedDiscount, 1),
		Available:    usable && left > 0 && r.State != awsv1.CapacityReservationStateExpiring,
		Remaining:    left,
		Reservation:  r.ID,
	}
}

func in(key string, values []string) shape.Requirement {
	if len(values) == 0 {
		return shape.Requirement{Key: key, Operator: shape.DoesNotExist}
	}
	slices.Sort(values)
	return shape.Requirement{Key: key, Operator: shape.In, Values: slices.Compact(values)}
}
