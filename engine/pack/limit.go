package pack

import (
	"maps"
	"math"
	"slices"
	"sort"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// limits is what the pools may still grow by.
type limits struct {
	table    *feasible.Table
	strict   bool                // launches have to keep the pools' minValues
	ladders  [][]feasible.Ladder // by pool and limit, of pools that have minValues too; not changed
	left     [][]limit           // by pool
	reserved map[string]int64    // by reservation: machines that it still holds
}

type limit struct {
	resource string
	left     int64
}

func newLimits(t *feasible.Table, strict bool) *limits {
	l := &limits{table: t, strict: strict, ladders: make([][]feasible.Ladder, len(t.Pools)), left: make([][]limit, len(t.Pools)), reserved: map[string]int64{}}
	for i := range t.Columns {
		if o := t.Columns[i].Offering; o.Reservation != "" {
			l.reserved[o.Reservation] = max(l.reserved[o.Reservation], int64(o.Remaining))
		}
	}
	for p, pool := range t.Pools {
		for _, sl := range pool.Limits {
			l.left[p] = append(l.left[p], limit{sl.Resource, sl.Max - sl.Used})
			if strict && pool.MinValues {
				l.ladders[p] = append(l.ladders[p], t.Ladder(pool, sl.Resource))
			}
		}
	}
	return l
}

func (l *limits) clone() *limits {
	out := *l
	out.left, out.reserved = nil, maps.Clone(l.reserved)
	for _, list := range l.left {
		out.left = append(out.left, slices.Clone(list))
	}
	return &out
}

// machines is how many machines of a column the pool may still open.
func (l *limits) machines(pool, column int) int { return l.times(pool, column, nil) }

// times is machines for bins that keep so much of the limits; see [Bin.Keeps].
func (l *limits) times(pool, column int, keeps []int64) int {
	c := &l.table.Columns[column]
	n := int64(math.MaxInt32)
	if name := c.Offering.Reservation; name != "" {
		n = max(l.reserved[name], 0)
	}
	for i, lim := range l.left[pool] {
		if use := uses(c, lim.resource, keeps, i); use > 0 {
			n = min(n, max(lim.left, 0)/use)
		} else if lim.left < 0 {
			n = 0 // already over: the pool may not grow at all
		}
	}
	return int(n)
}

// take uses up what so many bins of a column keep, or gives it back if there are fewer than none.
func (l *limits) take(pool, column int, keeps []int64, machines int) {
	c := &l.table.Columns[column]
	if name := c.Offering.Reservation; name != "" {
		l.reserved[name] -= int64(machines)
	}
	for i := range l.left[pool] {
		lim := &l.left[pool][i]
		lim.left -= uses(c, lim.resource, keeps, i) * int64(machines)
	}
}

func uses(c *feasible.Column, resource string, keeps []int64, i int) int64 {
	if keeps != nil {
		return keeps[i]
	}
	return c.Takes(resource)
}

// keep is what a bin that is planned for one of some columns can be launched from, and what it has to keep of its pool's
// limits for that, so that the launch has the variety that minValues asks for: columns with which it has must fit in,
// whichever of them is delivered. ok is false if there is too little left, or too few columns. No keeps are what the column
// itself takes.
func (l *limits) keep(p int, columns, free bitset.Set, column int) (launch bitset.Set, keeps []int64, ok bool) {
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

// within narrows a launch that is planned for a column to what can be launched together, and returns what the limits allow
// of it.
func (l *limits) within(p int, columns, free bitset.Set, column int) bitset.Set {
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
