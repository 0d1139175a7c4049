package engine

import (
	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/pack"
)

// slack is what pools may grow by beyond the plan, for options that are larger than planned.
type slack struct {
	table   *feasible.Table
	left    [][]int64           // by pool, by limit
	bins    []int               // by pool: bins still to be narrowed
	ladders [][]feasible.Ladder // by pool, by limit; built when first asked
}

func newSlack(t *feasible.Table, bins []pack.Bin) *slack {
	s := &slack{table: t, left: make([][]int64, len(t.Pools)), bins: make([]int, len(t.Pools)), ladders: make([][]feasible.Ladder, len(t.Pools))}
	for p, pool := range t.Pools {
		for _, l := range pool.Limits {
			s.left[p] = append(s.left[p], l.Max-l.Used)
		}
	}
	for i := range bins {
		s.bins[bins[i].Pool]++
		for l := range t.Pools[bins[i].Pool].Limits {
			s.left[bins[i].Pool][l] -= s.kept(&bins[i], l)
		}
	}
	return s
}

// kept is what a bin has of one of its pool's limits for certain.
func (s *slack) kept(b *pack.Bin, limit int) int64 {
	if b.Keeps != nil {
		return b.Keeps[limit]
	}
	return s.table.Columns[b.Column].Takes(s.table.Pools[b.Pool].Limits[limit].Resource)
}

// climb sorts the pool's columns by what they use of each limit.
func (s *slack) climb(pool int) []feasible.Ladder {
	if s.ladders[pool] == nil {
		for _, limit := range s.table.Pools[pool].Limits {
			s.ladders[pool] = append(s.ladders[pool], s.table.Ladder(s.table.Pools[pool], limit.Resource))
		}
	}
	return s.ladders[pool]
}

// narrow drops options with which the pool could exceed a limit, whatever is launched for its other bins.
func (s *slack) narrow(b *pack.Bin, columns bitset.Set) bitset.Set {
	pool := s.table.Pools[b.Pool]
	if len(pool.Limits) == 0 {
		return columns
	}
	options := columns.Clone()
	for l, ladder := range s.climb(b.Pool) {
		kept := s.kept(b, l)
		share := max(s.left[b.Pool][l], 0) / int64(s.bins[b.Pool])
		k := ladder.Upto(kept + share)
		if k < len(ladder)-1 {
			options.Keep(ladder[k].Columns) // the planned column is among them: it uses no more than what is kept
		}
		for k > 0 && !options.MeetsBeyond(ladder[k-1].Columns) {
			k--
		}
		s.left[b.Pool][l] -= max(ladder[k].Use-kept, 0)
	}
	s.bins[b.Pool]--
	return options
}
