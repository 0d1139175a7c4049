package limits

import (
	"maps"
	"math"
	"slices"
	"sort"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// Budgets are what pools may still grow by while nodes are being planned. Not safe for concurrent use.
//
// Invariant: what is left is what was there to begin with less all that was taken. It may be negative from the
// beginning, where a pool is over its limit: then it opens nothing. Whoever takes has asked Times before, so that it
// never becomes so.
type Budgets struct {
	table   *feasible.Table
	strict  bool                // launches have to keep the pools' minValues
	ladders [][]feasible.Ladder // by pool and limit, of pools that have minValues too; not changed
	least   [][]int64           // by pool and limit: what any machine takes; not changed

	left         [][]remaining    // by pool and limit
	reservations map[string]int64 // by reservation: machines that it still holds
}

// remaining is what is left of one limit, in its resource's unit.
type remaining struct {
	resource string
	left     int64
}

// New is what a Snapshot's pools may grow by. With strict, launches have to keep their pools' minValues.
func New(t *feasible.Table, strict bool) *Budgets {
	l := &Budgets{
		table: t, strict: strict, ladders: make(
			[][]feasible.Ladder, len(t.Pools),
		), least: make([][]int64, len(t.Pools)),
		left: make([][]remaining, len(t.Pools)), reservations: map[string]int64{},
	}
	for i := range t.Columns {
		if o := t.Columns[i].Offering; o.Reservation != "" {
			l.reservations[o.Reservation] = max(l.reservations[o.Reservation], int64(o.Remaining))
		}
	}
	for p, pool := range t.Pools {
		for _, sl := range pool.Limits {
			l.left[p] = append(l.left[p], remaining{sl.Resource, sl.Max - sl.Used})
			l.least[p] = append(l.least[p], leastUse(t, pool, sl.Resource))
			if strict && pool.MinValues {
				l.ladders[p] = append(l.ladders[p], t.Ladder(pool, sl.Resource))
			}
		}
	}
	return l
}

// Scarce reports whether a pool may stop opening nodes while pods are left.
func Scarce(t *feasible.Table) bool {
	return t.Reserved || slices.ContainsFunc(t.Pools, func(pool *feasible.Pool) bool {
		return len(pool.Limits) > 0 || pool.MinValues
	})
}

// Clone is a copy to try things with.
func (l *Budgets) Clone() *Budgets {
	out := *l
	out.left, out.reservations = nil, maps.Clone(l.reservations)
	for _, list := range l.left {
		out.left = append(out.left, slices.Clone(list))
	}
	return &out
}

// leastUse is what the smallest machine of a pool takes of a limited resource.
func leastUse(t *feasible.Table, pool *feasible.Pool, resource string) int64 {
	least := int64(math.MaxInt64)
	for i := pool.Usable.Next(0); i >= 0; i = pool.Usable.Next(i + 1) {
		least = min(least, t.Columns[i].Takes(resource))
	}
	return least
}

// Exhausted reports whether a pool can open no machine at all any more.
func (l *Budgets) Exhausted(pool int) bool {
	for i := range l.left[pool] {
		if l.left[pool][i].left < l.least[pool][i] {
			return true
		}
	}
	return false
}

// Limited reports whether a pool has limits.
func (l *Budgets) Limited(pool int) bool { return len(l.left[pool]) > 0 }

// Machines is how many machines of a column the pool may still open.
func (l *Budgets) Machines(pool, column int) int { return l.Times(pool, column, nil) }

// Times is Machines for nodes that keep so much of the pool's limits; see [Node.Keeps].
func (l *Budgets) Times(pool, column int, keeps []int64) int {
	c := &l.table.Columns[column]
	n := int64(math.MaxInt32)
	if name := c.Offering.Reservation; name != "" {
		n = max(l.reservations[name], 0)
	}
	for i, lim := range l.left[pool] {
		if use := usage(c, lim.resource, keeps, i); use > 0 {
			n = min(n, max(lim.left, 0)/use)
		} else if lim.left < 0 {
			n = 0 // already over: the pool may not grow at all
		}
	}
	return int(n)
}

// Covers reports whether at least as much is left of every limit as others leave of it.
func (l *Budgets) Covers(others *Budgets) bool {
	for p := range l.left {
		for i := range l.left[p] {
			if l.left[p][i].left < others.left[p][i].left {
				return false
			}
		}
	}
	return true
}

// Share is which part one machine of a column takes of what is left to its pool, of the limit that it takes most of: 0
// if there are none, 1 if it takes all.
func (l *Budgets) Share(pool, column int) (most float64) {
	c := &l.table.Columns[column]
	for _, lim := range l.left[pool] {
		if use := c.Takes(lim.resource); use > 0 && lim.left > 0 {
			most = max(most, min(float64(use)/float64(lim.left), 1))
		}
	}
	return most
}

// Take uses up what so many nodes of a column keep, or gives it back if there are fewer than none.
func (l *Budgets) Take(pool, column int, keeps []int64, machines int) {
	c := &l.table.Columns[column]
	if name := c.Offering.Reservation; name != "" {
		l.reservations[name] -= int64(machines)
	}
	for i := range l.left[pool] {
		lim := &l.left[pool][i]
		lim.left -= usage(c, lim.resource, keeps, i) * int64(machines)
	}
}

func usage(c *feasible.Column, resource string, keeps []int64, i int) int64 {
	if keeps != nil {
		return keeps[i]
	}
	return c.Takes(resource)
}

// Reserve is what a node that is planned for one of some columns can be launched from, and what it has to keep of its
// pool's limits for that, so that the launch has the variety that minValues asks for: columns with which it has must
// fit in, whichever of them is delivered. ok is false if there is too little left, or too few columns. No keeps are
// what the column itself takes.
func (l *Budgets) Reserve(p int, columns, free bitset.Set, column int) (launch bitset.Set, keeps []int64, ok bool) {
	t, pool := l.table, l.table.Pools[p]
	if !l.strict || !pool.MinValues {
		return columns, nil, true
	}
	if t.Columns[column].Offering.Reservation != "" {
		_, ok = t.Enough(pool, columns)
		return columns, nil, ok // it is launched from nothing else
	}
	launch = columns.Clone()
	columns = l.within(p, launch, free, column)
	if _, ok := t.Enough(pool, columns); !ok {
		return launch, nil, false
	}
	for i, ladder := range l.ladders[p] {
		own := ladder.Upto(t.Columns[column].Takes(l.left[p][i].resource))
		top := ladder.Upto(l.left[p][i].left)
		k := own + sort.Search(top-own, func(k int) bool {
			_, ok := t.Enough(pool, columns.And(ladder[own+k].Columns))
			return ok
		})
		columns.Keep(ladder[k].Columns)
		keeps = append(keeps, ladder[k].Use)
	}
	return launch, keeps, true
}

// within narrows a launch that is planned for a column to what can be launched together, and returns what the limits
// allow of it.
func (l *Budgets) within(p int, columns, free bitset.Set, column int) bitset.Set {
	t := l.table
	for i := columns.Next(0); i >= 0 && t.Reserved; i = columns.Next(i + 1) {
		if t.Columns[i].Offering.Reservation != "" {
			columns.Remove(i)
		}
	}
	t.Settle(t.Pools[p], columns, free, column)
	out := columns.Clone()
	for i, ladder := range l.ladders[p] {
		if top := ladder.Upto(l.left[p][i].left); top >= 0 {
			out.Keep(ladder[top].Columns)
		} else {
			clear(out)
		}
	}
	return out
}

// Opens reports whether there is room for a machine that holds a pod of a class, from one alternative of a pool.
func (l *Budgets) Opens(c *feasible.Class, p int, alt feasible.Alternative) bool {
	pool := l.table.Pools[p]
	columns := alt.Columns.Clone()
	pool.Holding(c.First, columns)
	var tried []string // zones: with columns of one there is the same choice, near enough
	for i := columns.Next(0); i >= 0; i = columns.Next(i + 1) {
		if l.Machines(p, i) == 0 {
			continue
		}
		if !l.strict || !pool.MinValues {
			return true
		}
		if zone := l.table.Columns[i].Offering.Zone; !slices.Contains(tried, zone) {
			if _, _, ok := l.Reserve(p, columns, alt.Free, i); ok {
				return true
			}
			tried = append(tried, zone)
		}
	}
	return false
}
