package binpack

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/fanout"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Work is what to pack, and how.
type Work struct {
	Table     *feasible.Table
	Spread    *spread.State
	Items     []board.Item
	Limits    *limits.Budgets // used up by what is opened
	NodePrice shape.Money     // added to each node's price in comparisons
	Effort    int             // steps that may be spent on improving

	// Proven is what any packing of the same pods costs at least, in whatever domains they are settled; 0 if nobody has
	// proved it. What is known is not proved again.
	Proven float64

	// Frugal is by item how many pods come first: those that found no node when the same was tried before. Where it is
	// not nil, pods that fewer pools suit come next; see [solver.turns].
	Frugal []int

	// Sparing is set when limits come before money: of machines that hold the pods those count as cheap that take the
	// smallest part of what is left of their pool's limits.
	Sparing bool

	// Many is set, with Sparing, when each pod counts as much as any other: the smallest come first.
	Many bool
}

// Packing is what was made of them.
type Packing struct {
	Items []board.Item // those of the Work
	Left  []int        // by item: pods without a node
	Bins  []board.Bin  // Entries refer to Items
	Steps int          // that were spent
	Floor float64      // no packing of the same items costs less; 0 if nothing is known
}

// Fill packs items into new nodes.
func Fill(w Work) *Packing {
	s := &solver{
		table: w.Table, spread: w.Spread, items: w.Items, nodePrice: w.NodePrice, effort: w.Effort, limits: w.Limits,
		frugal: w.Frugal, proven: w.Proven, many: w.Many,
	}
	if w.Sparing {
		s.spared = w.Limits.Clone()
	}
	if len(w.Items) > 0 {
		s.pack()
	}
	return &Packing{Items: s.items, Left: s.left, Bins: s.bins, Steps: s.steps, Floor: s.floor}
}

func (s *solver) pack() {
	s.prepare()
	tiers := feasible.Tiers(s.table)
	kinds := make([][]kind, len(tiers))
	fanout.Both(s.buildRows, func() {
		if len(tiers) > 0 {
			kinds[0] = s.kinds(tiers[0]) // there are rarely others
		}
	})
	before := s.limits
	if len(tiers) > 1 {
		before = s.limits.Clone()
	}
	for i, pools := range tiers {
		if i > 0 && s.leftOver() > 0 {
			kinds[i] = s.kinds(pools)
		}
		if len(kinds[i]) > 0 {
			s.turns(pools, tiers[i:], kinds[i])
		}
	}
	switch {
	case s.leftOver() > 0 || len(s.floors) == 0 || s.nodePrice > 0 || s.spared != nil:
		s.floor = 0
	case len(s.floors) > 1:
		s.floor = (&prover{s}).anyTier(slices.Concat(tiers...), before)
	}
	if s.floor > 0 {
		s.floor = max(s.floor, s.proven)
	}
	s.handOut()
}

type solver struct {
	table     *feasible.Table
	spread    *spread.State
	items     []board.Item
	nodePrice shape.Money
	limits    *limits.Budgets
	effort    int
	steps     int
	proven    float64         // of the same pods, in whatever domains; 0 if nobody has
	frugal    []int           // by item: pods that come first; nil for a solver that keeps to no such order; see turns
	spared    *limits.Budgets // what was left at the beginning of limits that come before money; nil if they do not
	many      bool            // each pod counts as much as any other

	scopes         []place.Scope
	scopeOf        []int // by item
	rows           []row
	buckets        []bucket
	near           []int32      // hostname tallies that some row needs
	allFree        []bitset.Set // by pool
	left           []int        // by item: pods still to be packed
	opened         []opening
	bins           []board.Bin
	scratchFilling *filling

	// What openings are made of.
	wordSlab   slab[uint64]
	numberSlab slab[int64]
	entrySlab  slab[board.Entry]

	// floor is a price that no packing can go below; floors has what each tier began with.
	floor  float64
	floors []float64
}

// wholeLimit is what all that is left of a limit costs where limits come before money: far more than any machine.
const wholeLimit = 1e10

// cost is what a machine counts for in comparisons, with Policy's price of a node.
func (s *solver) cost(pool, column int) float64 {
	price := float64(s.table.Columns[column].Price() + s.nodePrice)
	if s.spared == nil {
		return price
	}
	return price + float64(wholeLimit*s.spared.Share(pool, column))
}

// scratch is a filling to try things with.
func (s *solver) scratch() *filling {
	if s.scratchFilling == nil {
		s.scratchFilling = s.newFilling()
	}
	return s.scratchFilling
}

func (s *solver) prepare() {
	at := map[place.ScopeKey]int{}
	s.left = make([]int, len(s.items))
	s.scopeOf = make([]int, len(s.items))
	for i, it := range s.items {
		k := place.ScopeKey{Where: s.table.Classes[it.Class].Where, Cell: it.Cell}
		m, ok := at[k]
		if !ok {
			m = len(s.scopes)
			at[k] = m
			s.scopes = append(s.scopes, place.NewScope(s.table, k))
		}
		s.left[i], s.scopeOf[i] = it.Count, m
	}
	for _, p := range s.table.Pools {
		s.allFree = append(s.allFree, p.AllFree())
	}
}

// turns opens nodes from the pools of a tier.
func (s *solver) turns(pools []int, tiers [][]int, kinds []kind) {
	if s.frugal == nil {
		s.tier(pools, kinds)
	} else {
		(&frugal{s}).turns(pools, tiers, kinds)
	}
}

// frugal lets pods come first that found no node when the same was tried before, and then those that fewer pools suit,
// of the tier and of those after it: the others can go elsewhere when these pools have reached their limits.
type frugal struct{ s *solver }

func (f *frugal) turns(pools []int, tiers [][]int, kinds []kind) {
	urgent := make([]int, len(f.s.rows))
	for r := range f.s.rows {
		for _, i := range f.s.rows[r].items {
			urgent[r] += f.s.frugal[i]
		}
	}
	f.some(pools, kinds, func(r int) int { return urgent[r] })
	suit := f.suits(tiers)
	ranks := slices.Clone(suit)
	slices.Sort(ranks)
	for _, rank := range slices.Compact(ranks) {
		f.some(pools, kinds, func(r int) int {
			if suit[f.s.rows[r].scope] > rank {
				return 0
			}
			return f.s.rows[r].left
		})
	}
}

// some is tier for so many pods of each row alone.
func (f *frugal) some(pools []int, kinds []kind, many func(row int) int) {
	aside := make([]int, len(f.s.rows))
	for r := range f.s.rows {
		row := &f.s.rows[r]
		n := min(row.left, many(r))
		aside[r], row.left = row.left-n, n
	}
	if f.s.leftOver() > 0 {
		f.s.tier(pools, kinds)
	}
	for r, n := range aside {
		f.s.rows[r].left += n
	}
}

// suits is by scope how many pools of some tiers may still open nodes for it.
func (f *frugal) suits(tiers [][]int) []int {
	out := make([]int, len(f.s.scopes))
	for m := range f.s.scopes {
		for _, p := range slices.Concat(tiers...) {
			if f.mayOpen(p, &f.s.scopes[m]) {
				out[m]++
			}
		}
	}
	return out
}

// mayOpen reports whether a pool's limits have room for some machine that a scope allows.
func (f *frugal) mayOpen(p int, m *place.Scope) bool {
	for _, alt := range m.ByPool[p] {
		for i := alt.Columns.Next(0); i >= 0; i = alt.Columns.Next(i + 1) {
			if f.s.limits.Machines(p, i) > 0 {
				return true
			}
		}
	}
	return false
}

// tier opens nodes from some pools, of these kinds, until nothing more can be packed into them.
func (s *solver) tier(pools []int, kinds []kind) {
	since := len(s.opened)
	aside := (&colocation{s}).together(kinds)
	st := s.save()
	anywhere := math.Inf(1)
	if more := s.kindsAnywhere(pools); more != nil {
		p := &greedy{s}
		anywhere = p.relax(more, p.demand(), p.hostGroups()).price
	}
	s.floor = min(s.greedy(kinds), anywhere)
	s.floors = append(s.floors, s.floor)
	s.improve(kinds, st)
	(&prover{s}).prove(pools, kinds, st)
	s.shift(kinds, st.opened)
	s.merge(kinds, since)
	for _, e := range aside {
		s.rows[e.Item].left = e.Count
	}
}

// open opens a filling as many times as there are pods and machines for it, at least once.
func (s *solver) open(f *filling) {
	times := s.limits.Times(f.kind.pool, f.column, f.keeps)
	for _, e := range f.entries {
		times = min(times, s.rows[e.Item].left/e.Count)
	}
	s.openTimes(f, times)
}

// takeItems turns pods of a row into pods of its items.
func (s *solver) takeItems(out []board.Entry, e board.Entry) []board.Entry {
	r := &s.rows[e.Item]
	for n := e.Count; n > 0; {
		item := r.items[r.next]
		take := min(n, s.left[item])
		s.left[item] -= take
		n -= take
		if take > 0 {
			out = append(out, board.Entry{Item: item, Count: take})
		}
		if s.left[item] == 0 {
			r.next++
		}
	}
	return out
}
