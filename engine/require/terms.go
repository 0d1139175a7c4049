package require

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// AndTerms lists in how many ways one of a and one of b can hold together; an empty list is no condition. ok is false
// if there is no way at all. Requirements ascend by key; terms that say the same appear once.
func AndTerms(a, b []shape.NodeTerm) (both []shape.NodeTerm, ok bool) {
	switch {
	case len(b) == 0:
		return a, true
	case len(a) == 0:
		return b, true
	}
	for _, x := range a {
		for _, y := range b {
			if len(x.Labels)+len(x.Names) == 0 || len(y.Labels)+len(y.Names) == 0 {
				continue // such a term matches no node
			}
			t := shape.NodeTerm{Labels: ordered(x.Labels, y.Labels), Names: ordered(x.Names, y.Names)}
			if possible(t) && !slices.ContainsFunc(both, func(o shape.NodeTerm) bool { return SameTerm(o, t) }) {
				both = append(both, t)
			}
		}
	}
	return both, len(both) > 0
}

func possible(t shape.NodeTerm) bool {
	_, never := New(t.Labels).Empty()
	if never || len(t.Names) == 0 {
		return !never
	}
	name := Of(t.Names[0])
	for _, r := range t.Names[1:] {
		name = name.And(Of(r))
	}
	return !name.Empty()
}

// ordered joins requirements, ascending, without repeats.
func ordered(a, b []shape.Requirement) []shape.Requirement {
	out := slices.Concat(a, b)
	slices.SortFunc(out, compare)
	return slices.CompactFunc(out, func(x, y shape.Requirement) bool { return compare(x, y) == 0 })
}

func compare(a, b shape.Requirement) int {
	return cmp.Or(
		cmp.Compare(a.Key, b.Key), cmp.Compare(a.Operator, b.Operator), slices.Compare(a.Values, b.Values),
		cmp.Compare(a.MinValues, b.MinValues),
	)
}

// SameTerm reports whether two terms list the same conditions in the same order.
func SameTerm(a, b shape.NodeTerm) bool {
	same := func(x, y shape.Requirement) bool { return compare(x, y) == 0 }
	return slices.EqualFunc(a.Labels, b.Labels, same) && slices.EqualFunc(a.Names, b.Names, same)
}
