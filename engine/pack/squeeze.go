package pack

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// squeeze places stuck pods wherever kube-scheduler would bind them now: on existing nodes, on new ones that are open
// already, or on another new one. Until here the plan has spread pods over every domain in which a node could be
// opened, as their owners want it; these are pods for which that cannot be kept.
func (a *audit) squeeze() {
	refused := map[refusal]bool{}
	for again := true; again; {
		again = false
		for class, c := range a.board.Table.Classes {
			last := a.last(class)
			own := &a.board.Spread.Classes[last]
			if a.stuck[class] == 0 || c.Refused != "" || !a.vacant && !a.tight() && !own.Ordered() && !own.Wary {
				continue
			}
			for n := 1; n > 0 && a.stuck[class] > 0 && !a.unsure(last); {
				if n = a.ontoNode(last, a.stuck[class]); n == 0 {
					n = a.intoBin(last)
				}
				if n == 0 {
					n = a.intoNew(last, a.stuck[class], refused)
				}
				if n > 0 {
					a.stuck[class] -= n
					a.placed[last], again = true, true
					a.blur(last)
				}
			}
		}
	}
}

// tight reports whether a pool may stop opening nodes while pods are left: there may be room on those of the others.
func (p *packer) tight() bool {
	return p.board.Table.Reserved || slices.ContainsFunc(p.board.Table.Pools, func(pool *feasible.Pool) bool {
		return len(pool.Limits) > 0 || pool.MinValues
	})
}

// ontoNode puts pods on the first existing node that takes any.
func (a *audit) ontoNode(class, limit int) int {
	for node := range a.board.Table.Nodes {
		n := a.board.Fits(node, class, limit)
		if n == 0 || !a.board.Allows(node, class) {
			continue
		}
		if n = a.ledger.Room(class, node, n); n > 0 {
			a.board.Place(node, class, n)
			a.ledger.Add(class, node, n)
			return n
		}
	}
	return 0
}

// intoBin puts a pod on the first new node that takes it, on a larger machine if need be.
func (a *audit) intoBin(class int) int {
	t := a.board.Table
	c := t.Classes[class]
	for b := range a.bins {
		bin, node := &a.bins[b], len(t.Nodes)+b
		within := a.reach(b)
		if !within.holds(bin.Load, c.Need) || a.ledger.Room(class, node, 1) == 0 {
			continue
		}
		load := slices.Clone(bin.Load)
		for d, n := range c.Need {
			load[d] += n
		}
		for _, v := range c.Shared {
			if !a.attached(bin, v) {
				load[v.Dim]++
			}
		}
		pool := t.Pools[bin.Pool]
		for _, alt := range t.Alternatives(c.Where, pool) {
			free := alt.Free.And(bin.Free)
			if !pool.FreeLeft(free) {
				continue
			}
			columns := within.columns.And(alt.Columns)
			a.keepDomains(class, bin, free, columns)
			a.keepOpen(class, bin.Pool, columns, free)
			pool.Holding(load, columns)
			if a.swap(bin, columns, free) {
				bin.Free, bin.Load = free, load
				a.enter(bin, class, 1)
				if a.reaches != nil {
					a.reaches[b] = reach{}
				}
				a.ledger.Add(class, node, 1)
				return 1
			}
		}
	}
	return 0
}

// keepDomains keeps those columns with which a bin stays in the domains that rules of a class or about it look at.
func (a *audit) keepDomains(class int, bin *Bin, free, columns bitset.Set) {
	t, st := a.board.Table, a.board.Spread
	pool := t.Pools[bin.Pool]
	for _, k := range a.keys(class) {
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

// keys are those of a class, without preferences, whose domains have to be known: not those that only preferences look at.
func (a *audit) keys(class int) []int32 {
	st := a.board.Spread
	if a.firm == nil {
		a.firm = make([]bool, len(st.Tallies))
		for i := range st.Classes {
			for _, r := range st.Classes[i].Rules {
				a.firm[r.Tally] = a.firm[r.Tally] || a.board.Table.Classes[i].Next < 0
			}
		}
	}
	own := &st.Classes[class]
	var out []int32
	for _, k := range own.Keys {
		looks := func(tally int32) bool { return st.Tallies[tally].Key == k && a.firm[tally] }
		if a.blurred != nil && a.indifferent(class, k) {
			continue
		}
		if slices.ContainsFunc(own.Adds, looks) || slices.ContainsFunc(own.Rules, func(r spread.Rule) bool { return looks(r.Tally) }) {
			out = append(out, k)
		}
	}
	return out
}

// reach is which columns a bin may be planned for, and the most that any of them has of each resource.
type reach struct {
	columns bitset.Set
	room    []int64
}

func (r *reach) holds(load, more []int64) bool {
	for d, n := range more {
		if n > 0 && load[d]+n > r.room[d] {
			return false
		}
	}
	return true
}

// reach is that of a bin: the limits allow its columns in place of the one that it is planned for.
func (a *audit) reach(b int) *reach {
	for len(a.reaches) < len(a.bins) {
		a.reaches = append(a.reaches, reach{})
	}
	r, bin, t := &a.reaches[b], &a.bins[b], a.board.Table
	if r.columns != nil {
		return r
	}
	r.columns, r.room = bin.Columns.Clone(), make([]int64, len(t.Resources))
	a.limits.take(bin.Pool, bin.Column, bin.Keeps, -1)
	for i := r.columns.Next(0); i >= 0; i = r.columns.Next(i + 1) {
		if a.limits.machines(bin.Pool, i) == 0 {
			r.columns.Remove(i)
			continue
		}
		for d, have := range t.Pools[bin.Pool].Room(i) {
			r.room[d] = max(r.room[d], have)
		}
	}
	a.limits.take(bin.Pool, bin.Column, bin.Keeps, 1)
	return r
}

// use changes what the limits leave by so many machines of a bin.
func (a *audit) use(bin *Bin, machines int) {
	a.limits.take(bin.Pool, bin.Column, bin.Keeps, machines)
	if len(a.limits.left[bin.Pool]) > 0 || a.board.Table.Reserved {
		a.reaches, a.open = nil, nil
	}
}

// openable are the columns of a pool of which the limits allow another machine.
func (a *audit) openable(pool int) bitset.Set {
	if a.open == nil {
		a.open = make([]bitset.Set, len(a.board.Table.Pools))
	}
	if a.open[pool] == nil {
		out := a.board.Table.Pools[pool].Usable.Clone()
		for i := out.Next(0); i >= 0; i = out.Next(i + 1) {
			if a.limits.machines(pool, i) == 0 {
				out.Remove(i)
			}
		}
		a.open[pool] = out
	}
	return a.open[pool]
}

// swap has a bin keep some columns only, and plans it for the cheapest of them that leaves it where it is; false if there
// is none.
func (a *audit) swap(bin *Bin, columns, free bitset.Set) bool {
	if a.board.Table.Columns[bin.Column].Offering.Reservation != "" {
		if columns.Has(bin.Column) {
			bin.Columns = columns
			return true // it is launched from nothing else
		}
		return false
	}
	column, site := columns.Next(0), a.site(bin)
	for column >= 0 && a.siteOf(bin.Pool, column, free) != site {
		column = columns.Next(column + 1)
	}
	if column < 0 {
		return false
	}
	return a.plan(bin, columns, free, column)
}

// plan plans a bin for one of some columns, which are all that it keeps, and has the limits follow; false if they do not
// leave enough for it.
func (a *audit) plan(bin *Bin, columns, free bitset.Set, column int) bool {
	a.limits.take(bin.Pool, bin.Column, bin.Keeps, -1)
	launch, keeps, ok := a.limits.keep(bin.Pool, columns, free, column)
	a.limits.take(bin.Pool, bin.Column, bin.Keeps, 1)
	if !ok {
		return false
	}
	if column != bin.Column || !slices.Equal(keeps, bin.Keeps) {
		a.use(bin, -1)
		bin.Column, bin.Keeps = column, keeps
		a.use(bin, 1)
	}
	bin.Columns = launch
	return true
}

// attached reports whether some pod in a bin has a shared volume.
func (p *packer) attached(b *Bin, v feasible.Volume) bool {
	return slices.ContainsFunc(b.Entries, func(e Entry) bool {
		return e.Count > 0 && slices.Contains(p.board.Table.Classes[p.done[e.Item].Class].Shared, v)
	})
}

// enter adds pods to a bin.
func (p *packer) enter(bin *Bin, class, n int) {
	bin.Entries = append(bin.Entries, Entry{Item: len(p.done), Count: n})
	p.done = append(p.done, Item{Class: class, Count: n})
	p.board.Spread.EnterHosts(class, int32(n))
	p.retried = true
}

// refusal is a place where a new node for a class would shut out pods that are placed.
type refusal struct {
	class int
	site  *spread.Site
}

// intoNew opens a node where pods of the class cost least.
func (a *audit) intoNew(class, limit int, refused map[refusal]bool) int {
	bin, n, ok := a.cheapest(class, limit, refused)
	if !ok {
		return 0
	}
	site := a.site(&bin)
	unsettles := a.ledger.Unsettles(site)
	before := len(a.done)
	a.enter(&bin, class, n)
	a.bins = append(a.bins, bin)
	if unsettles {
		kept := a.ledger
		if left := a.replay(); len(left) > 0 {
			a.bins, a.done, a.ledger = a.bins[:len(a.bins)-1], a.done[:before], kept
			a.board.Spread.EnterHosts(class, -int32(n))
			refused[refusal{class, site}] = true
			return a.intoNew(class, limit, refused)
		}
	} else {
		a.ledger.Add(class, a.ledger.Join(site), n)
	}
	a.use(&bin, 1)
	return n
}

// cheapest is a new node on which a pod of the class costs least, with how many there can be.
func (a *audit) cheapest(class, limit int, refused map[refusal]bool) (best Bin, n int, ok bool) {
	t := a.board.Table
	c := t.Classes[class]
	cells := []*spread.Cell{nil}
	if keys := a.keys(class); len(keys) > 0 {
		cells = a.cellsOf(keys)
	}
	least := math.Inf(1)
	for _, tier := range tiers(t) {
		tier = slices.DeleteFunc(tier, func(p int) bool { return !a.openable(p).Any() })
		for i := 0; i < len(cells) && len(tier) > 0; i++ {
			m := newMask(t, maskKey{c.Where, cells[i]})
			for _, p := range tier {
				for _, alt := range m.alts[p] {
					alt.Columns.Keep(a.openable(p))
					if bin, fit, price := a.cheapestOf(p, alt, class, limit, refused); price < least {
						best, n, least, ok = bin, fit, price, true
					}
				}
			}
		}
		if ok {
			break
		}
	}
	return best, n, ok
}

// cheapestOf is cheapest among some columns of a pool; price is that of one pod, infinite if there is no such node.
func (a *audit) cheapestOf(p int, alt feasible.Alternative, class, limit int, refused map[refusal]bool) (best Bin, n int, price float64) {
	t := a.board.Table
	c := t.Classes[class]
	price = math.Inf(1)
	rooms := map[*spread.Site]int{}
	for i := alt.Columns.Next(0); i >= 0; i = alt.Columns.Next(i + 1) {
		fit := feasible.FitsAfter(c.First, c.Need, t.Pools[p].Room(i), limit)
		each := float64(t.Columns[i].Price() + a.task.NodePrice)
		if fit == 0 || each/float64(fit) >= price {
			continue
		}
		site := a.siteOf(p, i, alt.Free)
		room, known := rooms[site]
		if !known {
			if !refused[refusal{class, site}] {
				room = a.ledger.RoomAt(class, site, limit)
			}
			rooms[site] = room
		}
		if fit = min(fit, room); fit == 0 || each/float64(fit) >= price {
			continue
		}
		if bin, holds := a.bin(p, i, alt, class, fit); holds {
			best, n, price = bin, fit, each/float64(fit)
		}
	}
	return best, n, price
}

// bin is a new node for n pods of a class.
func (a *audit) bin(pool, column int, alt feasible.Alternative, class, n int) (Bin, bool) {
	t := a.board.Table
	c := t.Classes[class]
	bin := Bin{Pool: pool, Column: column, Columns: alt.Columns.Clone(), Free: alt.Free.Clone(), Load: slices.Clone(c.First)}
	for d, need := range c.Need {
		bin.Load[d] += need * int64(n-1)
	}
	t.Pools[pool].Holding(bin.Load, bin.Columns)
	a.keepOpen(class, pool, bin.Columns, bin.Free)
	if !bin.Columns.Has(column) {
		return bin, false
	}
	var ok bool
	bin.Columns, bin.Keeps, ok = a.limits.keep(pool, bin.Columns, bin.Free, column)
	return bin, ok
}
