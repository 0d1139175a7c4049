package feasible

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// buildColumns lists all offerings that a pool names.
func (cp *compiler) buildColumns() {
	used := make([]bool, len(cp.t.snapshot.Types))
	for _, p := range cp.t.snapshot.Pools {
		for _, i := range p.Types {
			if i >= 0 && int(i) < len(used) {
				used[i] = true
			}
		}
	}
	offerings := 0
	for i, it := range cp.t.snapshot.Types {
		if used[i] {
			offerings += len(it.Offerings)
		}
	}
	cp.t.Columns = make([]Column, 0, offerings)
	for i, it := range cp.t.snapshot.Types {
		if !used[i] {
			continue
		}
		room := cp.t.Flat(it.Allocatable)
		cp.t.slots(room, it.Attachable)
		for j := range it.Offerings {
			c := Column{Type: it, Offering: &it.Offerings[j], typeIndex: int32(i), room: room}
			if c.Offering.Allocatable != nil {
				c.room = cp.t.Flat(*c.Offering.Allocatable)
				cp.t.slots(c.room, it.Attachable)
			}
			cp.t.Columns = append(cp.t.Columns, c)
		}
	}
	slices.SortFunc(cp.t.Columns, compareColumns)
	cp.t.Available = bitset.New(len(cp.t.Columns))
	for i := range cp.t.Columns {
		cp.t.Reserved = cp.t.Reserved || cp.t.Columns[i].Offering.Reservation != ""
		if cp.t.Columns[i].Offering.Available {
			cp.t.Available.Add(i)
		}
	}
}

// compareColumns orders by price, then by name. Most pairs are decided by the first comparison.
func compareColumns(a, b Column) int {
	if a.Offering.Price != b.Offering.Price {
		return cmp.Compare(a.Offering.Price, b.Offering.Price)
	}
	if a.Type.Name != b.Type.Name {
		return cmp.Compare(a.Type.Name, b.Type.Name)
	}
	return cmp.Or(
		cmp.Compare(a.Offering.Zone, b.Offering.Zone),
		cmp.Compare(a.Offering.CapacityType, b.Offering.CapacityType),
		cmp.Compare(a.Offering.Reservation, b.Offering.Reservation),
		slices.Compare(a.room, b.room),
		cmp.Compare(a.typeIndex, b.typeIndex),
	)
}

// Label is what is known about a label of the column's nodes; ok is false if the
// column says nothing about the key.
func (c *Column) Label(key string) (v require.Values, ok bool) {
	switch key {
	case shape.LabelZone:
		return require.Only(key, c.Offering.Zone), c.Offering.Zone != ""
	case shape.LabelCapacityType:
		return require.Only(key, c.Offering.CapacityType), c.Offering.CapacityType != ""
	case shape.LabelInstanceType:
		return require.Only(key, c.Type.Name), true
	}
	if value, found := shape.LabelValue(c.Offering.Extra, key); found {
		return require.Only(key, value), true
	}
	i, found := slices.BinarySearchFunc(c.Type.Requirements, key, func(r shape.Requirement, k string) int {
		return cmp.Compare(r.Key, k)
	})
	if !found {
		return require.Any(key), false
	}
	return require.Of(c.Type.Requirements[i]), true
}

// value is the only value that a label of the column's nodes can have; ok is false if there are several, or it may be
// missing.
func (c *Column) value(key string) (value string, ok bool) {
	switch key {
	case shape.LabelZone:
		return c.Offering.Zone, c.Offering.Zone != ""
	case shape.LabelCapacityType:
		return c.Offering.CapacityType, c.Offering.CapacityType != ""
	case shape.LabelInstanceType:
		return c.Type.Name, true
	}
	return shape.LabelValue(c.Offering.Extra, key)
}

// indexWishes indexes the labels that pools name, before the pools are compiled: nothing but the columns is needed for
// it.
func (cp *compiler) indexWishes() {
	for _, p := range cp.t.snapshot.Pools {
		for i := range p.Requirements {
			cp.t.key(p.Requirements[i].Key)
		}
		for i := range p.Labels {
			cp.t.key(p.Labels[i].Key)
		}
		cp.t.key(shape.LabelNodePool)
	}
}

// Room is what a pool's node from a column has for pods, daemons taken off.
func (p *Pool) Room(column int) []int64 {
	d := p.dims
	return p.room[column*d : column*d+d : column*d+d]
}

// PossibleValues lists the values of a label that a new node of some pool could have, in no
// particular order.
func (t *Table) PossibleValues(key string) []string {
	out := slices.Clone(t.key(key).values)
	for _, p := range t.Pools {
		if f := p.free(key); f != nil {
			out = append(out, f.Values...)
		}
	}
	return out
}

// Allocatable is what the column's nodes have of one dimension, before daemons.
func (c *Column) Allocatable(d int) int64 { return c.room[d] }
