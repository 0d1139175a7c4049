package verify

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// leftovers finds places for stuck pods.
type leftovers struct {
	a         *audit
	roomAgain bool // pods were taken back: there may be room for others
	refused   map[refusal]bool

	// blurred is by tally: pods that it counts may be in other domains than planned. nil before leaveOpen.
	uncertain []bool
	firm      []bool // by tally: a rule that is no preference asks it; nil if not known
}

// placeLeftovers places stuck pods wherever kube-scheduler would bind them now: on existing nodes, on new ones that are
// open already, or on another new one. Until here the plan has spread pods over every domain in which a node could be
// opened, as their owners want it; these are pods for which that cannot be kept.
func (q *leftovers) placeLeftovers() {
	q.refused = map[refusal]bool{}
	for again := true; again; {
		again = false
		for class := range q.a.board.Table.Classes {
			again = q.placeClass(class) || again
		}
	}
}

// placeClass places stuck pods of a class, and reports whether it placed any.
func (q *leftovers) placeClass(class int) (found bool) {
	t, stuck := q.a.board.Table, q.a.board.Stuck
	last := last(t, class)
	own := &q.a.board.Spread.Classes[last]
	if t.Classes[class].Refused != "" || !q.roomAgain && !limits.Scarce(t) && !own.Ordered() && !own.AffectedByDaemons {
		return false
	}
	for stuck[class] > 0 && !q.isUncertain(last) {
		n := q.ontoNode(last, stuck[class])
		if n == 0 {
			n = q.intoBin(last)
		}
		if n == 0 {
			n = q.intoNew(last, stuck[class])
		}
		if n == 0 {
			break
		}
		q.a.board.SetStuck(class, stuck[class]-n)
		q.a.placed[last], found = true, true
		q.noteUncertain(last)
	}
	return found
}

// ontoNode puts pods on the first existing node that takes any.
func (q *leftovers) ontoNode(class, limit int) int {
	for node := range q.a.board.Table.Nodes {
		n := q.a.board.Fits(node, class, limit)
		if n == 0 || !q.a.board.Allows(node, class) {
			continue
		}
		if n = q.a.ledger.Room(class, node, n); n > 0 {
			q.a.board.Place(node, class, n)
			q.a.ledger.Add(class, node, n)
			return n
		}
	}
	return 0
}

// intoBin puts a pod on the first new node that takes it, on a larger machine if need be.
func (q *leftovers) intoBin(class int) int {
	t := q.a.board.Table
	c := t.Classes[class]
	for _, b := range q.leastCrowdedFirst(class) {
		bin, node := &q.a.board.Bins[b], len(t.Nodes)+b
		within := q.reach(b)
		if !within.holds(bin.Load, c.Need) || q.a.ledger.Room(class, node, 1) == 0 {
			continue
		}
		if q.growInto(b, class, q.loadWith(bin, c)) {
			q.a.ledger.Add(class, node, 1)
			return 1
		}
	}
	return 0
}

// loadWith is a bin's load with one more pod of a class.
func (q *leftovers) loadWith(bin *board.Bin, c *feasible.Class) []int64 {
	load := slices.Clone(bin.Load)
	for d, n := range c.Need {
		load[d] += n
	}
	for _, v := range c.Shared {
		if !q.a.attached(bin, v) {
			load[v.Dim]++
		}
	}
	return load
}

// growInto puts a pod into a bin that has this load then, if one of the bin's columns holds it and leaves it where it
// is.
func (q *leftovers) growInto(b, class int, load []int64) bool {
	t, bin, within := q.a.board.Table, q.a.board.Change(b), q.reach(b)
	pool := t.Pools[bin.Pool]
	for _, alt := range t.Alternatives(t.Classes[class].Where, pool) {
		free := alt.Free.And(bin.Free)
		if !pool.FreeLeft(free) {
			continue
		}
		columns := within.columns.And(alt.Columns)
		q.keepDomains(class, bin, free, columns)
		q.keepOpen(class, bin.Pool, columns, free)
		pool.Holding(load, columns)
		if q.moveTo(bin, columns, free) {
			bin.Free, bin.Load = free, load
			q.a.enter(bin, class, 1)
			if q.a.reaches != nil {
				q.a.reaches[b] = reachable{}
			}
			return true
		}
	}
	return false
}

// leastCrowdedFirst lists the bins in the order in which they are tried: as they are, or those with the fewest pods of
// the class first if the pods would rather be on different hosts.
func (q *leftovers) leastCrowdedFirst(class int) []int {
	t := q.a.board.Table
	base := t.Classes[class].Base
	order := make([]int, len(q.a.board.Bins))
	for b := range order {
		order[b] = b
	}
	if !slices.ContainsFunc(q.a.board.Spread.Classes[base].Rules, func(r spread.Rule) bool {
		return r.Wish && q.a.board.Spread.Keys[r.Key].Host
	}) {
		return order
	}
	crowd := make([]int, len(q.a.board.Bins))
	for b := range q.a.board.Bins {
		for _, e := range q.a.board.Bins[b].Entries {
			if t.Classes[q.a.board.Items[e.Item].Class].Base == base {
				crowd[b] += e.Count
			}
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return crowd[x] - crowd[y] })
	return order
}

// keepDomains keeps those columns with which a bin stays in the domains that rules of a class or about it look at.
func (q *leftovers) keepDomains(class int, bin *board.Bin, free, columns bitset.Set) {
	t, st := q.a.board.Table, q.a.board.Spread
	pool := t.Pools[bin.Pool]
	for _, k := range q.keys(class) {
		key := &st.Keys[k]
		if value, ok := t.NewLabel(pool, bin.Column, bin.Free, key.Name); ok {
			columns.Keep(t.WithLabel(pool, free, key.Name, value))
			continue
		}
		for _, value := range key.Domains {
			columns.Drop(t.WithLabel(pool, free, key.Name, value))
		}
	}
}

// keys are those of a class, without preferences, whose domains have to be known: not those that only preferences look
// at.
func (q *leftovers) keys(class int) []int32 {
	st := q.a.board.Spread
	if q.firm == nil {
		q.firm = make([]bool, len(st.Tallies))
		for i := range st.Classes {
			for _, r := range st.Classes[i].Rules {
				q.firm[r.Tally] = q.firm[r.Tally] || q.a.board.Table.Classes[i].Next < 0
			}
		}
	}
	own := &st.Classes[class]
	var out []int32
	for _, k := range own.Keys {
		looks := func(tally int32) bool { return st.Tallies[tally].Key == k && q.firm[tally] }
		if q.uncertain != nil && q.indifferent(class, k) {
			continue
		}
		if slices.ContainsFunc(own.Adds, looks) || slices.ContainsFunc(own.Rules, func(r spread.Rule) bool {
			return looks(r.Tally)
		}) {
			out = append(out, k)
		}
	}
	return out
}

// reachable is which columns a bin may be planned for, and the most that any of them has of each resource.
type reachable struct {
	columns bitset.Set
	room    []int64
}

func (r *reachable) holds(load, more []int64) bool {
	for d, n := range more {
		if n > 0 && load[d]+n > r.room[d] {
			return false
		}
	}
	return true
}

// reach is that of a bin: the limits allow its columns in place of the one that it is planned for.
func (q *leftovers) reach(b int) *reachable {
	for len(q.a.reaches) < len(q.a.board.Bins) {
		q.a.reaches = append(q.a.reaches, reachable{})
	}
	r, bin, t := &q.a.reaches[b], &q.a.board.Bins[b], q.a.board.Table
	if r.columns != nil {
		return r
	}
	r.columns, r.room = bin.Columns.Clone(), make([]int64, len(t.Resources))
	q.a.board.Limits.Take(bin.Pool, bin.Column, bin.Keeps, -1)
	for i := r.columns.Next(0); i >= 0; i = r.columns.Next(i + 1) {
		if q.a.board.Limits.Machines(bin.Pool, i) == 0 {
			r.columns.Remove(i)
			continue
		}
		for d, have := range t.Pools[bin.Pool].Room(i) {
			r.room[d] = max(r.room[d], have)
		}
	}
	q.a.board.Limits.Take(bin.Pool, bin.Column, bin.Keeps, 1)
	return r
}

// take changes what the limits leave by so many machines of a bin.
func (a *audit) take(bin *board.Bin, machines int) {
	a.board.Use(bin, machines)
	if a.board.Limits.Limited(bin.Pool) || a.board.Table.Reserved {
		a.reaches, a.open = nil, nil
	}
}

// openable are the columns of a pool of which the limits allow another machine.
func (q *leftovers) openable(pool int) bitset.Set {
	if q.a.open == nil {
		q.a.open = make([]bitset.Set, len(q.a.board.Table.Pools))
	}
	if q.a.open[pool] == nil {
		out := q.a.board.Table.Pools[pool].Usable.Clone()
		for i := out.Next(0); i >= 0; i = out.Next(i + 1) {
			if q.a.board.Limits.Machines(pool, i) == 0 {
				out.Remove(i)
			}
		}
		q.a.open[pool] = out
	}
	return q.a.open[pool]
}

// moveTo has a bin keep some columns only, and plans it for the cheapest of them that leaves it where it is; false if
// there is none.
func (q *leftovers) moveTo(bin *board.Bin, columns, free bitset.Set) bool {
	if q.a.board.Table.Columns[bin.Column].Offering.Reservation != "" {
		if columns.Has(bin.Column) {
			bin.Columns = columns
			return true // it is launched from nothing else
		}
		return false
	}
	column, site := columns.Next(0), q.a.site(bin)
	for column >= 0 && q.a.siteOf(bin.Pool, column, free) != site {
		column = columns.Next(column + 1)
	}
	if column < 0 {
		return false
	}
	return q.a.replan(bin, columns, free, column)
}

// plan plans a bin for one of some columns, which are all that it keeps, and has the limits follow; false if they do
// not leave enough for it.
func (a *audit) replan(bin *board.Bin, columns, free bitset.Set, column int) bool {
	a.board.Limits.Take(bin.Pool, bin.Column, bin.Keeps, -1)
	launch, keeps, ok := a.board.Limits.Reserve(bin.Pool, columns, free, column)
	a.board.Limits.Take(bin.Pool, bin.Column, bin.Keeps, 1)
	if !ok {
		return false
	}
	if column != bin.Column || !slices.Equal(keeps, bin.Keeps) {
		a.take(bin, -1)
		bin.Column, bin.Keeps = column, keeps
		a.take(bin, 1)
	}
	bin.Columns = launch
	return true
}

// attached reports whether some pod in a bin has a shared volume.
func (a *audit) attached(b *board.Bin, v feasible.Volume) bool {
	return slices.ContainsFunc(b.Entries, func(e board.Entry) bool {
		return e.Count > 0 && slices.Contains(a.board.Table.Classes[a.board.Items[e.Item].Class].Shared, v)
	})
}

// enter adds pods to a bin.
func (a *audit) enter(bin *board.Bin, class, n int) {
	it := board.Item{Class: class, Count: n}
	bin.Entries = append(bin.Entries, board.Entry{Item: len(a.board.Items), Count: n})
	a.board.AddItems(it)
	a.board.Send(class, nil, n)
	a.revised = true
}

// refusal is a place where a new node for a class would shut out pods that are placed.
type refusal struct {
	class int
	site  *spread.Site
}

// intoNew opens a node where pods of the class cost least.
func (q *leftovers) intoNew(class, limit int) int {
	bin, n, ok := q.cheapest(class, limit)
	if !ok {
		return 0
	}
	site := q.a.site(&bin)
	unsettles := q.a.ledger.Unsettles(site)
	mark := q.a.board.Begin()
	q.a.enter(&bin, class, n)
	q.a.board.AddBins(bin)
	if unsettles {
		kept := q.a.ledger
		if left := (&replay{q.a}).replay(); len(left) > 0 {
			q.a.board.Rollback(mark)
			q.a.ledger = kept
			q.refused[refusal{class, site}] = true
			return q.intoNew(class, limit)
		}
	} else {
		q.a.ledger.Add(class, q.a.ledger.Join(site), n)
	}
	q.a.take(&bin, 1)
	return n
}

// cheapest is a new node on which a pod of the class costs least, with how many there can be.
func (q *leftovers) cheapest(class, limit int) (best board.Bin, n int, ok bool) {
	t := q.a.board.Table
	cells := []*spread.Cell{nil}
	if keys := q.keys(class); len(keys) > 0 {
		cells = q.a.place.Cells(keys)
	}
	for _, tier := range feasible.Tiers(t) {
		if best, n, ok = q.cheapestOfTier(tier, cells, class, limit); ok {
			break
		}
	}
	return best, n, ok
}

// cheapestOfTier is cheapest among pools of equal weight.
func (q *leftovers) cheapestOfTier(
	tier []int, cells []*spread.Cell, class, limit int,
) (best board.Bin, n int, ok bool) {
	t := q.a.board.Table
	tier = slices.DeleteFunc(tier, func(p int) bool { return !q.openable(p).Any() })
	least := math.Inf(1)
	for i := 0; i < len(cells) && len(tier) > 0; i++ {
		scope := place.NewScope(t, place.ScopeKey{Where: t.Classes[class].Where, Cell: cells[i]})
		for _, p := range tier {
			if bin, fit, price := q.cheapestOfPool(p, scope.ByPool[p], class, limit); price < least {
				best, n, least, ok = bin, fit, price, true
			}
		}
	}
	return best, n, ok
}

// cheapestOfPool is cheapest among some alternatives of a pool; price is that of one pod, infinite if there is no such
// node.
func (q *leftovers) cheapestOfPool(
	p int, alts []feasible.Alternative, class, limit int,
) (best board.Bin, n int, price float64) {
	price = math.Inf(1)
	for _, alt := range alts {
		alt.Columns.Keep(q.openable(p))
		if bin, fit, each := q.cheapestOf(p, alt, class, limit); each < price {
			best, n, price = bin, fit, each
		}
	}
	return best, n, price
}

// cheapestOf is cheapest among some columns of a pool; price is that of one pod, infinite if there is no such node.
func (q *leftovers) cheapestOf(
	p int, alt feasible.Alternative, class, limit int,
) (best board.Bin, n int, price float64) {
	t := q.a.board.Table
	c := t.Classes[class]
	price = math.Inf(1)
	rooms := map[*spread.Site]int{}
	for i := alt.Columns.Next(0); i >= 0; i = alt.Columns.Next(i + 1) {
		fit := feasible.FitsAfter(c.First, c.Need, t.Pools[p].Room(i), limit)
		each := float64(t.Columns[i].Price() + q.a.nodePrice)
		if fit == 0 || each/float64(fit) >= price {
			continue
		}
		site := q.a.siteOf(p, i, alt.Free)
		room, known := rooms[site]
		if !known {
			if !q.refused[refusal{class, site}] {
				room = q.a.ledger.RoomAt(class, site, limit)
			}
			rooms[site] = room
		}
		if fit = min(fit, room); fit == 0 || each/float64(fit) >= price {
			continue
		}
		if bin, holds := q.bin(p, i, alt, class, fit); holds {
			best, n, price = bin, fit, each/float64(fit)
		}
	}
	return best, n, price
}

// bin is a new node for n pods of a class.
func (q *leftovers) bin(pool, column int, alt feasible.Alternative, class, n int) (board.Bin, bool) {
	t := q.a.board.Table
	c := t.Classes[class]
	bin := board.Bin{
		Pool: pool, Column: column, Columns: alt.Columns.Clone(), Free: alt.Free.Clone(), Load: slices.Clone(c.First),
	}
	for d, need := range c.Need {
		bin.Load[d] += need * int64(n-1)
	}
	t.Pools[pool].Holding(bin.Load, bin.Columns)
	q.keepOpen(class, pool, bin.Columns, bin.Free)
	if !bin.Columns.Has(column) {
		return bin, false
	}
	var ok bool
	bin.Columns, bin.Keeps, ok = q.a.board.Limits.Reserve(pool, bin.Columns, bin.Free, column)
	return bin, ok
}
