package devices

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// shapeNodes gives existing nodes what their devices have left, and what their pods hold.
func (b *shaper) shapeNodes() {
	for i, n := range b.out.Nodes {
		h := b.hostOf(n)
		if len(h.slices) == 0 && n == b.snapshot.Nodes[i] {
			continue
		}
		b.settle(h, b.snapshot.Nodes[i])
		supply := b.supply(h)
		own := *n
		var held shape.Vector
		for k := range n.Pods {
			if c := b.classIn(n.Pods[k].Class); c != nil {
				held = held.Add(shape.Vector{Extended: madeUp(c.Requests.Extended)})
			}
		}
		own.Allocatable = with(with(own.Allocatable, supply), held.Extended)
		own.Allocatable = with(own.Allocatable, b.serve(h, n))
		own.Requested = b.requested(&own)
		b.out.Nodes[i] = &own
	}
}

func (b *shaper) classIn(i int32) *shape.Class {
	if i < 0 || int(i) >= len(b.out.Classes) {
		return nil
	}
	return b.out.Classes[i]
}

// madeUp are those of amounts that exist in plans only.
func madeUp(list []shape.Amount) []shape.Amount {
	return slices.DeleteFunc(slices.Clone(list), func(a shape.Amount) bool { return !Made(a.Resource) })
}

// requested is what a node's pods ask for now that some classes are others; nil leaves it to the planner.
func (b *shaper) requested(n *shape.Node) *shape.Vector {
	if n.Requested == nil {
		return nil
	}
	sum := *n.Requested
	for i := range n.Pods {
		if c := b.classIn(n.Pods[i].Class); c != nil {
			sum = sum.Add(shape.Vector{Extended: madeUp(c.Requests.Extended)})
		}
	}
	return &sum
}

// supply is what a host has left of every made-up resource.
func (b *shaper) supply(h *host) []shape.Amount {
	left := b.roomOf(h)
	var out []shape.Amount
	for i := range b.table {
		if n := left.of(&b.table[i]); n > 0 {
			out = append(out, shape.Amount{Resource: b.table[i].name, Value: n})
		}
	}
	told := map[string]bool{"": true}
	for i := range b.own {
		o := &b.own[i]
		if told[o.limit] {
			continue // classes that claim the same share a limit
		}
		told[o.limit] = true
		if n := b.fitting(h, o, out); n > 0 {
			out = append(out, shape.Amount{Resource: o.limit, Value: n})
		}
	}
	return out
}

// of is how much is left of a resource.
func (r *room) of(d *dim) (sum int64) {
	switch {
	case d.counter != "":
		return r.counters[d.counter]
	case d.capacity != "":
		for kind, amounts := range r.capacity {
			if has(d.bits, kind) {
				sum += amounts[d.capacity]
			}
		}
	default:
		for kind, n := range r.free {
			if has(d.bits, kind) {
				sum += n
			}
		}
	}
	return sum
}

// fitting is how many pods of one class alone a host takes, as the allocator sees it.
func (b *shaper) fitting(h *host, o *derived, left []shape.Amount) (n int64) {
	c := b.out.Classes[o.class]
	for _, a := range madeUp(c.Requests.Extended) {
		if a.Resource != o.limit && a.Value > amountOf(left, a.Resource) {
			return 0
		}
	}
	trial := *h
	trial.books = h.books.copied()
	most := min(b.count[o.limit], trials)
	for n < most {
		if _, why := b.seat(&trial, c, o.demand); why != "" {
			return n
		}
		n++
	}
	return n
}

func amountOf(list []shape.Amount, resource string) int64 {
	for _, a := range list {
		if a.Resource == resource {
			return a.Value
		}
	}
	return 0
}

// serve is how much a node has of extended resources that are served from devices: it says nothing of them itself.
func (b *shaper) serve(h *host, n *shape.Node) (out []shape.Amount) {
	left := b.roomOf(h)
	for resource := range b.wanted() {
		if h.offers.Get(resource) > 0 {
			continue
		}
		held := int64(0)
		for i := range n.Pods {
			if c := b.classIn(n.Pods[i].Class); c != nil {
				held += c.Requests.Get(resource)
			}
		}
		if sum := b.devicesFor(&left, resource) + held; sum > 0 {
			out = append(out,
				shape.Amount{Resource: resource, Value: sum}, shape.Amount{Resource: servedName(resource), Value: 1})
		}
	}
	return out
}

// wanted are the extended resources that some pod asks for and that devices may serve.
func (b *shaper) wanted() map[string]bool {
	out := map[string]bool{}
	for _, c := range b.snapshot.Classes {
		for _, a := range c.Requests.Extended {
			if b.Serves(corev1.ResourceName(a.Resource)) {
				out[a.Resource] = true
			}
		}
	}
	return out
}

// devicesFor counts the devices that are left for an extended resource.
func (b *shaper) devicesFor(left *room, resource string) int64 {
	w, err := b.wishOf(b.served[resource], nil, nil, nil)
	if err != nil {
		return 0
	}
	bits, _ := b.library.selected(w)
	return left.of(&dim{bits: bits})
}

// typeKey names an instance type as a pool sells it.
type typeKey struct {
	index int32
	sold  string
}

// shapeTypes gives instance types the devices that their nodes will publish.
func (b *shaper) shapeTypes() {
	b.out.Pools = slices.Clone(b.snapshot.Pools)
	b.out.Types = slices.Clone(b.snapshot.Types)
	for i, p := range b.out.Pools {
		own := *p
		own.Types = slices.Clone(p.Types)
		for k, t := range own.Types {
			own.Types[k] = b.typeOf(p, t)
		}
		slices.Sort(own.Types)
		b.out.Pools[i] = &own
	}
}

// typeOf is the index of a type with its devices. Pools whose nodes publish different devices see different types.
func (b *shaper) typeOf(p *shape.Pool, index int32) int32 {
	it := b.snapshot.Types[index]
	sold := b.soldBy(Seller{p.Name, it.Name})
	if len(sold)+len(b.common) == 0 {
		return index
	}
	key := typeKey{index, signature(sold)}
	if b.bound {
		key.sold += " " + p.Name
	}
	if i, ok := b.types[key]; ok {
		return i
	}
	own := *it
	if b.bound {
		own.Offerings = b.offerings(p, it)
	} else {
		own.Allocatable = b.stocked(p, it, it.Allocatable, &shape.Offering{})
		own.Offerings = slices.Clone(it.Offerings)
		for i := range own.Offerings {
			if a := own.Offerings[i].Allocatable; a != nil {
				more := b.stocked(p, it, *a, &own.Offerings[i])
				own.Offerings[i].Allocatable = &more
			}
		}
	}
	i := int32(len(b.out.Types))
	b.out.Types = append(b.out.Types, &own)
	b.types[key] = i
	return i
}

// signature tells lists of slices apart. What is sold or learned are always the same objects, but need not have names.
func signature(list []*resourcev1.ResourceSlice) (text string) {
	for _, s := range list {
		text += fmt.Sprintf("%p ", s)
	}
	return text
}

// offerings are a type's offerings when devices may be bound to some nodes only, by their labels.
func (b *shaper) offerings(p *shape.Pool, it *shape.InstanceType) []shape.Offering {
	out := slices.Clone(it.Offerings)
	for i := range out {
		base := it.Allocatable
		if out[i].Allocatable != nil {
			base = *out[i].Allocatable
		}
		more := b.stocked(p, it, base, &out[i])
		out[i].Allocatable = &more
	}
	return out
}

// stocked is what a new node has together with its devices. Types that sell the same are worked out once.
func (b *shaper) stocked(p *shape.Pool, it *shape.InstanceType, base shape.Vector, o *shape.Offering) shape.Vector {
	h := b.newHost("new", Seller{p.Name, it.Name}, newLabels(p, it, o.Zone, o.CapacityType), base)
	supply := b.supply(h)
	left := b.roomOf(h)
	for resource := range b.wanted() {
		if base.Get(resource) == 0 {
			if n := b.devicesFor(&left, resource); n > 0 {
				supply = append(supply,
					shape.Amount{Resource: resource, Value: n}, shape.Amount{Resource: servedName(resource), Value: 1})
			}
		}
	}
	return with(base, supply)
}
