package devices

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Prefix begins the names of made-up resources. It holds a character that names of real ones do not.
const Prefix = "device:"

// Made reports whether a resource exists in plans only.
func Made(resource string) bool { return strings.HasPrefix(resource, Prefix) }

// Real is an amount less what exists in plans only.
func Real(v shape.Vector) shape.Vector {
	if slices.ContainsFunc(v.Extended, func(a shape.Amount) bool { return Made(a.Resource) }) {
		v.Extended = slices.DeleteFunc(slices.Clone(v.Extended), func(a shape.Amount) bool { return Made(a.Resource) })
		if len(v.Extended) == 0 {
			v.Extended = nil
		}
	}
	return v
}

// trials is how many pods of one class are tried on an empty node to see how many fit.
const trials = 64

// keyShared is the label of pods that wait for one claim, followed by the claim's name.
const keyShared = Prefix + "claim/"

// Shape is a Snapshot in which claims for devices are amounts that the planner counts. It is s itself if no pod claims
// any.
func (w *World) Shape(s shape.Snapshot) shape.Snapshot {
	if !w.needed(&s) {
		return s
	}
	w.library.begin()
	b := &shaper{
		resolver: w.resolve(&s), out: s, index: map[classKey]int32{}, count: map[string]int64{},
		types: map[typeKey]int32{},
	}
	b.meetKinds()
	b.derive()
	b.dims()
	b.judge()
	b.shapeNodes()
	b.shapeTypes()
	return b.out
}

// needed reports whether some pod may need devices. Classes that no pod has any more change nothing.
func (w *World) needed(s *shape.Snapshot) bool {
	concerned := map[int32]bool{}
	for i, c := range s.Classes {
		if w.Concerns(c) {
			concerned[int32(i)] = true
		}
	}
	if len(concerned) == 0 {
		return false
	}
	of := func(p shape.Pod) bool { return concerned[p.Class] }
	return slices.ContainsFunc(s.Pods, of) ||
		slices.ContainsFunc(s.Nodes, func(n *shape.Node) bool { return slices.ContainsFunc(n.Pods, of) })
}

// Concerns reports whether a class's pods may need devices.
func (w *World) Concerns(c *shape.Class) bool {
	return len(c.Claims) > 0 || slices.ContainsFunc(c.Requests.Extended, func(a shape.Amount) bool {
		return w.Serves(corev1.ResourceName(a.Resource))
	})
}

// shaper makes one Snapshot.
type shaper struct {
	*resolver
	out   shape.Snapshot
	index map[classKey]int32
	own   []derived
	count map[string]int64 // pods by the resource that limits them
	table []dim
	types map[typeKey]int32
}

// classKey names pods that are planned as one: a class of the Snapshot and what their claims come to.
type classKey struct {
	class int32
	key   string
}

// derived is a class that was made from another.
type derived struct {
	class  int32 // in out.Classes
	demand *demand
	asks   []ask
	bits   [][]uint64 // by ask
	limit  string     // the resource that says how many fit; empty if counting says so
}

// dim is a made-up resource: the devices that a set of wishes selects, or what they have of a capacity or counter.
type dim struct {
	name     string
	bits     []uint64
	capacity string // of the devices; empty if the devices themselves are counted
	counter  string // driver and counter
}

// meetKinds shows the library every device, so that sets are complete.
func (b *shaper) meetKinds() {
	visit := func(h *host) {
		for _, s := range h.slices {
			for i := range s.Spec.Devices {
				b.library.kindOf(s.Spec.Driver, &s.Spec.Devices[i])
			}
		}
	}
	for _, n := range b.snapshot.Nodes {
		visit(b.hostOf(n))
	}
	for _, p := range b.snapshot.Pools {
		for _, t := range p.Types {
			visit(b.newHost("new", Seller{p.Name, b.snapshot.Types[t].Name}, nil, shape.Vector{}))
		}
	}
}

// derive gives each pod that claims devices a class that says so.
func (b *shaper) derive() {
	b.out.Classes = slices.Clone(b.snapshot.Classes)
	b.out.Pods = b.rename(b.snapshot.Pods)
	b.out.Nodes = slices.Clone(b.snapshot.Nodes)
	for i, n := range b.out.Nodes {
		pods := b.rename(n.Pods)
		if len(pods) > 0 && &pods[0] != &n.Pods[0] {
			own := *n
			own.Pods = pods
			b.out.Nodes[i] = &own
		}
	}
}

func (b *shaper) rename(pods []shape.Pod) []shape.Pod {
	out := pods
	for i := range pods {
		d := b.demands[pods[i].ID]
		if d == nil {
			continue
		}
		if &out[0] == &pods[0] {
			out = slices.Clone(pods)
		}
		out[i].Class = b.derived(pods[i].Class, d)
		b.count[limitName(d)]++
	}
	return out
}

func (b *shaper) derived(class int32, d *demand) int32 {
	k := classKey{class, d.key}
	if i, ok := b.index[k]; ok {
		return i
	}
	c := *b.snapshot.Classes[class]
	c.Refused = cmp.Or(c.Refused, d.refused)
	var ok bool
	if c.VolumeTerms, ok = require.AndTerms(c.VolumeTerms, d.terms); !ok {
		c.Refused = cmp.Or(c.Refused, "no node can reach both its volumes and the devices of its claims")
	}
	for _, g := range d.groups {
		c.Labels, c.Affinity = flock(&c, g)
	}
	i := int32(len(b.out.Classes))
	b.index[k] = i
	b.out.Classes = append(b.out.Classes, &c)
	own := derived{class: i, demand: d}
	for _, claim := range d.claims {
		asks, _ := b.asksOf(&claim.Spec) // its error is in the demand
		own.asks = append(own.asks, asks...)
	}
	for k := range own.asks {
		own.bits = append(own.bits, b.bits(&own.asks[k]))
	}
	b.own = append(b.own, own)
	return i
}

// flock has the pods of a claim that is still to be allocated go where the first of them goes.
func flock(c *shape.Class, g group) ([]shape.Label, []shape.PodTerm) {
	key, value := keyShared+g.claim.String(), "follows"
	if g.leads {
		value = "leads"
	}
	labels := append(slices.Clip(c.Labels), shape.Label{Key: key, Value: value})
	slices.SortFunc(labels, func(a, b shape.Label) int { return cmp.Compare(a.Key, b.Key) })
	if g.leads {
		return labels, c.Affinity
	}
	return labels, append(slices.Clip(c.Affinity), shape.PodTerm{
		Key: shape.LabelHostname, Namespaces: []string{c.Namespace},
		Selector: shape.Selector{Requirements: []shape.Requirement{
			{Key: key, Operator: shape.In, Values: []string{"leads"}},
		}},
	})
}

// dims makes the resources that are counted.
func (b *shaper) dims() {
	seen := map[string]dim{}
	for i := range b.own {
		o := &b.own[i]
		for k := range o.asks {
			for _, d := range b.dimsOf(&o.asks[k], o.bits[k]) {
				seen[d.name] = d
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		b.table = append(b.table, seen[name])
	}
}

func (b *shaper) dimsOf(a *ask, bits []uint64) (out []dim) {
	if a.admin {
		return nil
	}
	name := nameOf(a)
	kinds := b.library.among(bits)
	out = append(out, dim{name: name, bits: bits})
	for capacity := range consumes(a, kinds) {
		out = append(out, dim{name: name + "/" + capacity, bits: bits, capacity: capacity})
	}
	for counter := range loads(kinds) {
		out = append(out, dim{name: Prefix + counter, counter: counter})
	}
	return out
}

// nameOf names what an ask selects, for people: the device class, with a sum of what else is asked.
func nameOf(a *ask) string {
	sum := fnv.New32a()
	for _, w := range a.wishes {
		_, _ = sum.Write([]byte(w.key))
	}
	return fmt.Sprintf("%s%s/%08x", Prefix, a.wishes[0].class, sum.Sum32())
}

// consumes is what an ask takes at least of the capacity of devices that are all shared.
func consumes(a *ask, kinds []*kind) map[string]int64 {
	if len(a.wishes) != 1 || a.wishes[0].capacity == nil {
		return nil
	}
	out := map[string]int64{}
	for name, q := range a.wishes[0].capacity.Requests {
		everywhere := !slices.ContainsFunc(kinds, func(k *kind) bool {
			_, has := k.device.Capacity[name]
			return !k.shared() || !has
		})
		if everywhere && q.Value() > 0 {
			out[string(name)] = q.Value() * a.count
		}
	}
	return out
}

// loads is what each of some devices takes of its driver's counters at least.
func loads(kinds []*kind) map[string]int64 {
	var out map[string]int64
	for i, k := range kinds {
		own := map[string]int64{}
		for name, n := range k.load {
			if n > 0 {
				own[k.driver+"/"+name] = n
			}
		}
		if i == 0 {
			out = own
			continue
		}
		maps.DeleteFunc(out, func(name string, _ int64) bool { return own[name] == 0 })
		for name := range out {
			out[name] = min(out[name], own[name])
		}
	}
	return out
}

// takes is how much an ask takes of a resource at least.
func (b *shaper) takes(a *ask, bits []uint64, d *dim) int64 {
	switch {
	case a.admin:
		return 0
	case d.counter != "":
		return loads(b.library.among(bits))[d.counter] * a.count
	case d.capacity != "":
		if !within(bits, d.bits) {
			return 0
		}
		return consumes(a, b.library.among(bits))[d.capacity]
	case empty(bits):
		if d.name == nameOf(a) {
			return a.count
		}
		return 0
	case within(bits, d.bits):
		return a.count
	}
	return 0
}

func empty(bits []uint64) bool {
	return !slices.ContainsFunc(bits, func(w uint64) bool { return w != 0 })
}

// judge says of each class what its pods take, and whether counting is the whole truth.
func (b *shaper) judge() {
	for i := range b.own {
		o := &b.own[i]
		c := b.out.Classes[o.class]
		var extra []shape.Amount
		for k := range o.asks {
			extra = append(extra, b.taken(&o.asks[k], o.bits[k])...)
		}
		if b.intricate(o) {
			o.limit = limitName(o.demand)
			extra = append(extra, shape.Amount{Resource: o.limit, Value: 1})
		}
		c.Requests = with(c.Requests, extra)
	}
}

// taken is what one request takes of each counted resource.
func (b *shaper) taken(a *ask, bits []uint64) (out []shape.Amount) {
	for d := range b.table {
		if n := b.takes(a, bits, &b.table[d]); n > 0 {
			out = append(out, shape.Amount{Resource: b.table[d].name, Value: n})
		}
	}
	return out
}

func limitName(d *demand) string {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(d.key))
	return fmt.Sprintf("%spods-alike/%012x", Prefix, sum.Sum64()&0xffffffffffff)
}

// intricate reports whether only the allocator knows how many pods of a class fit on a node.
func (b *shaper) intricate(o *derived) bool {
	for _, claim := range o.demand.claims {
		if len(claim.Spec.Devices.Constraints) > 0 {
			return true
		}
	}
	for k := range o.asks {
		a := &o.asks[k]
		if a.all || a.admin || len(a.wishes) > 1 || a.wishes[0].capacity != nil || b.crosses(o.bits[k]) {
			return true
		}
		divided := func(k *kind) bool { return k.shared() || len(k.load) > 0 }
		if slices.ContainsFunc(b.library.among(o.bits[k]), divided) {
			return true
		}
	}
	return false
}

// crosses reports whether some set has devices in common with bits, but neither is within the other.
func (b *shaper) crosses(bits []uint64) bool {
	if len(b.common) > 0 {
		return true // devices of several nodes are counted on each
	}
	return slices.ContainsFunc(b.table, func(d dim) bool {
		return d.counter == "" && overlap(bits, d.bits) && !within(bits, d.bits) && !within(d.bits, bits)
	})
}

// with is v and amounts of resources that it may have already.
func with(v shape.Vector, extra []shape.Amount) shape.Vector {
	for _, a := range extra {
		v = v.Add(shape.Vector{Extended: []shape.Amount{a}})
	}
	return v
}
