// Package offering says where and how instance types can be bought just now, and for how
// much: each type in each zone that has a subnet, on demand and on the spot market.
//
// It also remembers what AWS had none of (Shortage). Offerings that cannot be had stay
// listed, not Available, so that explanations can count them.
package offering

import (
	"cmp"
	"maps"
	"slices"
	"strconv"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/placement"
)

// reservedDiscount divides the on-demand price of what is reserved. Dearer types stay dearer,
// and any reservation is cheaper than any spot instance.
const reservedDiscount = 100_000

// Prices is what offerings need to know of prices.
type Prices interface {
	OnDemand(instanceType, zone string) (shape.Money, bool)
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

	// Dedicated is the on-demand price of a type in a zone on hardware of the account's own; false if it is not known.
	// nil says that nobody asks for such machines: none are on offer then.
	Dedicated func(instanceType, zone string) (shape.Money, bool)

	// Shut reports zones in which nothing can be launched just now, because every subnet is full or traffic was shifted
	// away; nil for none.
	Shut func(zone string) bool

	// Group is where instances are placed; the zero Group is anywhere.
	Group placement.Group

	// Reserved are the capacity reservations that may be launched into. Left tells how many
	// instances each still takes, and Own which are of dedicated machines; nil for none.
	Reserved []awsv1.CapacityReservation

	// Usable tells whether EC2 launches into a reservation, however many are left in it; nil means into all.
	Usable func(id string) bool

	Left func(id string) int32
	Own  func(id string) bool
}

// Put adds offerings to a type that has none, and the labels that follow from them. usable is
// false for types that the class's nodes cannot be of: they are listed, and not available.
// Types that are sold in none of the zones get no offerings.
func (m Market) Put(it *shape.InstanceType, usages []ec2types.UsageClassType, usable bool) {
	var zones, ids, capacityTypes []string
	tenancy := m.tenancies(it.Name)
	for _, zone := range m.Sold[it.Name] {
		id, ok := m.ZoneIDs[zone]
		if !ok {
			continue
		}
		zones = append(zones, zone)
		if id != "" {
			ids = append(ids, id)
		}
		open := usable && (m.Shut == nil || !m.Shut(zone))
		for _, usage := range usages {
			for _, own := range m.sorts(it.Name) {
				o, ok := m.offering(it, zone, usage, own)
				if !ok {
					continue
				}
				o.Available = o.Available && open
				it.Offerings = append(it.Offerings, m.placed(o, id, tenancy.label(own))...)
				capacityTypes = append(capacityTypes, o.CapacityType)
			}
		}
		for _, r := range m.Reserved {
			if r.InstanceType == it.Name && r.AvailabilityZone == zone {
				it.Offerings = append(it.Offerings, m.placed(m.reserved(r, open), id, tenancy.label(m.own(r)))...)
				capacityTypes = append(capacityTypes, shape.Reserved)
			}
		}
	}
	it.Requirements = append(
		it.Requirements,
		in(
			shape.LabelZone,
			zones,
		),
		in(awsv1.LabelTopologyZoneID, ids),
		in(shape.LabelCapacityType, capacityTypes),
		in(awsv1.LabelInstanceTenancy, tenancy),
	)
	slices.SortFunc(it.Requirements, func(a, b shape.Requirement) int { return cmp.Compare(a.Key, b.Key) })
}

// placed gives an offering the labels of its zone, of its tenancy and of the placement group: one offering for each
// partition. Without a tenancy the type says it.
func (m Market) placed(o shape.Offering, zoneID, tenancy string) []shape.Offering {
	var out []shape.Offering
	for _, of := range m.Group.Labels() {
		labels := maps.Clone(of)
		if labels == nil {
			labels = map[string]string{}
		}
		for _, l := range o.Extra {
			labels[l.Key] = l.Value
		}
		if zoneID != "" {
			labels[awsv1.LabelTopologyZoneID] = zoneID
		}
		if tenancy != "" {
			labels[awsv1.LabelInstanceTenancy] = tenancy
		}
		next := o
		next.Extra = nil
		if len(labels) > 0 {
			next.Extra = shape.LabelsOf(labels)
		}
		out = append(out, next)
	}
	return out
}

// offering is false for usage classes that are bought otherwise, such as capacity blocks. own asks for dedicated
// machines.
func (m Market) offering(
	it *shape.InstanceType,
	zone string,
	usage ec2types.UsageClassType,
	own bool,
) (shape.Offering, bool) {
	o := shape.Offering{Zone: zone}
	switch usage {
	case ec2types.UsageClassTypeOnDemand:
		o.CapacityType = shape.OnDemand
		o.Price, o.Available = m.Prices.OnDemand(it.Name, zone)
	case ec2types.UsageClassTypeSpot:
		o.CapacityType = shape.Spot
		o.Price, o.Available = m.Prices.Spot(it.Name, zone)
	default:
		return o, false
	}
	if own && o.Available {
		o.Price = m.dedicated(o, it.Name)
	}
	pool := Pool{CapacityType: o.CapacityType, InstanceType: it.Name, Zone: zone, Group: m.Group.ID, Dedicated: own}
	o.Available = o.Available && !m.Shortage.Has(pool) &&
		!m.Shortage.Beyond(o.CapacityType, it.Name, it.Capacity.CPU/1000)
	return o, true
}

// reserved is the offering of a reservation. It is paid for already, so it costs next to
// nothing; next to nothing rather than nothing, so that fewer and smaller machines still win.
func (m Market) reserved(r awsv1.CapacityReservation, open bool) shape.Offering {
	left := m.Left(r.ID)
	price, _ := m.Prices.OnDemand(r.InstanceType, r.AvailabilityZone)
	return shape.Offering{
		Zone:         r.AvailabilityZone,
		CapacityType: shape.Reserved,
		Extra: shape.LabelsOf(map[string]string{
			awsv1.LabelCapacityReservationID:            r.ID,
			awsv1.LabelCapacityReservationType:          string(r.ReservationType),
			awsv1.LabelCapacityReservationInterruptible: strconv.FormatBool(r.Interruptible),
		}),
		Price: max(price/reservedDiscount, 1),
		Available: open && left > 0 && (m.Usable == nil || m.Usable(r.ID)) &&
			r.State != awsv1.CapacityReservationStateExpiring,
		Remaining:   left,
		Reservation: r.ID,
	}
}

func in(key string, values []string) shape.Requirement {
	if len(values) == 0 {
		return shape.Requirement{Key: key, Operator: shape.DoesNotExist}
	}
	slices.Sort(values)
	return shape.Requirement{Key: key, Operator: shape.In, Values: slices.Compact(values)}
}
