package place

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// assign places what fits on existing nodes, turns what needs new ones into items, and returns how
// many pods can do neither. A class that finds no place gives up its preferences one by one.
func (a *Placer) Assign(class, left int) int {
	if a.board.Table.Classes[class].Refused != "" {
		return left
	}
	for ; class >= 0 && left > 0; class = int(a.board.Table.Classes[class].Next) {
		if a.board.Spread.Classes[class].Domains {
			left = a.assignByDomain(class, left)
		} else {
			left = a.assignAnywhere(class, left)
		}
	}
	return left
}

type Placer struct {
	board       *board.Board
	Items       []board.Item
	cells       map[string][]*spread.Cell
	priceLists  map[ScopeKey]*priceList
	distinct    []*priceList // those of markets, each once
	closed      map[costKey]verdict
	leastOthers map[int32][]int64 // see othersNeed
	offers      map[costKey]bool  // where a node could have been opened before the plan, as far as it was asked
	known       map[prospectsKey]*prospects
	avoided     []bool // see isAvoided

	Scarce bool            // something may run out: limits, reservations, minValues
	way    Way             // how pods choose among domains
	level  bool            // pods on new nodes are sent where there are fewest, not where they cost least
	start  *limits.Budgets // what they were before the plan
	Counts bool            // turns are counted
	Turn   int32           // pods that were sent to cells

	// Scratch of sites.
	siteScratch []target
	siteList    []*target
}

// New is for a board with its limits, before anything is placed. With level, pods on new nodes are sent where there are
// fewest, whatever they cost there, if something may run out.
func New(b *board.Board, level bool, way Way) *Placer {
	a := &Placer{
		board: b, way: way, cells: map[string][]*spread.Cell{}, priceLists: map[ScopeKey]*priceList{},
		closed:      map[costKey]verdict{},
		leastOthers: map[int32][]int64{}, offers: map[costKey]bool{}, known: map[prospectsKey]*prospects{},
	}
	if limits.Scarce(b.Table) {
		a.Scarce, a.start, a.level = true, b.Limits.Clone(), level
	}
	a.Counts = a.Scarce || limited(b.Table)
	return a
}

// limited reports whether any pool has limits, though this plan may be out of their reach: whoever carries it out may
// find less left of them.
func limited(t *feasible.Table) bool {
	return slices.ContainsFunc(t.Snapshot().Pools, func(pool *shape.Pool) bool { return len(pool.Limits) > 0 })
}

// verdict is why no node can be opened somewhere.
type verdict uint8

const (
	open      verdict = iota
	pointless         // no node could be opened after all
	usedUp            // nodes could have been opened, but others took what is scarce
)

// costKey is what the cost of a pod on a new node depends on.
type costKey struct {
	place ScopeKey
	pod   podKey
}

// podKey is what the cost depends on in one place.
type podKey struct {
	size int32
	most int32 // pods of the class on one node; 0 for any number
}

// assignAnywhere fills existing nodes in order, then counts on new ones.
func (a *Placer) assignAnywhere(class, left int) int {
	least := 1
	if _, ok := a.opens(class, nil); ok && a.board.Spread.Clings(class) {
		least = left // all on one node, or all on a new one
	}
	for again := true; again && left > 0; {
		again = false
		for node := range a.board.Table.Nodes {
			if left == 0 {
				return 0
			}
			n := a.board.Room(node, class, left)
			if n < least || !a.board.Allows(node, class) {
				continue
			}
			a.board.Place(node, class, n)
			left -= n
			again = a.board.Spread.Levels(class)
		}
	}
	if _, ok := a.opens(class, nil); ok && left > 0 && a.accompanied(class, nil) {
		a.Items = append(a.Items, board.Item{Class: class, Count: left})
		a.board.Send(class, nil, left)
		return 0
	}
	return left
}

// target is one combination of domains with what is there for a class.
type target struct {
	domains []int32
	nodes   []int32
	next    int   // nodes before it are full
	level   int64 // spread.State.Level when the first of the nodes was looked at
	cell    *spread.Cell
	cost    float64 // of a pod on a new node here; only meaningful with cell
	// when the sites were listed a node here would have brought a domain that no rule misses; see spread.State.Fresh
	fresh  bool
	opened int     // pods sent to new nodes here
	turns  []int32 // when, if turns are counted
}

// assignByDomain settles the domain of each pod and returns for how many that is impossible.
func (a *Placer) assignByDomain(class, left int) int {
	sites := a.targets(class)
	for ; left > 0; left-- {
		best := a.best(class, sites)
		if best == nil {
			break
		}
		if best.next < len(best.nodes) {
			a.board.Place(int(best.nodes[best.next]), class, 1)
			continue
		}
		if best.opened == 0 {
			a.board.OpenCell(best.cell)
		}
		a.board.Send(class, best.cell, 1)
		best.opened++
		if a.Counts {
			best.turns = append(best.turns, a.Turn)
			a.Turn++
		}
	}
	if a.way.Whole {
		a.fillUp(class, sites)
	}
	for _, s := range sites {
		if s.opened > 0 {
			a.Items = append(a.Items, board.Item{Class: class, Cell: s.cell, Count: s.opened, Turns: s.turns})
		}
	}
	return left
}

// choice is what sites for the next pod are compared by.
type choice struct {
	cost  float64 // of the pod; room that is there costs nothing
	leans bool    // it is where the plan is tried to be
	fresh bool    // it would bring a domain that nobody misses
	count int32   // see count
}

// best is the site for the next pod: room that is there already, then the cheapest new
// room; of equals the one with the fewest pods that its rules count.
func (a *Placer) best(class int, sites []*target) *target {
	var best *target
	var least choice
	levels := a.board.Spread.Levels(class)
	for _, s := range sites {
		if _, ok := a.board.Spread.CellAllows(class, s.domains); !ok {
			continue
		}
		a.advance(class, s, levels)
		c := choice{count: a.count(class, s)}
		if s.next == len(s.nodes) {
			if s.cell == nil || s.opened == 0 && !a.accompanied(class, s.cell) {
				continue
			}
			c.cost, c.leans, c.fresh = s.cost, a.way.leans(a.board.Spread, s), s.fresh && fresh(a, class, s)
		}
		if best == nil || a.better(c, least) {
			best, least = s, c
		}
	}
	return best
}

// better compares two sites for the next pod.
func (a *Placer) better(c, than choice) bool {
	level := (a.level || a.way.Even) && c.cost > 0 && than.cost > 0
	switch {
	case c.cost > 0 && than.cost > 0 && c.leans != than.leans:
		return c.leans
	case level && c.fresh == than.fresh && c.count != than.count:
		return c.count < than.count
	case c.cost != than.cost && !(level && c.fresh != than.fresh):
		return c.cost < than.cost
	case c.fresh != than.fresh:
		return than.fresh
	}
	return c.count < than.count
}

// fresh reports whether a new node at a site would bring a domain that nobody misses.
func fresh(a *Placer, class int, s *target) bool {
	keys := a.board.Spread.Classes[class].Keys
	return slices.ContainsFunc(keys, func(k int32) bool { return a.board.Spread.Keys[k].Fresh(s.domains[k]) })
}

// advance goes on to the next node of a site that takes a pod. Those that were passed over for having more pods than
// others are looked at again when the others have as many; levels tells that there may be such.
func (a *Placer) advance(class int, s *target, levels bool) {
	for {
		for s.next < len(s.nodes) && a.board.Room(int(s.nodes[s.next]), class, 1) == 0 {
			s.next++
		}
		if !levels || s.next < len(s.nodes) || len(s.nodes) == 0 {
			return
		}
		level := a.board.Spread.Level(class)
		if level == s.level {
			return
		}
		s.next, s.level = 0, level
	}
}

// count is how crowded a site is by the tallies that concern the class. Where others only want to keep away from its
// pods it is the better the more crowded it is.
func (a *Placer) count(class int, s *target) int32 {
	st := a.board.Spread
	n := int32(0)
	for _, k := range st.Classes[class].Adds {
		t := &st.Tallies[k]
		d := s.domains[t.Key]
		switch {
		case d < 0:
		case isAvoided(a, k):
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

// isAvoided reports whether all that is asked of a tally is to be where it counts nothing.
func isAvoided(a *Placer, tally int32) bool {
	if a.avoided == nil {
		a.avoided = make([]bool, len(a.board.Spread.Tallies))
		eachRule(a, func(r *spread.Rule) { a.avoided[r.Tally] = a.avoided[r.Tally] || r.Kind == spread.Apart })
		eachRule(a, func(r *spread.Rule) { a.avoided[r.Tally] = a.avoided[r.Tally] && r.Kind == spread.Apart })
	}
	return a.avoided[tally]
}

// eachRule calls do for the rules of all classes.
func eachRule(a *Placer, do func(r *spread.Rule)) {
	for i := range a.board.Spread.Classes {
		rules := a.board.Spread.Classes[i].Rules
		for k := range rules {
			do(&rules[k])
		}
	}
}

// accompanied reports whether pods with an affinity by hostname may find what they look for on a new node of the cell:
// others that are to go there, or none at all if they may be the first.
func (a *Placer) accompanied(class int, cell *spread.Cell) bool {
	st := a.board.Spread
	for i := range st.Classes[class].Rules {
		r := &st.Classes[class].Rules[i]
		if r.Kind != spread.Near || !st.Keys[r.Key].Host || st.First(r) {
			continue
		}
		if !slices.ContainsFunc(a.Items, func(it board.Item) bool {
			return meeting(it.Cell, cell) && slices.Contains(st.Classes[it.Class].Adds, r.Tally)
		}) {
			return false
		}
	}
	return true
}

// targets lists where pods of a class could go, in the order of the domains. The list is good until the next one is
// made.
func (a *Placer) targets(class int) []*target {
	b := a.board
	keys := b.Spread.Classes[class].Keys
	a.siteScratch = append(a.siteScratch[:0], a.prospects(class).sites...)
	sites := a.siteList[:0]
	for i := range a.siteScratch {
		a.siteScratch[i].fresh = fresh(a, class, &a.siteScratch[i])
		sites = append(sites, &a.siteScratch[i])
	}
	a.setUniverse(class)
	room := b.Room
	if b.Spread.Levels(class) {
		room = b.Fits
	}
	var domains []int32
	for node := range b.Table.Nodes {
		if room(node, class, 1) == 0 || !b.Allows(node, class) {
			continue
		}
		domains = b.Spread.NodeCell(keys, node, domains)
		i := slices.IndexFunc(sites, func(s *target) bool { return slices.Equal(s.domains, domains) })
		if i < 0 {
			i = len(sites)
			sites = append(sites, &target{domains: slices.Clone(domains)})
		}
		sites[i].nodes = append(sites[i].nodes, int32(node))
	}
	a.siteList = sites
	b.Spread.Narrow(class, func(key, domain int32) bool {
		return !b.Spread.Keys[key].Fresh(domain) &&
			slices.ContainsFunc(sites, func(s *target) bool { return s.domains[key] == domain })
	})
	return sites
}

// setUniverse tells the class's spread rules in which domains a node for its pods could be opened, preferences aside.
func (a *Placer) setUniverse(class int) {
	st := a.board.Spread
	rules := st.Classes[class].Rules
	spreads := func(r spread.Rule) bool { return r.Kind == spread.Skew && !st.Keys[r.Key].Host }
	if !slices.ContainsFunc(rules, spreads) {
		return
	}
	for _, cell := range a.prospects(class).cells {
		if slices.ContainsFunc(rules, func(r spread.Rule) bool { return spreads(r) && cell.Domains[r.Key] < 0 }) {
			continue
		}
		for i := range rules {
			if spreads(rules[i]) && !st.Keys[rules[i].Key].Fresh(cell.Domains[rules[i].Key]) {
				st.SetUniverse(&rules[i], cell.Domains[rules[i].Key])
			}
		}
	}
}

func (a *Placer) Cells(keys []int32) []*spread.Cell {
	text := make([]byte, 0, 8)
	for _, k := range keys {
		text = append(text, byte(k), byte(k>>8))
	}
	if cells, ok := a.cells[string(text)]; ok {
		return cells
	}
	cells := a.board.Spread.Cells(keys)
	a.cells[string(text)] = cells
	return cells
}

// othersNeed is the least that pods of other sizes than a class's need of each resource: where not even that is left of
// a machine, none of them goes there. nil if there are no such pods.
func othersNeed(a *Placer, c *feasible.Class) []int64 {
	least, known := a.leastOthers[c.Size]
	if known {
		return least
	}
	for _, o := range a.board.Table.Classes {
		if o.Size == c.Size || len(o.Pods) == 0 || o.Refused != "" {
			continue
		}
		if least == nil {
			least = slices.Clone(o.Need)
			continue
		}
		for d, n := range o.Need {
			least[d] = min(least[d], n)
		}
	}
	a.leastOthers[c.Size] = least
	return least
}

// opens reports whether a new node for the class is possible in a cell, and what a pod would cost there at best: its
// dominant share of the cheapest machine, more if a node may hold only so many or nothing fills it up.
func (a *Placer) opens(class int, cell *spread.Cell) (cost float64, ok bool) {
	cost, why := a.opensAt(class, a.board.Table.Classes[class].Where, cell)
	return cost, why == open
}

// opensAt is opens for pods of the class's size that may go elsewhere than it, with why there can be no node.
func (a *Placer) opensAt(class int, where *feasible.Where, cell *spread.Cell) (cost float64, why verdict) {
	c := a.board.Table.Classes[class]
	key := costKey{ScopeKey{where, cell}, podKey{c.Size, a.board.Spread.MostOnHost(class)}}
	if len(a.closed) > 0 && a.closed[key] != open {
		return math.Inf(1), a.closed[key]
	}
	cost = a.priceList(key.place).cost(key.pod, c.First, othersNeed(a, c))
	if math.IsInf(cost, 1) || a.Scarce && !a.offered(key, c) {
		return math.Inf(1), pointless
	}
	return cost, open
}

// offered reports whether limits and reservations had room for a node before the plan.
func (a *Placer) offered(key costKey, c *feasible.Class) bool {
	yes, known := a.offers[key]
	if !known {
		m := NewScope(a.board.Table, key.place)
		yes = m.Opens(a.start, c)
		a.offers[key] = yes
	}
	return yes
}

// Close notes that no more nodes can be opened for pods like those of a class, for want of something scarce or
// otherwise.
func (a *Placer) Close(class int, cell *spread.Cell, scarce bool) {
	c := a.board.Table.Classes[class]
	why := pointless
	if scarce {
		why = usedUp
	}
	for _, where := range []*feasible.Where{c.Where, firm(a.board.Table, class)} {
		if where == c.Where || scarce {
			a.closed[costKey{ScopeKey{where, cell}, podKey{c.Size, a.board.Spread.MostOnHost(class)}}] = why
		}
	}
	clear(a.known)
}
