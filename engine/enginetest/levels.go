package enginetest

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// CheckLevels holds new nodes against the hard topology spread of their pods, over all domains in which a node could
// have been opened for one of these pods before the plan: a domain that the others left nothing for is a domain, too.
// It looks at classes alone of which nobody else is counted, and at keys other than the hostname.
func CheckLevels(s shape.Snapshot, d engine.Decision) error {
	c := &checker{s: s, d: d, pods: map[shape.PodID]*shape.Class{}}
	for i := range s.Pods {
		c.pods[s.Pods[i].ID] = s.Classes[s.Pods[i].Class]
	}
	seats := c.seats()
	for _, class := range s.Classes {
		for k := range class.Spread {
			sp := &class.Spread[k]
			if !sp.Hard || sp.Key == shape.LabelHostname || c.shared(seats, class, sp) {
				continue
			}
			if err := c.level(seats, class, sp); err != nil {
				return err
			}
		}
	}
	return nil
}

// shared reports whether a constraint counts pods of other classes, or pods that are put on nodes that are there.
func (c *checker) shared(seats []seat, class *shape.Class, sp *shape.Spread) bool {
	existing := map[string]bool{}
	for _, n := range c.s.Nodes {
		existing[n.Name] = true
	}
	for i := range seats {
		own := &seats[i]
		if require.Selects(sp.Selector, own.class.Labels) && (own.class != class || own.fresh && existing[own.node]) {
			return true
		}
	}
	return false
}

func (c *checker) level(seats []seat, class *shape.Class, sp *shape.Spread) error {
	count := map[string]int32{}
	for domain := range c.offered(class, sp.Key) {
		count[domain] = 0
	}
	fresh := map[string]bool{}
	for i := range seats {
		own := &seats[i]
		if domain, ok := shape.LabelValue(own.label, sp.Key); ok && require.Selects(sp.Selector, own.class.Labels) {
			count[domain]++
			fresh[domain] = fresh[domain] || own.fresh
		}
	}
	for domain, n := range count {
		for other, least := range count {
			if fresh[domain] && n-least > sp.MaxSkew {
				return fmt.Errorf(
					"%d pods of %v are in %s and %d in %s, skew %d is allowed", n, class.Labels, domain, least, other,
					sp.MaxSkew,
				)
			}
		}
	}
	return nil
}

// offered are the domains in which the pools could open a node for a pod of the class before the plan.
func (c *checker) offered(class *shape.Class, key string) map[string]bool {
	out := map[string]bool{}
	for _, p := range c.s.Pools {
		for _, i := range p.Types {
			it := c.s.Types[i]
			for k := range it.Offerings {
				o := &it.Offerings[k]
				if !o.Available || o.Reservation != "" && o.Remaining == 0 || !allowed(p, it) {
					continue
				}
				labels := c.labels(p, it, o, engine.NewNode{})
				b := &brute{c: c}
				if domain, ok := shape.LabelValue(labels, key); ok && b.holds(p, it, o, []*shape.Class{class}) {
					out[domain] = true
				}
			}
		}
	}
	return out
}

// allowed reports whether a pool's limits have room for a machine of a type.
func allowed(p *shape.Pool, it *shape.InstanceType) bool {
	for _, l := range p.Limits {
		need := it.Capacity.Get(l.Resource)
		if l.Resource == shape.LimitNodes {
			need = 1
		}
		if need > l.Max-l.Used {
			return false
		}
	}
	return true
}

// Scarce draws clusters with less to buy than pods want: one class of pods that must be spread over zones, a machine
// for each pod, and pools that share zones and have limits of their own.
func Scarce() *rapid.Generator[shape.Snapshot] {
	return rapid.Custom(func(t *rapid.T) shape.Snapshot {
		w := NewWorld()
		v := shape.Vector{CPU: 2000, Memory: 8 << 30, Pods: 10}
		it := shape.InstanceType{Name: "small", Capacity: v, Allocatable: v}
		for i, zone := range []string{"a", "b", "c"} {
			it.Offerings = append(it.Offerings, shape.Offering{
				Zone: zone, CapacityType: shape.OnDemand, Available: true, Price: shape.Money(1000 + 100*i),
			})
		}
		w.Type(it)
		for i := range rapid.IntRange(1, 3).Draw(t, "pools") {
			zones := rapid.SampledFrom([][]string{
				{"a"}, {"b"}, {"a", "b"}, {"b", "c"}, {"a", "b", "c"},
			}).Draw(t, "zones")
			limit := rapid.SampledFrom([]shape.Limit{
				{Resource: shape.LimitNodes}, {Resource: shape.CPU}, {Resource: shape.Memory},
			}).Draw(t, "limit")
			limit.Max = rapid.Int64Range(0, 5).Draw(t, "machines") * max(v.Get(limit.Resource), 1)
			w.Pool(shape.Pool{
				Name: fmt.Sprintf(
					"pool%d", i,
				), Weight: rapid.Int32Range(0, 1).Draw(t, "weight"), Limits: []shape.Limit{limit},
				Requirements: []shape.Requirement{{Key: shape.LabelZone, Values: zones}},
			})
		}
		web := shape.Class{
			Namespace: "default", Labels: []shape.Label{{Key: "app", Value: "web"}},
			Requests: shape.Vector{CPU: 1500, Pods: 1},
		}
		web.Spread = []shape.Spread{{
			Key: shape.LabelZone, MaxSkew: rapid.Int32Range(1, 2).Draw(t, "skew"), Hard: true,
			Selector: shape.Selector{Requirements: []shape.Requirement{{Key: "app", Values: []string{"web"}}}},
		}}
		for i := range rapid.IntRange(1, 16).Draw(t, "pods") {
			w.Pod(shape.PodID(fmt.Sprintf("default/web-%02d", i)), web)
		}
		return w.Snapshot()
	})
}

// MostSpread is how many pods of a Scarce snapshot can be placed at most, by trying every number for every zone.
func MostSpread(s shape.Snapshot) (most int) {
	c := &checker{s: s}
	class := s.Classes[s.Pods[0].Class]
	var zones []string
	for zone := range c.offered(class, shape.LabelZone) {
		zones = append(zones, zone)
	}
	machines := func(p *shape.Pool) int64 {
		return p.Limits[0].Max / max(s.Types[0].Capacity.Get(p.Limits[0].Resource), 1)
	}
	// A choice can be bought if no set of zones wants more than the pools that serve any of them have.
	affordable := func(counts []int64) bool {
		for set := 1; set < 1<<len(zones); set++ {
			want, have := int64(0), int64(0)
			in := func(zone string) bool {
				for i, z := range zones {
					if z == zone && set&(1<<i) != 0 {
						return true
					}
				}
				return false
			}
			for i, z := range zones {
				if in(z) {
					want += counts[i]
				}
			}
			for _, p := range s.Pools {
				serves := false
				for _, z := range p.Requirements[0].Values {
					serves = serves || in(z)
				}
				if serves {
					have += machines(p)
				}
			}
			if want > have {
				return false
			}
		}
		return true
	}
	var try func(counts []int64, sum int64)
	try = func(counts []int64, sum int64) {
		if len(counts) < len(zones) {
			for n := int64(0); sum+n <= int64(len(s.Pods)); n++ {
				try(append(counts[:len(counts):len(counts)], n), sum+n)
			}
			return
		}
		for i := range counts {
			for j := range counts {
				if counts[i]-counts[j] > int64(class.Spread[0].MaxSkew) {
					return
				}
			}
		}
		if int(sum) > most && affordable(counts) {
			most = int(sum)
		}
	}
	try(nil, 0)
	return most
}
