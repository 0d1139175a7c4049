package pack

import (
	"math"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/fanout"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// solve packs items into new nodes within the limits, which it uses up; effort is how many steps it may spend.
func (p *packer) solve(items []Item, l *limits, effort int) *solver {
	s := &solver{table: p.board.Table, spread: p.board.Spread, items: items, nodePrice: p.task.NodePrice, effort: effort, limits: l}
	if len(items) == 0 {
		return s
	}
	s.prepare()
	tiers := tiers(s.table)
	kinds := make([][]kind, len(tiers))
	fanout.Both(s.buildRows, func() {
		if len(tiers) > 0 {
			kinds[0] = s.kinds(tiers[0]) // there are hardly ever others
		}
	})
	for i, pools := range tiers {
		if i > 0 && s.leftOver() > 0 {
			kinds[i] = s.kinds(pools)
		}
		if len(kinds[i]) > 0 {
			s.tier(pools, kinds[i])
		}
	}
	if s.leftOver() > 0 || len(s.floors) != 1 || s.nodePrice > 0 {
		s.floor = 0
	}
	s.hand()
	return s
}

type solver struct {
	table     *feasible.Table
	spread    *spread.State
	items     []Item
	nodePrice shape.Money
	limits    *limits
	effort    int
	steps     int

	masks   []mask
	maskOf  []int // by item
	rows    []row
	buckets []bucket
	near    []int32      // hostname tallies that some row needs
	allFree []bitset.Set // by pool
	left    []int        // by item: pods still to be packed
	opened  []opening
	bins    []Bin
	spare   *filling

	// What openings are made of.
	words   slab[uint64]
	numbers slab[int64]
	entries slab[Entry]

	// floor is a price that no packing can go below; floors has what each tier began with.
	floor  float64
	floors []float64
}

// scratch is a filling to try things with.
func (s *solver) scratch() *filling {
	if s.spare == nil {
		s.spare = s.newFilling()
	}
	return s.spare
}

func (s *solver) prepare() {
	at := map[maskKey]int{}
	s.left = make([]int, len(s.items))
	s.maskOf = make([]int, len(s.items))
	for i, it := range s.items {
		k := maskKey{s.table.Classes[it.Class].Where, it.Cell}
		m, ok := at[k]
		if !ok {
			m = len(s.masks)
			at[k] = m
			s.masks = append(s.masks, newMask(s.table, k))
		}
		s.left[i], s.maskOf[i] = it.Count, m
	}
	for _, p := range s.table.Pools {
		s.allFree = append(s.allFree, p.AllFree())
	}
}

// tiers groups pools of equal weight, highest weight first. Pools of one tier compete on price.
func tiers(t *feasible.Table) [][]int {
	var out [][]int
	for p, pool := range t.Pools {
		if p == 0 || t.Pools[p-1].Weight != pool.Weight {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], p)
	}
	return out
}

// tier opens nodes from some pools, of these kinds, until nothing more can be packed into them.
func (s *solver) tier(pools []int, kinds []kind) {
	aside := s.together(kinds)
	st := s.save()
	anywhere := math.Inf(1)
	if more := s.unsettled(pools); more != nil {
		anywhere = s.relax(more, s.demand(), s.hostGroups()).price
	}
	s.floor = min(s.greedy(kinds), anywhere)
	s.floors = append(s.floors, s.floor)
	s.improve(kinds, st)
	s.prove(pools, kinds, st)
	s.shift(kinds, st.opened)
	s.merge(kinds, st.opened)
	for _, e := range aside {
		s.rows[e.Item].left = e.Count
	}
}

// open opens a filling as many times as there are pods and machines for it, at least once.
func (s *solver) open(f *filling) {
	times := s.limits.times(f.kind.pool, f.column, f.keeps)
	for _, e := range f.entries {
		times = min(times, s.rows[e.Item].left/e.Count)
	}
	s.openTimes(f, times)
}

// takeItems turns pods of a row into pods of its items.
func (s *solver) takeItems(out []Entry, e Entry) []Entry {
	r := &s.rows[e.Item]
	for n := e.Count; n > 0; {
		item := r.items[r.next]
		take := min(n, s.left[item])
		s.left[item] -= take
		n -= take
		if take > 0 {
			out = append(out, Entry{item, take})
		}
		if s.left[item] == 0 {
			r.next++
		}
	}
	return out
}
