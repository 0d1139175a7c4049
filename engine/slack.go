package engine

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/pack"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// slack is what pools may grow by beyond the plan, for options that are larger than planned.
type slack struct {
	table *feasible.Table
	left  [][]int64  // by pool, by limit
	bins  []int      // by pool: bins still to be narrowed
	steps [][][]step // by pool, by limit; built when first asked
}

// step is columns that use up the same amount of a limit, with those that use less.
type step struct {
	use     int64
	columns bitset.Set
}

func newSlack(t *feasible.Table, bins []pack.Bin) *slack {
	s := &slack{table: t, left: make([][]int64, len(t.Pools)), bins: make([]int, len(t.Pools)), steps: make([][][]step, len(t.Pools))}
	for p, pool := range t.Pools {
		for _, l := range pool.Limits {
			s.left[p] = append(s.left[p], l.Max-l.Used)
		}
	}
	for i := range bins {
		s.bins[bins[i].Pool]++
		for l, limit := range t.Pools[bins[i].Pool].Limits {
			s.left[bins[i].Pool][l] -= use(t, bins[i].Column, limit.Resource)
		}
	}
	return s
}

func use(t *feasible.Table, column int, resource string) int64 {
	if resource == shape.LimitNodes {
		return 1
	}
	return t.Columns[column].Type.Capacity.Get(resource)
}

// climb sorts the pool's columns by what they use of each limit.
func (s *slack) climb(pool int) [][]step {
	if s.steps[pool] != nil {
		return s.steps[pool]
	}
	p := s.table.Pools[pool]
	for _, limit := range p.Limits {
		var uses []int64
		for i := p.Usable.Next(0); i >= 0; i = p.Usable.Next(i + 1) {
			uses = append(uses, use(s.table, i, limit.Resource))
		}
		slices.Sort(uses)
		uses = slices.Compact(uses)
		steps := make([]step, len(uses))
		for k, u := range uses {
			steps[k] = step{u, bitset.New(len(s.table.Columns))}
		}
		for i := p.Usable.Next(0); i >= 0; i = p.Usable.Next(i + 1) {
			k, _ := slices.BinarySearch(uses, use(s.table, i, limit.Resource))
			steps[k].columns.Add(i)
		}
		for k := 1; k < len(steps); k++ {
			steps[k].columns.Join(steps[k-1].columns)
		}
		s.steps[pool] = append(s.steps[pool], steps)
	}
	return s.steps[pool]
}

// narrow drops options with which the pool could exceed a limit, whatever is launched for its other bins.
func (s *slack) narrow(b *pack.Bin, columns bitset.Set) bitset.Set {
	pool := s.table.Pools[b.Pool]
	if len(pool.Limits) == 0 {
		return columns
	}
	options := columns.Clone()
	for l, steps := range s.climb(b.Pool) {
		planned := use(s.table, b.Column, pool.Limits[l].Resource)
		share := max(s.left[b.Pool][l], 0) / int64(s.bins[b.Pool])
		k, found := slices.BinarySearchFunc(steps, planned+share, func(st step, most int64) int {
			return int(min(max(st.use-most, -1), 1))
		})
		if !found {
			k--
		}
		if k < len(steps)-1 {
			options.Keep(steps[k].columns) // the planned column is among them: it uses planned
		}
		for k > 0 && !options.MeetsBeyond(steps[k-1].columns) {
			k--
		}
		s.left[b.Pool][l] -= max(steps[k].use-planned, 0)
	}
	s.bins[b.Pool]--
	return options
}
