package census

import (
	"slices"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// stall is where offerings are sold that metrics do not tell apart, such as two reservations of one type in one zone.
type stall struct{ instanceType, capacityType, zone string }

// sale is what one of them comes to: whether there is any, and for how little.
type sale struct {
	available bool
	price     shape.Money
}

// market sets what pools can buy. There are thousands of series, so they are set anew only when a pool is offered
// something else than before.
func (c *Census) market(pools []karpenterv1.NodePool) {
	if c.Offered == nil {
		return
	}
	names := make([]string, len(pools))
	for i := range pools {
		names[i] = pools[i].Name
	}
	slices.Sort(names)
	var offers []*translate.Offer
	for _, name := range names {
		if o := c.Offered(name); o != nil {
			offers = append(offers, o)
		}
	}
	if slices.Equal(offers, c.offers) {
		return
	}
	c.offers = offers

	types, sales := collect(offers)
	m := c.Metrics.Cloud
	m.TypeCPU.Reset()
	m.TypeMemory.Reset()
	for name, capacity := range types {
		m.TypeCPU.WithLabelValues(name).Set(float64(capacity.CPU) / 1000)
		m.TypeMemory.WithLabelValues(name).Set(float64(capacity.Memory))
	}
	m.OfferingAvailable.Reset()
	m.OfferingPrice.Reset()
	for at, s := range sales {
		available := 0.0
		if s.available {
			available = 1
		}
		m.OfferingAvailable.WithLabelValues(at.instanceType, at.capacityType, at.zone).Set(available)
		m.OfferingPrice.WithLabelValues(at.instanceType, at.capacityType, at.zone).Set(s.price.Float())
	}
}

// collect puts what pools are offered together. Where they differ, as classes may in the memory of a type, the larger
// capacity and the lower price stand.
func collect(offers []*translate.Offer) (types map[string]shape.Vector, sales map[stall]sale) {
	types, sales = map[string]shape.Vector{}, map[stall]sale{}
	for _, offer := range offers {
		for _, t := range offer.Types {
			old := types[t.Name]
			types[t.Name] = shape.Vector{CPU: max(old.CPU, t.Capacity.CPU), Memory: max(old.Memory, t.Capacity.Memory)}
			for i := range t.Offerings {
				o := &t.Offerings[i]
				at := stall{t.Name, o.CapacityType, o.Zone}
				s, known := sales[at]
				if !known || o.Price < s.price {
					s.price = o.Price
				}
				s.available = s.available || o.Available
				sales[at] = s
			}
		}
	}
	return types, sales
}
