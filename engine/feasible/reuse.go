package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// same reports whether two lists are one: equal length, equal place in memory. Snapshots are values that never change,
// so what was made of the one holds for the other.
func same[T any](a, b []T) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// takeColumns takes over the columns of a Table of before if they follow from the same types, with the indexes over
// them; false if they do not.
func (cp *compiler) takeColumns(last *Table) bool {
	if last == nil || !same(last.snapshot.Types, cp.t.snapshot.Types) ||
		!slices.Equal(last.Resources, cp.t.Resources) ||
		!slices.EqualFunc(last.snapshot.Pools, cp.t.snapshot.Pools, func(a, b *shape.Pool) bool {
			return same(a.Types, b.Types)
		}) {
		return false
	}
	cp.t.Offerings = last.Offerings
	return true
}

// takePool takes over what a Table of before made of a pool with the same columns and daemons, but for its limits; nil
// if it must be made anew.
func (cp *compiler) takePool(last *Table, sp *shape.Pool) *Pool {
	if !same(last.snapshot.Classes, cp.t.snapshot.Classes) ||
		!same(last.snapshot.DaemonSets, cp.t.snapshot.DaemonSets) {
		return nil
	}
	i := slices.IndexFunc(last.Pools, func(p *Pool) bool { return p.Name == sp.Name })
	if i < 0 {
		return nil
	}
	old := last.Pools[i]
	if old.Weight != sp.Weight || old.NotReady != sp.NotReady || !same(old.Labels, sp.Labels) ||
		!same(old.Taints, sp.Taints) ||
		!same(old.Requirements, sp.Requirements) {
		return nil
	}
	for i := range old.Free {
		if old.Free[i].open {
			return nil // its values are those that pods name
		}
	}
	p := *old
	p.Pool, p.Limits = sp, cp.withinReach(sp.Limits)
	return &p
}
