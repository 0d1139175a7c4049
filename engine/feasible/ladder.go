package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Ladder is a pool's usable columns by how much of a limited resource a machine of theirs takes, ascending.
type Ladder []Rung

// Rung is columns that take at most Use, and of which some take just that.
type Rung struct {
	Use     int64
	Columns bitset.Set
}

// Takes is how much of a limited resource a machine of the column uses up.
func (c *Column) Takes(resource string) int64 {
	if resource == shape.LimitNodes {
		return 1
	}
	return c.Type.Capacity.Get(resource)
}

// Ladder sorts the pool's columns.
func (off *Offerings) Ladder(p *Pool, resource string) Ladder {
	var uses []int64
	for i := p.Usable.Next(0); i >= 0; i = p.Usable.Next(i + 1) {
		uses = append(uses, off.Columns[i].Takes(resource))
	}
	slices.Sort(uses)
	uses = slices.Compact(uses)
	out := make(Ladder, len(uses))
	for k, u := range uses {
		out[k] = Rung{u, bitset.New(len(off.Columns))}
	}
	for i := p.Usable.Next(0); i >= 0; i = p.Usable.Next(i + 1) {
		k, _ := slices.BinarySearch(uses, off.Columns[i].Takes(resource))
		out[k].Columns.Add(i)
	}
	for k := 1; k < len(out); k++ {
		out[k].Columns.Join(out[k-1].Columns)
	}
	return out
}

// Upto is the highest rung that takes at most so much, -1 if there is none.
func (l Ladder) Upto(most int64) int {
	k, found := slices.BinarySearchFunc(l, most, func(r Rung, most int64) int {
		return int(min(max(r.Use-most, -1), 1))
	})
	if !found {
		k--
	}
	return k
}
