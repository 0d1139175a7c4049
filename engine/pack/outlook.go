package pack

import (
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// outlook is where new nodes can be opened for pods of a class. Classes that go to the same places and cost the same there
// share one: most differ in nothing but whom they count as neighbours.
type outlook struct {
	sites []site         // with a cell and a cost, and nothing else
	cells []*spread.Cell // where the pods could go by what they require, preferences aside
}

// lookKey is what an outlook depends on.
type lookKey struct {
	where, strict *feasible.Where
	first         *spread.Cell // of the cells by the class's keys, which there is one list of
	pod           podKey
}

// look is the outlook of a class, until a place is closed.
func (a *assigner) look(class int) *outlook {
	c := a.b.Table.Classes[class]
	cells := a.cellsOf(a.b.Spread.Classes[class].Keys)
	if len(cells) == 0 {
		return &outlook{}
	}
	key := lookKey{c.Where, c.Strict, cells[0], podKey{c.Size, a.b.Spread.MostOnHost(class)}}
	if known := a.looks[key]; known != nil {
		return known
	}
	out := &outlook{}
	for _, cell := range cells {
		if cost, ok := a.opens(class, cell); ok {
			out.sites = append(out.sites, site{domains: cell.Domains, cell: cell, cost: cost})
		}
		if _, ok := a.opensAt(class, c.Strict, cell); ok {
			out.cells = append(out.cells, cell)
		}
	}
	a.looks[key] = out
	return out
}
