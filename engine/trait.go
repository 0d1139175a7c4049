package engine

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// traits number the types, zones and capacity types of columns, all in one sequence: first the types, then the zones,
// then the capacity types, each by name.
type traits struct {
	of    [][3]int32 // by column
	names []string   // by number

	zones, capacity int // the first numbers of zones and capacity types
}

func traitsOf(t *feasible.Table) traits {
	tr := traits{of: make([][3]int32, len(t.Columns))}
	number := map[*shape.InstanceType]int32{} // in the order of the columns, several of one name apart
	var types []string
	var zones, capacity []string
	for i := range t.Columns {
		c := &t.Columns[i]
		n, known := number[c.Type]
		if !known {
			n = int32(len(types))
			number[c.Type] = n
			types = append(types, c.Type.Name)
		}
		tr.of[i] = [3]int32{n, note(&zones, c.Offering.Zone), note(&capacity, c.Offering.CapacityType)}
	}
	var rank [3][]int32
	for k, list := range [3][]string{types, zones, capacity} {
		sorted := slices.Clone(list)
		slices.Sort(sorted)
		sorted = slices.Compact(sorted)
		for _, name := range list {
			at, _ := slices.BinarySearch(sorted, name)
			rank[k] = append(rank[k], int32(len(tr.names)+at))
		}
		tr.names = append(tr.names, sorted...)
		switch k {
		case 0:
			tr.zones = len(tr.names)
		case 1:
			tr.capacity = len(tr.names)
		}
	}
	for i := range tr.of {
		for k := range rank {
			tr.of[i][k] = rank[k][tr.of[i][k]]
		}
	}
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

// list names those of some numbers that are there, empty names left out.
func (t *traits) list(have []bool, from, upto int) []string {
	out := make([]string, 0, upto-from)
	for n := from; n < upto; n++ {
		if have[n] && t.names[n] != "" {
			out = append(out, t.names[n])
		}
	}
	return slices.Clip(out)
}
