package place

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// The domains of pods are chosen one pod after the other, each the cheapest for itself. Several kinds of pods may be
// cheaper together where none of them would have gone, one zone may have room for all that look for each other and the
// cheapest one not, and the last pod of a kind may want a machine of its own in one domain and none in another. So
// small plans are made in several ways, and the best one counts.

// Way is how pods that go to new nodes choose among domains. The zero Way is what costs least for each pod.
type Way struct {
	Even  bool // where there are fewest of them
	Last  bool // and pods of equal priority come in the opposite order: those that others keep away from may be more
	Many  bool // and where limits leave some without a node, as many as can be get one, the smallest first
	Joint bool // and pods of different priorities that all have a node share machines
	Whole bool // pods of a class leave domains in which their last machine is hardly used for others

	// Key and Domain are a label and its value: pods go to this domain as long as they may. Empty for none.
	Key, Domain string
}

// leans reports whether a site is in the domain that pods are to go to.
func (w Way) leans(st *spread.State, s *target) bool {
	if w.Key == "" {
		return false
	}
	k := slices.IndexFunc(st.Keys, func(k spread.Key) bool { return k.Name == w.Key })
	return k >= 0 && s.domains[k] >= 0 && st.Keys[k].Domains[s.domains[k]] == w.Domain
}

// fillUp has pods of a class that are on new nodes move from site to site while their machines, with nobody else on
// them, get cheaper, and rules allow it.
func (a *Placer) fillUp(class int, sites []*target) {
	total := 0
	for _, s := range sites {
		total += s.opened
	}
	alone := make([][]float64, len(sites))
	for i, s := range sites {
		if s.cell != nil {
			alone[i] = a.alone(class, s.cell, total)
		}
	}
	for range sites {
		if !a.moveAny(class, sites, alone) {
			return
		}
	}
}

// moveAny is one pass of fillUp.
func (a *Placer) moveAny(class int, sites []*target, alone [][]float64) (moved bool) {
	for i, from := range sites {
		for j, to := range sites {
			open := alone[j] != nil && to.next == len(to.nodes) && (to.opened > 0 || !to.fresh)
			if i != j && from.opened > 0 && open {
				moved = a.moveSome(class, [2]*target{from, to}, [2][]float64{alone[i], alone[j]}) || moved
			}
		}
	}
	return moved
}

// moveSome moves as many pods between two sites as saves most; costs are those of their machines by pods.
func (a *Placer) moveSome(class int, at [2]*target, costs [2][]float64) bool {
	from, to := at[0], at[1]
	best, most := 0, float64((costs[0][from.opened]+costs[1][to.opened])*1e-6)
	for n := 1; n <= from.opened; n++ {
		saves := costs[0][from.opened] + costs[1][to.opened] - costs[0][from.opened-n] - costs[1][to.opened+n]
		if saves > most {
			best, most = n, saves
		}
	}
	return best > 0 && a.transfer(class, from, to, best)
}

// transfer moves pods between sites if the rules hold afterwards.
func (a *Placer) transfer(class int, from, to *target, n int) bool {
	st := a.board.Spread
	fresh := to.opened == 0
	a.board.Send(class, from.cell, -n)
	if fresh {
		a.board.OpenCell(to.cell)
	}
	moved, ok := 0, true
	for ; moved < n && ok; moved++ {
		if _, ok = st.CellAllows(class, to.domains); ok {
			a.board.Send(class, to.cell, 1)
		}
	}
	if !ok {
		moved--
	}
	if ok && from.opened > n { // those that stay must not be too many now
		a.board.Send(class, from.cell, -1)
		_, ok = st.CellAllows(class, from.domains)
		a.board.Send(class, from.cell, 1)
	}
	if !ok {
		a.board.Send(class, to.cell, -moved)
		a.board.Send(class, from.cell, n)
		return false
	}
	from.opened, to.opened = from.opened-n, to.opened+n
	if a.Counts {
		keep := len(from.turns) - n
		to.turns = append(to.turns, from.turns[keep:]...)
		from.turns = from.turns[:keep]
		slices.Sort(to.turns)
	}
	return true
}

// alone is by number what pods of a class cost at least on machines of their own in a cell.
func (a *Placer) alone(class int, cell *spread.Cell, total int) []float64 {
	c := a.board.Table.Classes[class]
	most := total
	if n := int(a.board.Spread.MostOnHost(class)); n > 0 {
		most = min(most, n)
	}
	type sold struct {
		machine
		holds int
	}
	var any, few []sold
	for _, m := range a.priceList(ScopeKey{c.Where, cell}).machines {
		s := sold{m, feasible.FitsAfter(c.First, c.Need, m.room, most)}
		switch {
		case s.holds == 0:
		case m.left > 0:
			few = append(few, s)
		case len(any) == 0 || s.holds > any[len(any)-1].holds: // they ascend by price
			any = append(any, s)
		}
	}
	out := make([]float64, total+1)
	for n := 1; n <= total; n++ {
		out[n] = 1e18
		for _, s := range any {
			out[n] = min(out[n], s.price+out[max(n-s.holds, 0)])
		}
	}
	for _, s := range few {
		for n := total; n > 0; n-- {
			for k := 1; k <= s.left && (k-1)*s.holds < n; k++ {
				out[n] = min(out[n], float64(s.price*float64(k))+out[max(n-k*s.holds, 0)])
			}
		}
	}
	return out
}
