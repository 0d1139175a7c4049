package enginetest

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// BruteForce tries every way to divide the pods among new nodes and returns the least price; ok is
// false if there is none. It knows resources, labels, taints, daemons, anti-affinity by hostname and hard
// spread over zones; the Snapshot must hold nothing else, no nodes and no limits, pools of one weight, and at
// most a handful of pods.
func BruteForce(s shape.Snapshot) (price shape.Money, ok bool) {
	b := &brute{c: &checker{s: s}, price: -1, zones: []string{""}}
	for _, c := range s.Classes {
		if len(c.Spread) > 0 {
			b.zones = b.everyZone()
		}
	}
	b.place(0, nil)
	return b.price, b.price >= 0
}

type brute struct {
	c     *checker
	price shape.Money
	zones []string // that a machine may be bought in; the empty one is any
}

// everyZone lists the zones of all offerings.
func (b *brute) everyZone() (zones []string) {
	for _, it := range b.c.s.Types {
		for i := range it.Offerings {
			if z := it.Offerings[i].Zone; !slices.Contains(zones, z) {
				zones = append(zones, z)
			}
		}
	}
	return zones
}

// settle gives every group from the i-th on a zone, each in turn, and notes the price of what keeps the spread.
func (b *brute) settle(groups [][]*shape.Class, zones []string, sum shape.Money) {
	i := len(zones)
	if i < len(groups) {
		for _, z := range b.zones {
			if p, ok := b.cheapest(groups[i], z); ok {
				b.settle(groups, append(zones[:i:i], z), sum+p)
			}
		}
		return
	}
	if (b.price < 0 || sum < b.price) && b.even(groups, zones) {
		b.price = sum
	}
}

// even reports whether the pods keep their hard spread constraints. Zones without pods count as empty only if they
// have a machine, so that more is allowed here than anywhere.
func (b *brute) even(groups [][]*shape.Class, zones []string) bool {
	for _, c := range b.c.s.Classes {
		for k := range c.Spread {
			counts := map[string]int32{}
			for i, g := range groups {
				counts[zones[i]] += 0
				for _, o := range g {
					if require.Selects(c.Spread[k].Selector, o.Labels) {
						counts[zones[i]]++
					}
				}
			}
			low, high := int32(1<<30), int32(0)
			for _, n := range counts {
				low, high = min(low, n), max(high, n)
			}
			if high-low > c.Spread[k].MaxSkew {
				return false
			}
		}
	}
	return true
}

// place puts pod i into each of the groups, and into one of its own.
func (b *brute) place(i int, groups [][]*shape.Class) {
	if i == len(b.c.s.Pods) {
		b.settle(groups, nil, 0)
		return
	}
	c := b.c.s.Classes[b.c.s.Pods[i].Class]
	for k, g := range groups {
		if apart(g, c) {
			continue
		}
		next := append([][]*shape.Class(nil), groups...)
		next[k] = append(append([]*shape.Class(nil), g...), c)
		b.place(i+1, next)
	}
	b.place(i+1, append(append([][]*shape.Class(nil), groups...), []*shape.Class{c}))
}

// apart reports whether a class and one of a group keep away from each other.
func apart(group []*shape.Class, c *shape.Class) bool {
	for _, o := range group {
		for _, pair := range [][2]*shape.Class{{o, c}, {c, o}} {
			for k := range pair[0].Affinity {
				if t := &pair[0].Affinity[k]; t.Anti && counts(pair[0].Namespace, t, pair[1]) {
					return true
				}
			}
		}
	}
	return false
}

// cheapest is the least price of one machine in a zone that holds all of the group.
func (b *brute) cheapest(group []*shape.Class, zone string) (price shape.Money, ok bool) {
	price = -1
	for _, p := range b.c.s.Pools {
		for _, i := range p.Types {
			it := b.c.s.Types[i]
			for k := range it.Offerings {
				o := &it.Offerings[k]
				if o.Available && (zone == "" || o.Zone == zone) && (price < 0 || o.Price < price) &&
					b.holds(p, it, o, group) {
					price = o.Price
				}
			}
		}
	}
	return price, price >= 0
}

func (b *brute) holds(p *shape.Pool, it *shape.InstanceType, o *shape.Offering, group []*shape.Class) bool {
	labels := b.c.labels(p, it, o, engine.NewNode{})
	for _, r := range p.Requirements {
		if suits(&shape.Class{NodeSelector: []shape.Requirement{r}}, labels, nil, "") != nil {
			return false
		}
	}
	room := it.Allocatable
	for _, ds := range b.c.s.DaemonSets {
		if d := b.c.s.Classes[ds.Class]; suits(d, labels, p.Taints, "") == nil {
			room = room.Sub(d.Requests)
		}
	}
	sum := shape.Vector{}
	for _, c := range group {
		if suits(c, labels, p.Taints, "") != nil {
			return false
		}
		sum = sum.Add(c.Requests)
	}
	return sum.Fits(room)
}

// TinySpread is Tiny with fewer pods, some of which must be spread over zones.
func TinySpread() *rapid.Generator[shape.Snapshot] {
	return rapid.Custom(func(t *rapid.T) shape.Snapshot {
		w := NewWorld()
		g := &generator{t: t, w: w}
		for i := range rapid.IntRange(1, 3).Draw(t, "types") {
			g.instanceType(i)
		}
		for i := range rapid.IntRange(1, 4).Draw(t, "pods") {
			c := shape.Class{Namespace: "default", Labels: g.labels(), Requests: shape.Vector{Pods: 1,
				CPU:    rapid.SampledFrom([]int64{250, 1000, 1500, 3000}).Draw(t, "cpu"),
				Memory: rapid.SampledFrom([]int64{256, 3000}).Draw(t, "memory") << 20}}
			if g.chance("spread") {
				c.Spread = []shape.Spread{{Key: shape.LabelZone, MaxSkew: 1, Hard: true, Selector: g.selector()}}
			}
			if g.chance("apart") {
				c.Affinity = []shape.PodTerm{{Key: shape.LabelHostname, Anti: true, Selector: g.selector()}}
			}
			w.Pod(shape.PodID("default/p"+string(rune('0'+i))), c)
		}
		return w.Snapshot()
	})
}

// Tiny draws clusters that BruteForce can plan.
func Tiny() *rapid.Generator[shape.Snapshot] {
	return rapid.Custom(func(t *rapid.T) shape.Snapshot {
		w := NewWorld()
		g := &generator{t: t, w: w}
		for i := range rapid.IntRange(1, 4).Draw(t, "types") {
			g.instanceType(i)
		}
		for i, name := range []string{"left", "right"} {
			p := shape.Pool{Name: name}
			if i == 1 && g.chance("taint") {
				p.Taints = []shape.Taint{{Key: "team", Value: "x", Effect: shape.NoSchedule}}
			}
			if i == 0 && g.chance("pool zone") {
				p.Requirements = []shape.Requirement{
					{Key: shape.LabelZone, Operator: shape.NotIn, Values: []string{"b"}},
				}
			}
			w.Pool(p)
		}
		if g.chance("daemon") {
			w.Daemon("system/agent", shape.Class{Namespace: "system", Requests: shape.Vector{CPU: 100, Pods: 1}})
		}
		for i := range rapid.IntRange(1, 6).Draw(t, "pods") {
			c := shape.Class{Namespace: "default", Labels: g.labels(), Requests: shape.Vector{Pods: 1,
				CPU:    rapid.SampledFrom([]int64{250, 500, 1000, 1500, 3000}).Draw(t, "cpu"),
				Memory: rapid.SampledFrom([]int64{256, 1024, 3000}).Draw(t, "memory") << 20}}
			if g.chance("selector") {
				c.NodeSelector = []shape.Requirement{{Key: shape.LabelZone, Values: []string{g.pick("zone", "a", "b")}}}
			}
			if g.chance("apart") {
				c.Affinity = []shape.PodTerm{{Key: shape.LabelHostname, Anti: true, Selector: g.selector()}}
			}
			w.Pod(shape.PodID("default/p"+string(rune('0'+i))), c)
		}
		return w.Snapshot()
	})
}
