package pack

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Item is pods that need new nodes and are alike in everything that matters to them.
type Item struct {
	Class int          // index into feasible.Table.Classes
	Cell  *spread.Cell // the domains that were settled, nil if they do not matter
	Count int
}

// assign places what fits on existing nodes, turns what needs new ones into items, and returns how
// many pods can do neither. A class that finds no place gives up its preferences one by one.
func (a *assigner) assign(class, left int) int {
	if a.b.Table.Classes[class].Refused != "" {
		return left
	}
	for ; class >= 0 && left > 0; class = int(a.b.Table.Classes[class].Next) {
		if a.b.Spread.Classes[class].Domains {
			left = a.byDomain(class, left)
		} else {
			left = a.anywhere(class, left)
		}
	}
	return left
}

type assigner struct {
	b       *board.Board
	items   []Item
	cells   map[string][]*spread.Cell
	markets map[maskKey]*market
	lists   []*market        // those of markets, each once
	closed  map[costKey]bool // where no node could be opened after all
	looks   map[lookKey]*outlook
	shuns   []bool // see shunned

	// Scratch of sites.
	open []site
	list []*site
}

func newAssigner(b *board.Board) *assigner {
	return &assigner{b: b, cells: map[string][]*spread.Cell{}, markets: map[maskKey]*market{}, closed: map[costKey]bool{}, looks: map[lookKey]*outlook{}}
}

// costKey is what the cost of a pod on a new node depends on.
type costKey struct {
	place maskKey
	pod   podKey
}

// podKey is what the cost depends on in one place.
type podKey struct {
	size int32
	most int32 // pods of the class on one node; 0 for any number
}

// anywhere fills existing nodes in order, then counts on new ones.
func (a *assigner) anywhere(class, left int) int {
	least := 1
	if _, ok := a.opens(class, nil); ok && a.b.Spread.Clings(class) {
		least = left // all on one node, or all on a new one
	}
	for node := range a.b.Table.Nodes {
		if left == 0 {
			return 0
		}
		n := a.b.Room(node, class, left)
		if n < least || !a.b.Allows(node, class) {
			continue
		}
		a.b.Place(node, class, n)
		left -= n
	}
	if _, ok := a.opens(class, nil); ok && left > 0 && a.accompanied(class, nil) {
		a.items = append(a.items, Item{Class: class, Count: left})
		a.b.Spread.EnterHosts(class, int32(left))
		return 0
	}
	return left
}

// site is one combination of domains with what is there for a class.
type site struct {
	domains []int32
	nodes   []int32
	next    int // nodes before it are full
	cell    *spread.Cell
	cost    float64 // of a pod on a new node here; only meaningful with cell
	opened  int     // pods sent to new nodes here
}

// byDomain settles the domain of each pod and returns for how many that is impossible.
func (a *assigner) byDomain(class, left int) int {
	sites := a.sites(class)
	for ; left > 0; left-- {
		best := a.best(class, sites)
		if best == nil {
			break
		}
		if best.next < len(best.nodes) {
			a.b.Place(int(best.nodes[best.next]), class, 1)
			continue
		}
		if best.opened == 0 {
			a.b.Spread.Open(best.cell)
		}
		a.b.Spread.Enter(class, a.b.Table, best.cell, 1)
		best.opened++
	}
	for _, s := range sites {
		if s.opened > 0 {
			a.items = append(a.items, Item{Class: class, Cell: s.cell, Count: s.opened})
		}
	}
	return left
}

// best is the site for the next pod: room that is there already, then the cheapest new
// room; of equals the one with the fewest pods that its rules count.
func (a *assigner) best(class int, sites []*site) *site {
	var best *site
	var bestCost float64
	var bestCount int32
	for _, s := range sites {
		if _, ok := a.b.Spread.CellAllows(class, s.domains); !ok {
			continue
		}
		for s.next < len(s.nodes) && a.b.Room(int(s.nodes[s.next]), class, 1) == 0 {
			s.next++
		}
		cost := 0.0
		if s.next == len(s.nodes) {
			if s.cell == nil || s.opened == 0 && !a.accompanied(class, s.cell) {
				continue
			}
			cost = s.cost
		}
		count := a.count(class, s)
		if best == nil || cost < bestCost || cost == bestCost && count < bestCount {
			best, bestCost, bestCount = s, cost, count
		}
	}
	return best
}

// count is how crowded a site is by the tallies that concern the class. Where others only want to keep away from its
// pods it is the better the more crowded it is.
func (a *assigner) count(class int, s *site) int32 {
	st := a.b.Spread
	n := int32(0)
	for _, k := range st.Classes[class].Adds {
		t := &st.Tallies[k]
		d := s.domains[t.Key]
		switch {
		case d < 0:
		case a.shunned(k):
			n -= t.Count[d]
		default:
			n += t.Count[d]
		}
	}
	return n
}

// meeting reports whether one node may be in both cells. They may be of different keys.
func meeting(a, b *spread.Cell) bool {
	if a == nil || b == nil || a == b {
		return true
	}
	for k, d := range a.Domains {
		if e := b.Domains[k]; d >= 0 && e >= 0 && d != e {
			return false
		}
	}
	return true
}

// shunned reports whether all that is asked of a tally is to be where it counts nothing.
func (a *assigner) shunned(tally int32) bool {
	if a.shuns == nil {
		a.shuns = make([]bool, len(a.b.Spread.Tallies))
		for _, apart := range []bool{true, false} {
			for i := range a.b.Spread.Classes {
				for _, r := range a.b.Spread.Classes[i].Rules {
					if apart == (r.Kind == spread.Apart) {
						a.shuns[r.Tally] = apart
					}
				}
			}
		}
	}
	return a.shuns[tally]
}

// accompanied reports whether pods with an affinity by hostname may find what they look for on a new node of the cell:
// others that are to go there, or nobody at all if they may be the first.
func (a *assigner) accompanied(class int, cell *spread.Cell) bool {
	st := a.b.Spread
	for i := range st.Classes[class].Rules {
		r := &st.Classes[class].Rules[i]
		if r.Kind != spread.Near || !st.Keys[r.Key].Host || st.First(r) {
			continue
		}
		if !slices.ContainsFunc(a.items, func(it Item) bool {
			return meeting(it.Cell, cell) && slices.Contains(st.Classes[it.Class].Adds, r.Tally)
		}) {
			return false
		}
	}
	return true
}

// sites lists where pods of a class could go, in the order of the domains. The list is good until the next one is made.
func (a *assigner) sites(class int) []*site {
	b := a.b
	keys := b.Spread.Classes[class].Keys
	a.open = append(a.open[:0], a.look(class).sites...)
	sites := a.list[:0]
	for i := range a.open {
		sites = append(sites, &a.open[i])
	}
	a.setUniverse(class)
	var domains []int32
	for node := range b.Table.Nodes {
		if b.Room(node, class, 1) == 0 || !b.Allows(node, class) {
			continue
		}
		domains = b.Spread.NodeCell(keys, node, domains)
		i := slices.IndexFunc(sites, func(s *site) bool { return slices.Equal(s.domains, domains) })
		if i < 0 {
			i = len(sites)
			sites = append(sites, &site{domains: slices.Clone(domains)})
		}
		sites[i].nodes = append(sites[i].nodes, int32(node))
	}
	a.list = sites
	return sites
}

// setUniverse tells the class's spread rules in which domains a node for its pods could be opened, preferences aside.
func (a *assigner) setUniverse(class int) {
	st := a.b.Spread
	rules := st.Classes[class].Rules
	spreads := func(r spread.Rule) bool { return r.Kind == spread.Skew && !st.Keys[r.Key].Host }
	if !slices.ContainsFunc(rules, spreads) {
		return
	}
	for _, cell := range a.look(class).cells {
		if slices.ContainsFunc(rules, func(r spread.Rule) bool { return spreads(r) && cell.Domains[r.Key] < 0 }) {
			continue
		}
		for i := range rules {
			if spreads(rules[i]) {
				st.SetUniverse(&rules[i], cell.Domains[rules[i].Key])
			}
		}
	}
}

func (a *assigner) cellsOf(keys []int32) []*spread.Cell {
	text := make([]byte, 0, 8)
	for _, k := range keys {
		text = append(text, byte(k), byte(k>>8))
	}
	if cells, ok := a.cells[string(text)]; ok {
		return cells
	}
	cells := a.b.Spread.Cells(keys)
	a.cells[string(text)] = cells
	return cells
}

// opens reports whether a new node for the class is possible in a cell, and what a pod would
// cost there at best: its dominant share of the cheapest machine, more if a node may hold only so many.
func (a *assigner) opens(class int, cell *spread.Cell) (cost float64, ok bool) {
	return a.opensAt(class, a.b.Table.Classes[class].Where, cell)
}

// opensAt is opens for pods of the class's size that may go elsewhere than it.
func (a *assigner) opensAt(class int, where *feasible.Where, cell *spread.Cell) (cost float64, ok bool) {
	c := a.b.Table.Classes[class]
	key := costKey{maskKey{where, cell}, podKey{c.Size, a.b.Spread.MostOnHost(class)}}
	if len(a.closed) > 0 && a.closed[key] {
		return math.Inf(1), false
	}
	cost = a.market(key.place).cost(key.pod, c.First)
	return cost, !math.IsInf(cost, 1)
}

// close notes that no more nodes can be opened for pods like those of a class.
func (a *assigner) close(class int, cell *spread.Cell) {
	c := a.b.Table.Classes[class]
	a.closed[costKey{maskKey{c.Where, cell}, podKey{c.Size, a.b.Spread.MostOnHost(class)}}] = true
	clear(a.looks)
}
