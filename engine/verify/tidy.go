package verify

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Pods are sent to domains, served by priority and packed pool by pool before anybody knows which machines will have
// room to spare. So when all is placed each new node is looked at once more: a smaller machine may do, and if its pods
// find room on others for less than it costs, it is given up.

// What tidying tries: plans of at most tidiedBins new nodes, nodes of at most tidiedPods pods, and passes over all of
// them as long as they save anything, at most tidyPasses.
const (
	tidiedBins = 60
	tidiedPods = 12
	tidyPasses = 3
)

// tidier makes new nodes smaller or gives them up.
type tidier struct {
	q *leftovers

	// kept is by tally: a rule that wants pods spread counts it, or one that is only preferred. Pods that it counts
	// stay in their domain: such rules look at domains in which there may be no node.
	kept []bool
}

func newTidier(q *leftovers) *tidier {
	st := q.a.board.Spread
	t := &tidier{q: q, kept: make([]bool, len(st.Tallies))}
	for class := range st.Classes {
		for _, r := range st.Classes[class].Rules {
			t.kept[r.Tally] = t.kept[r.Tally] || r.Kind == spread.Skew || t.wishes(class, r)
		}
	}
	return t
}

// wishes reports whether a class would give up a rule of its own if need be.
func (t *tidier) wishes(class int, r spread.Rule) bool {
	a := t.q.a
	return a.lasts[class] != int32(class) &&
		!slices.ContainsFunc(a.board.Spread.Classes[a.lasts[class]].Rules, func(firm spread.Rule) bool {
			return firm.Kind == r.Kind && firm.Tally == r.Tally
		})
}

// tidy makes passes over all new nodes.
func (t *tidier) tidy() {
	for range tidyPasses {
		if n := len(t.q.a.board.Bins); n < 2 || n > tidiedBins || !t.pass() {
			return
		}
	}
}

// pass looks at each new node once.
func (t *tidier) pass() (saved bool) {
	b := t.q.a.board
	for i := range b.Bins {
		t.shrink(i)
	}
	for i := 0; i < len(b.Bins); i++ {
		if t.giveUp(i) {
			saved = true
			i--
		}
	}
	return saved
}

// shrink plans a new node for the cheapest machine that holds its pods where they are.
func (t *tidier) shrink(b int) {
	a := t.q.a
	bin := a.board.Change(b)
	pool := a.board.Table.Pools[bin.Pool]
	columns := pool.Usable.Clone()
	for _, e := range bin.Entries {
		class := a.board.Items[e.Item].Class
		for _, alt := range a.board.Table.Alternatives(a.board.Table.Classes[class].Where, pool) {
			if alt.Columns.Has(bin.Column) && pool.FreeLeft(alt.Free.And(bin.Free)) {
				columns.Keep(alt.Columns)
				break
			}
		}
		t.q.keepDomains(class, bin, bin.Free, columns)
		for _, key := range t.keys(class) {
			if value, ok := a.board.Table.NewLabel(pool, bin.Column, bin.Free, key.Name); ok && !key.Host {
				columns.Keep(a.board.Table.WithLabel(pool, bin.Free, key.Name, value))
			}
		}
	}
	pool.Holding(bin.Load, columns)
	a.board.Limits.Take(bin.Pool, bin.Column, bin.Keeps, -1)
	for i := columns.Next(0); i >= 0; i = columns.Next(i + 1) {
		if a.board.Limits.Machines(bin.Pool, i) == 0 {
			columns.Remove(i)
		}
	}
	a.board.Limits.Take(bin.Pool, bin.Column, bin.Keeps, 1)
	all := a.board.Table.Columns
	if columns.Has(bin.Column) && all[columns.Next(0)].Price() < all[bin.Column].Price() &&
		t.q.moveTo(bin, columns, bin.Free) {
		a.reaches, a.open = nil, nil
	}
}

// giveUp empties a new node if its pods find places on others for less than it costs.
func (t *tidier) giveUp(bin int) bool {
	a := t.q.a
	pods, ok := t.pods(bin)
	if !ok {
		return false
	}
	mark, ledger, revised, before := a.board.Begin(), a.ledger, a.revised, t.price()
	from := a.board.Bins[bin]
	t.remove(bin)
	done := len((&replay{a}).replay()) == 0
	for i := 0; done && i < len(pods); i++ {
		done = t.settle(pods[i], &from) && t.price() < before
	}
	a.reaches, a.open, a.revised = nil, nil, revised // what was proved is proved of all ways to place the same pods
	if !done {
		a.board.Rollback(mark)
		a.ledger = ledger
	}
	return done
}

// pods are the classes of a new node's pods, one for each; ok is false if there are many, or one of them has wishes
// about its neighbours, which only assigning knows how to keep.
func (t *tidier) pods(bin int) (out []int, ok bool) {
	b := t.q.a.board
	for _, e := range b.Bins[bin].Entries {
		class := b.Items[e.Item].Class
		if slices.ContainsFunc(b.Spread.Classes[class].Rules, func(r spread.Rule) bool { return t.wishes(class, r) }) {
			return nil, false
		}
		for range e.Count {
			out = append(out, class)
		}
	}
	return out, len(out) <= tidiedPods
}

// remove takes a new node with its pods out of the plan.
func (t *tidier) remove(bin int) {
	a := t.q.a
	gone := a.board.Bins[bin]
	for _, e := range gone.Entries {
		it := a.board.Items[e.Item]
		a.board.Send(it.Class, it.Cell, -e.Count)
	}
	a.take(&gone, -1)
	a.board.SetBins(slices.Delete(slices.Clone(a.board.Bins), bin, bin+1))
	a.reaches, a.open = nil, nil
}

// settle puts a pod of a node that was given up on the one that then costs least more.
func (t *tidier) settle(class int, from *board.Bin) bool {
	a := t.q.a
	best, least := -1, shape.Money(0)
	for b := range a.board.Bins {
		mark, before := a.board.Begin(), a.board.Bins[b].Price(a.board.Table)
		if !t.enter(class, b, from) {
			continue
		}
		more := a.board.Bins[b].Price(a.board.Table) - before
		a.board.Rollback(mark)
		a.reaches, a.open = nil, nil
		if best < 0 || more < least {
			best, least = b, more
		}
		if least <= 0 {
			break
		}
	}
	if best < 0 || !t.enter(class, best, from) {
		return false
	}
	a.ledger.Add(last(a.board.Table, class), len(a.board.Table.Nodes)+best, 1)
	return true
}

// enter puts a pod into a new node if it may be there instead of where it was.
func (t *tidier) enter(class, b int, from *board.Bin) bool {
	a := t.q.a
	table, bin := a.board.Table, &a.board.Bins[b]
	c, pools := table.Classes[class], table.Pools
	node := len(table.Nodes) + b
	if pools[bin.Pool].Weight < pools[from.Pool].Weight || !t.stays(class, from, bin) ||
		!t.q.reach(b).holds(bin.Load, c.Need) || a.ledger.Room(last(table, class), node, 1) == 0 {
		return false
	}
	return t.q.growInto(b, class, t.q.loadWith(bin, c))
}

// stays reports whether a pod that moves from one new node to another stays in the domains that matter.
func (t *tidier) stays(class int, from, to *board.Bin) bool {
	table := t.q.a.board.Table
	return !slices.ContainsFunc(t.keys(class), func(key *spread.Key) bool {
		was, _ := table.NewLabel(table.Pools[from.Pool], from.Column, from.Free, key.Name)
		is, _ := table.NewLabel(table.Pools[to.Pool], to.Column, to.Free, key.Name)
		return key.Host || was != is
	})
}

// keys are those of tallies that are kept and count pods of a class, and of its own wishes.
func (t *tidier) keys(class int) (out []*spread.Key) {
	st := t.q.a.board.Spread
	for _, tally := range st.Classes[class].Adds {
		if t.kept[tally] {
			out = append(out, &st.Keys[st.Tallies[tally].Key])
		}
	}
	for _, r := range st.Classes[class].Rules {
		if t.wishes(class, r) {
			out = append(out, &st.Keys[r.Key])
		}
	}
	return out
}

// price is what all new nodes count for.
func (t *tidier) price() (sum shape.Money) {
	a := t.q.a
	for i := range a.board.Bins {
		sum += a.board.Bins[i].Price(a.board.Table) + a.nodePrice
	}
	return sum
}
