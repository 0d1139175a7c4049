package devices

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// short reports whether fewer values are left in a new node's options than its minValues want.
func (c *checker) short(pool *shape.Pool, n *engine.NewNode) bool {
	return slices.ContainsFunc(n.Requirements, func(r shape.Requirement) bool {
		return r.MinValues > 0 && c.variety(pool, n, r) < int(r.MinValues)
	})
}

// variety counts the values of a key that a new node's options have and that its requirement allows.
func (c *checker) variety(pool *shape.Pool, n *engine.NewNode, r shape.Requirement) int {
	allowed, seen := require.Of(r), map[string]bool{}
	for _, o := range n.Options {
		for _, value := range c.valuesOf(pool, o, r.Key) {
			if allowed.Has(value) {
				seen[value] = true
			}
		}
	}
	return len(seen)
}

// valuesOf are the values of a key that an option may have.
func (c *checker) valuesOf(pool *shape.Pool, o engine.Option, key string) []string {
	switch key {
	case shape.LabelInstanceType:
		return []string{o.Type}
	case shape.LabelZone:
		return []string{o.Zone}
	case shape.LabelCapacityType:
		return []string{o.CapacityType}
	}
	index := c.typeNamed(pool, o.Type)
	if index < 0 {
		return nil
	}
	for _, r := range c.snapshot.Types[index].Requirements {
		if r.Key == key && r.Operator == shape.In {
			return r.Values
		}
	}
	return nil
}

// typeNamed is the index of a pool's type; negative if it has none of that name.
func (c *checker) typeNamed(pool *shape.Pool, name string) int32 {
	for _, i := range pool.Types {
		if c.snapshot.Types[i].Name == name {
			return i
		}
	}
	return -1
}

// refuse has a new node planned anew of whose options too few are left: what did not suit on the types that dropped out
// is forbidden there, so that the planner knows which are left when it looks at minValues. before is what was booked of
// devices that several nodes reach.
func (c *checker) refuse(pool *shape.Pool, n, own *engine.NewNode, pods []*shape.Pod, before ledger) {
	seen := map[string]bool{}
	for _, o := range own.Options {
		seen[o.Type] = true
	}
	for _, o := range n.Options {
		if seen[o.Type] {
			continue
		}
		seen[o.Type] = true
		h, index := c.optionHost(pool, n.ID, o)
		h.books.reset(c.common, before)
		start := h.books.copied()
		if _, kept := c.seatAll(h, pods); len(kept) < len(pods) {
			h.books = start
			c.cut(cut{index: index}, h, pods, kept)
			continue
		}
		c.cuts = append(c.cuts, c.none(index, pods)) // they would get other devices than they wait for
	}
	for _, id := range n.Pods {
		c.refused[id] = true
	}
}

// none keeps pods off an instance type.
func (c *checker) none(index int32, pods []*shape.Pod) cut {
	out := cut{index: index, weight: map[int32]int64{}}
	for _, p := range pods {
		if c.involved(p) {
			out.weight[p.Class] = whole
		}
	}
	return out
}
