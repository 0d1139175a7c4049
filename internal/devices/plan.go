package devices

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// rounds is how often a plan is made anew because the allocator refuses a part of it.
const rounds = 8

// NotTogether is why a pod waits whose devices the allocator refused to the end.
const NotTogether = "its devices could not be allocated on the node that was planned for it; it is planned again"

// NotMoved is why a node stays whose pods' devices the allocator refused where they would go.
const NotMoved = "devices that its pods claim could not be allocated where they would go"

// Planned is a plan whose devices can be allocated.
type Planned struct {
	// Snapshot and Plan are the last round: the planner makes the one of the other.
	Snapshot shape.Snapshot
	Plan     engine.Decision

	// Decision is Plan less what the allocator refuses, with the drivers of each new node, and with reasons that speak
	// of devices.
	Decision engine.Decision
}

// Plan has a Snapshot planned that [World.Shape] made, as often as it takes, a few times at most, until the allocator
// agrees with the plan.
func (w *World) Plan(s shape.Snapshot, plan func(shape.Snapshot) engine.Decision) Planned {
	if w == nil || !slices.ContainsFunc(s.Classes, w.Concerns) {
		d := plan(s)
		return Planned{s, d, d}
	}
	for round := 1; ; round++ {
		d := plan(s)
		c := w.check(s, d)
		if len(c.cuts) == 0 || round == rounds {
			return Planned{s, d, c.decision(d)}
		}
		s = c.narrowed()
	}
}

// Allows reports whether all pods of a plan for a part of a Snapshot that [World.Shape] made get their devices, and
// completes the new nodes: options on which they would not are taken away.
func (w *World) Allows(s shape.Snapshot, place []engine.Placement, open []engine.NewNode) ([]engine.NewNode, bool) {
	if w == nil || !slices.ContainsFunc(s.Classes, w.Concerns) {
		return open, true
	}
	c := w.check(s, engine.Decision{Place: place, Open: open})
	return c.open, len(c.refused) == 0
}

// Narrowed is a Snapshot in which what [World.Allows] refuses of a plan is forbidden.
func Narrowed(w *World, s shape.Snapshot, place []engine.Placement, open []engine.NewNode) shape.Snapshot {
	return w.check(s, engine.Decision{Place: place, Open: open}).narrowed()
}

// checker goes through one plan.
type checker struct {
	*resolver
	books   ledger
	pods    map[shape.PodID]*shape.Pod
	refused map[shape.PodID]bool
	open    []engine.NewNode
	cuts    []cut
}

func (w *World) check(s shape.Snapshot, d engine.Decision) *checker {
	c := &checker{
		resolver: w.resolve(&s), books: w.taken.copied(), pods: map[shape.PodID]*shape.Pod{},
		refused: map[shape.PodID]bool{},
	}
	for i := range s.Pods {
		c.pods[s.Pods[i].ID] = &s.Pods[i]
	}
	for _, n := range s.Nodes {
		for i := range n.Pods {
			c.pods[n.Pods[i].ID] = &n.Pods[i]
		}
	}
	onto := map[string][]shape.PodID{}
	for _, p := range d.Place {
		onto[p.Node] = append(onto[p.Node], p.Pod)
	}
	for _, n := range s.Nodes {
		if list := onto[n.Name]; len(list) > 0 {
			c.fill(n, list)
		}
	}
	for i := range d.Open {
		c.buy(&d.Open[i])
	}
	return c
}

// queue is some pods in the order in which kube-scheduler takes them.
func (c *checker) queue(ids []shape.PodID) []*shape.Pod {
	var out []*shape.Pod
	for _, id := range ids {
		if p := c.pods[id]; p != nil && c.classOf(p) != nil {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *shape.Pod) int {
		return cmp.Or(
			cmp.Compare(c.classOf(b).Priority, c.classOf(a).Priority),
			a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID),
		)
	})
	return out
}

// fill seats pods on a node that exists.
func (c *checker) fill(n *shape.Node, ids []shape.PodID) {
	pods := c.queue(ids)
	if !slices.ContainsFunc(pods, c.involved) {
		return
	}
	h := c.hostOf(n)
	h.books = c.books.of(h.slices)
	c.settle(h, n)
	start := h.books.copied()
	_, kept := c.seatAll(h, pods)
	c.book(h)
	if len(kept) < len(pods) {
		h.books = start
		c.cut(cut{node: n.Name}, h, pods, kept)
	}
}

// involved reports whether devices matter to a pod.
func (c *checker) involved(p *shape.Pod) bool { return c.Concerns(c.classOf(p)) }

// seatAll seats pods one after the other, and tells of those that found no devices.
func (c *checker) seatAll(h *host, pods []*shape.Pod) (drivers []string, kept []*shape.Pod) {
	for _, p := range pods {
		got, why := c.seat(h, c.classOf(p), c.needs(p))
		if why != "" {
			continue
		}
		drivers, kept = append(drivers, got...), append(kept, p)
	}
	slices.Sort(drivers)
	return slices.Compact(drivers), kept
}

func (c *checker) needs(p *shape.Pod) *demand {
	if d := c.demands[p.ID]; d != nil {
		return d
	}
	return &demand{}
}

// book remembers what was taken of devices that are not the host's alone.
func (c *checker) book(h *host) {
	for _, s := range c.common {
		id := poolID{s.Spec.Driver, s.Spec.Pool.Name}
		if list := h.books[id]; len(list) > 0 {
			c.books[id] = list
		}
	}
}

// buy seats pods on a node that is to be opened, on its cheapest option, and keeps the options that suit as well.
func (c *checker) buy(n *engine.NewNode) {
	pods := c.queue(n.Pods)
	if len(n.Options) == 0 || !slices.ContainsFunc(pods, c.involved) {
		c.open = append(c.open, *n)
		return
	}
	pool, first := c.poolNamed(n.Pool), n.Options[0]
	before := c.books.of(c.common)
	h, index := c.optionHost(pool, n.ID, first)
	start := h.books.copied()
	drivers, kept := c.seatAll(h, pods)
	c.book(h)
	own := *n
	own.Drivers = drivers
	if len(kept) < len(pods) {
		h.books = start
		c.cut(cut{index: index}, h, pods, kept)
		own.Pods = slices.DeleteFunc(slices.Clone(n.Pods), func(id shape.PodID) bool { return c.refused[id] })
	}
	own.Options = c.suitable(pool, &own, kept, before)
	own.Requirements = listed(&own)
	if len(own.Options) < len(n.Options) && c.short(pool, &own) {
		c.refuse(pool, n, &own, kept, before)
		return
	}
	if len(own.Pods) > 0 {
		c.open = append(c.open, own)
	}
}

// suitable are those options of a node on which its pods get devices of the same drivers: whoever waits for the node
// waits for these. Of devices that several nodes can reach they must get the same ones as on the first option, whose
// were booked; before is what was booked until then.
func (c *checker) suitable(
	pool *shape.Pool, n *engine.NewNode, pods []*shape.Pod, before ledger,
) []engine.Option {
	known, booked := map[string]bool{}, c.books.of(c.common)
	return slices.DeleteFunc(slices.Clone(n.Options), func(o engine.Option) bool {
		key := signature(c.soldBy(Seller{n.Pool, o.Type}))
		if c.bound {
			key += " " + o.Type + " " + o.Zone + " " + o.CapacityType
		}
		ok, done := known[key]
		if !done {
			h, _ := c.optionHost(pool, n.ID, o)
			if o == n.Options[0] {
				known[key] = true
				return false
			}
			h.books.reset(c.common, before)
			drivers, kept := c.seatAll(h, pods)
			ok = len(kept) == len(pods) && slices.Equal(drivers, n.Drivers) && h.books.of(c.common).equal(booked)
			known[key] = ok
		}
		return !ok
	})
}

// listed are a node's requirements with the values that its options still have.
func listed(n *engine.NewNode) []shape.Requirement {
	values := map[string]map[string]bool{shape.LabelInstanceType: {}, shape.LabelZone: {}, shape.LabelCapacityType: {}}
	for _, o := range n.Options {
		values[shape.LabelInstanceType][o.Type] = true
		values[shape.LabelZone][o.Zone] = true
		values[shape.LabelCapacityType][o.CapacityType] = true
	}
	out := slices.Clone(n.Requirements)
	for i, r := range out {
		if left := values[r.Key]; left != nil && r.Operator == shape.In {
			out[i].Values = slices.DeleteFunc(slices.Clone(r.Values), func(v string) bool { return !left[v] })
		}
	}
	return out
}

func (c *checker) poolNamed(name string) *shape.Pool {
	for _, p := range c.snapshot.Pools {
		if p.Name == name {
			return p
		}
	}
	return &shape.Pool{Name: name}
}

// optionHost is what a new node will be, and the index of its type.
func (c *checker) optionHost(pool *shape.Pool, name string, o engine.Option) (*host, int32) {
	if i := c.typeNamed(pool, o.Type); i >= 0 {
		it := c.snapshot.Types[i]
		h := c.newHost(name, Seller{pool.Name, o.Type}, newLabels(pool, it, o.Zone, o.CapacityType), it.Allocatable)
		h.books = c.books.of(h.slices)
		return h, i
	}
	return c.newHost(name, Seller{pool.Name, o.Type}, nil, shape.Vector{}), -1
}

// decision is the plan less what was refused.
func (c *checker) decision(d engine.Decision) engine.Decision {
	out := d
	out.Open, out.Price = c.open, 0
	for _, n := range c.open {
		out.Price += n.Price
	}
	out.Bound = min(d.Bound, out.Price)
	out.Unplaced = c.told(d.Unplaced)
	if len(c.refused) == 0 {
		return out
	}
	out.Place = slices.DeleteFunc(slices.Clone(d.Place), func(p engine.Placement) bool { return c.refused[p.Pod] })
	for id := range c.refused {
		out.Unplaced = append(out.Unplaced, engine.Unplaced{Pod: id, Why: explain.Tree{
			Subject: string(id),
			Groups:  []explain.Group{{Count: 1, Reason: feasible.Reason{Kind: feasible.Refused, Want: NotTogether}}},
		}})
	}
	slices.SortFunc(out.Unplaced, func(a, b engine.Unplaced) int { return cmp.Compare(a.Pod, b.Pod) })
	return out
}
