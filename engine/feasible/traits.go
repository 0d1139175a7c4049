package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Traits number the types, zones and capacity types of columns, all in one sequence: first the types, then the zones,
// then the capacity types, each by name. A claim lists the three separately, and the cloud may combine them.
type Traits struct {
	Of    [][3]int32 // by column
	Names []string   // by number

	Zones, Capacity int // the first numbers of zones and capacity types

	twins   []string // see Table.Ruling
	offered []bool   // by number: scratch of Closed
}

// Traits are those of the Table's columns. Neither it nor the methods of what it returns are safe for
// concurrent use.
func (off *Offerings) Traits() *Traits {
	if off.traits == nil {
		off.traits = newTraits(off)
	}
	return off.traits
}

func newTraits(off *Offerings) *Traits {
	tr := &Traits{Of: make([][3]int32, len(off.Columns))}
	number := map[*shape.InstanceType]int32{} // in the order of the columns, several of one name apart
	var types []string
	var zones, capacity []string
	for i := range off.Columns {
		c := &off.Columns[i]
		n, known := number[c.Type]
		if !known {
			n = int32(len(types))
			number[c.Type] = n
			types = append(types, c.Type.Name)
		}
		tr.Of[i] = [3]int32{n, note(&zones, c.Offering.Zone), note(&capacity, c.Offering.CapacityType)}
	}
	tr.twins = off.twins(tr.Of, len(types), len(zones), len(capacity))
	var rank [3][]int32
	for k, list := range [3][]string{types, zones, capacity} {
		sorted := slices.Clone(list)
		slices.Sort(sorted)
		sorted = slices.Compact(sorted)
		for _, name := range list {
			at, _ := slices.BinarySearch(sorted, name)
			rank[k] = append(rank[k], int32(len(tr.Names)+at))
		}
		tr.Names = append(tr.Names, sorted...)
		switch k {
		case 0:
			tr.Zones = len(tr.Names)
		case 1:
			tr.Capacity = len(tr.Names)
		}
	}
	for i := range tr.Of {
		for k := range rank {
			tr.Of[i][k] = rank[k][tr.Of[i][k]]
		}
	}
	tr.offered = make([]bool, len(tr.Names))
	return tr
}

// note is the position of a name in a short list, to which it is added if it is not there.
func note(list *[]string, name string) int32 {
	i := slices.Index(*list, name)
	if i < 0 {
		i = len(*list)
		*list = append(*list, name)
	}
	return int32(i)
}

// List names those of some numbers that are there, empty names left out.
func (t *Traits) List(have []bool, from, upto int) []string {
	out := make([]string, 0, upto-from)
	for n := from; n < upto; n++ {
		if have[n] && t.Names[n] != "" {
			out = append(out, t.Names[n])
		}
	}
	return slices.Clip(out)
}

// Closed reports whether every usable column that the types, zones and capacity types of some columns can be combined
// to is one of them.
func (t *Traits) Closed(usable, columns bitset.Set) bool {
	clear(t.offered)
	for i := columns.Next(0); i >= 0; i = columns.Next(i + 1) {
		for _, trait := range t.Of[i] {
			t.offered[trait] = true
		}
	}
	for i := usable.Next(0); i >= 0; i = usable.Next(i + 1) {
		if of := &t.Of[i]; t.offered[of[0]] && t.offered[of[1]] && t.offered[of[2]] && !columns.Has(i) {
			return false
		}
	}
	return true
}

// Settle narrows a pool's columns until they are closed, to some of those that share their zone, their capacity type
// and their type, in this order, with one of them.
func (off *Offerings) Settle(p *Pool, columns, free bitset.Set, like int) {
	for _, key := range []string{"", shape.LabelZone, shape.LabelCapacityType, shape.LabelInstanceType} {
		if key != "" {
			v, _ := off.Columns[like].Label(key)
			if value, ok := v.Some(); ok {
				off.Restrict(p, columns, free.Clone(), key, value, false)
			}
		}
		if off.Traits().Closed(off.combined(p, columns), columns) {
			return
		}
	}
}
