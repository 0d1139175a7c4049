package place

import (
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// prospects is where new nodes can be opened for pods of a class. Classes that go to the same places and cost the same
// there share one: most differ only in which pods they count as neighbours.
type prospects struct {
	sites []target       // with a cell and a cost, and nothing else
	cells []*spread.Cell // where the pods could go by what they require, preferences aside
}

// prospectsKey is what prospects depend on.
type prospectsKey struct {
	where, strict *feasible.Where
	first         *spread.Cell // of the cells by the class's keys, which there is one list of
	pod           podKey
}

// prospects are those of a class, until a place is closed.
func (a *Placer) prospects(class int) *prospects {
	c := a.board.Table.Classes[class]
	cells := a.Cells(a.board.Spread.Classes[class].Keys)
	if len(cells) == 0 {
		return &prospects{}
	}
	required := firm(a.board.Table, class)
	key := prospectsKey{c.Where, required, cells[0], podKey{c.Size, a.board.Spread.MostOnHost(class)}}
	if known := a.known[key]; known != nil {
		return known
	}
	out := &prospects{}
	for _, cell := range cells {
		if cost, ok := a.opens(class, cell); ok {
			out.sites = append(out.sites, target{domains: cell.Domains, cell: cell, cost: cost})
		}
		if _, why := a.opensAt(class, required, cell); why != pointless {
			out.cells = append(out.cells, cell)
		}
	}
	a.known[key] = out
	return out
}

// firm is where pods of a class may go on new nodes when all their preferences are given up: a daemon that is not to be
// near them is none of these.
func firm(t *feasible.Table, class int) *feasible.Where {
	for t.Classes[class].Next >= 0 {
		class = int(t.Classes[class].Next)
	}
	return t.Classes[class].Where
}
