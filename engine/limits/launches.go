package limits

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// Node is a new node as limits see it.
type Node struct {
	Pool   int     // index into feasible.Table.Pools
	Column int     // that it is planned for
	Keeps  []int64 // by the pool's limits: what it has for certain; nil for what Column takes
}

// Launches narrows what the nodes of a plan may be launched from.
type Launches struct {
	table   *feasible.Table
	shares  []*Shares           // by pool
	ladders [][]feasible.Ladder // by pool and limit; built when first asked
}

// NewLaunches is those of a plan; node tells the n-th of them.
func NewLaunches(t *feasible.Table, nodes int, node func(n int) Node) *Launches {
	l := &Launches{table: t, ladders: make([][]feasible.Ladder, len(t.Pools))}
	left, count := make([][]int64, len(t.Pools)), make([]int, len(t.Pools))
	for p, pool := range t.Pools {
		for _, limit := range pool.Limits {
			left[p] = append(left[p], limit.Max-limit.Used)
		}
	}
	for i := range nodes {
		n := node(i)
		count[n.Pool]++
		for k := range left[n.Pool] {
			left[n.Pool][k] -= l.certain(n, k)
		}
	}
	for p := range left {
		l.shares = append(l.shares, NewShares(left[p], count[p]))
	}
	return l
}

// Left is by pool and limit what pools may still grow by, the planned machines of nodes taken off, and of those that
// were narrowed the largest that they may be launched from.
func (l *Launches) Left() [][]int64 {
	var out [][]int64
	for _, s := range l.shares {
		out = append(out, slices.Clone(s.left))
	}
	return out
}

// certain is what a node has of one of its pool's limits.
func (l *Launches) certain(n Node, limit int) int64 {
	if n.Keeps != nil {
		return n.Keeps[limit]
	}
	return l.table.Columns[n.Column].Takes(l.table.Pools[n.Pool].Limits[limit].Resource)
}

// laddersOf sorts the pool's columns by what they use of each limit.
func (l *Launches) laddersOf(pool int) []feasible.Ladder {
	if l.ladders[pool] == nil {
		for _, limit := range l.table.Pools[pool].Limits {
			l.ladders[pool] = append(l.ladders[pool], l.table.Ladder(l.table.Pools[pool], limit.Resource))
		}
	}
	return l.ladders[pool]
}

// Narrow drops columns with which a node's pool could exceed a limit, whatever is launched for its other nodes. Each
// node of the plan is to be narrowed once.
func (l *Launches) Narrow(n Node, columns bitset.Set) bitset.Set {
	if len(l.table.Pools[n.Pool].Limits) == 0 {
		return columns
	}
	options, shares := columns.Clone(), l.shares[n.Pool]
	for limit, ladder := range l.laddersOf(n.Pool) {
		certain := l.certain(n, limit)
		k := ladder.Upto(shares.Most(limit, certain))
		if k < len(ladder)-1 {
			options.Keep(ladder[k].Columns) // the planned column is among them: it uses no more than what is kept
		}
		for k > 0 && !options.MeetsBeyond(ladder[k-1].Columns) {
			k--
		}
		shares.Grow(limit, certain, ladder[k].Use)
	}
	shares.Next()
	return options
}
