package binpack

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// What shift tries: a pass makes no more than beyondLimit times the steps that are left; pods move to machines that
// become larger for them if there are at most growsUpTo machines; there are at most maxPasses; a machine is
// dissolved if it has at most dissolvesUpTo pods.
const (
	beyondLimit   = 4
	growsUpTo     = 60
	maxPasses     = 6
	dissolvesUpTo = 8
)

// shift moves pods from machine to machine while that saves money: a pod leaves if its machine can
// then be a cheaper one, or none, and goes where there is room, or where room costs less than was saved.
// Only what was opened from the given position on is touched.
func (s *solver) shift(kinds []kind, since int) {
	if s.effort <= s.steps || !interchangeable(s, kinds) {
		return
	}
	h := &shifter{s: s, columns: bitset.New(len(s.table.Columns)), limit: s.effort - s.steps}
	if h.work(s.opened[since:]) > beyondLimit*h.limit {
		return
	}
	kept := slices.Clone(s.opened[:since])
	for _, o := range s.opened[since:] {
		if hasColocationRule(s, &o) {
			kept = append(kept, o)
			continue
		}
		for range o.times {
			h.bins = append(h.bins, h.newBin(o))
		}
	}
	h.grow = len(h.bins) <= growsUpTo
	for pass := 0; pass < maxPasses && h.pass(); pass++ {
	}
	s.steps += h.steps
	s.opened = kept
	for i := range h.bins {
		if b := &h.bins[i]; len(b.entries) > 0 {
			s.opened = append(s.opened, h.opening(b))
		}
	}
}

// work is about how many steps one pass takes: every pod looks at every machine.
func (h *shifter) work(list []opening) int {
	bins, pods := 0, 0
	for _, o := range list {
		bins += o.times
		for _, e := range o.entries {
			pods += e.Count * o.times
		}
	}
	return bins * pods
}

// interchangeable reports whether a machine can be swapped for any other that holds its pods.
func interchangeable(s *solver, kinds []kind) bool {
	if slices.ContainsFunc(s.rows, func(r row) bool { return len(r.shared) > 0 }) {
		return false
	}
	for i := range kinds {
		p := s.table.Pools[kinds[i].pool]
		if len(p.Limits) > 0 || p.Choices || p.MinValues {
			return false
		}
	}
	return !reserved(s, kinds)
}

// hasColocationRule reports whether pods of an opening need each other.
func hasColocationRule(s *solver, o *opening) bool {
	if len(s.near) == 0 {
		return false
	}
	near := func(tally int32) bool { return slices.Contains(s.near, tally) }
	for _, e := range o.entries {
		row := &s.rows[e.Item]
		if slices.ContainsFunc(row.adds, near) || slices.ContainsFunc(row.rules, func(r hostRule) bool {
			return r.kind == spread.Near
		}) {
			return true
		}
	}
	return false
}

type shifter struct {
	s       *solver
	bins    []shifted
	columns bitset.Set
	grow    bool // few machines: one may grow for another's sake
	steps   int
	limit   int
}

// shifted is one machine while pods move.
type shifted struct {
	kind    *kind
	entries []board.Entry // Item is a row
	load    []int64
	room    []int64 // of its column
	column  int
	price   float64
}

func (h *shifter) newBin(o opening) shifted {
	pool := h.s.table.Pools[o.kind.pool]
	return shifted{
		kind: o.kind, entries: slices.Clone(o.entries), load: slices.Clone(o.bin.Load), room: pool.Room(o.bin.Column),
		column: o.bin.Column, price: o.price,
	}
}

// pass tries to move every pod once, from the machines with the least worth for their money on.
func (h *shifter) pass() (moved bool) {
	order := make([]int, len(h.bins))
	density := make([]float64, len(h.bins))
	for i := range h.bins {
		order[i] = i
		for _, e := range h.bins[i].entries {
			density[i] += float64(h.s.rows[e.Item].worth * float64(e.Count))
		}
		density[i] /= max(h.bins[i].price, 1)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(density[a], density[b]) })
	for _, from := range order {
		moved = h.dissolve(from) || moved
		for i := 0; i < len(h.bins[from].entries); i++ {
			if h.steps > h.limit {
				return false
			}
			if h.move(from, i) {
				moved, i = true, -1
			}
		}
	}
	return moved
}

// move takes one pod of an entry elsewhere if that saves money.
func (h *shifter) move(from, i int) bool {
	b := &h.bins[from]
	row := b.entries[i].Item
	column, price, ok := h.cheapest(b, row, -1)
	if !ok || price >= b.price {
		return false
	}
	to, toColumn, toPrice := h.target(from, row, b.price-price)
	if to < 0 {
		return false
	}
	h.apply(from, row, -1, column, price)
	h.apply(to, row, 1, toColumn, toPrice)
	return true
}

// dissolve empties a small machine into the others, if all its pods find room there for less than it costs.
func (h *shifter) dissolve(from int) bool {
	pods := 0
	for _, e := range h.bins[from].entries {
		pods += e.Count
	}
	if pods == 0 || pods > dissolvesUpTo {
		return false
	}
	type step struct {
		to, row, column int
		price           float64
	}
	var undo []step
	budget := h.bins[from].price
	done := true
	for _, e := range h.bins[from].entries {
		for range e.Count {
			to, column, price := h.target(from, e.Item, budget)
			if to < 0 {
				done = false
				break
			}
			t := &h.bins[to]
			budget -= price - t.price
			undo = append(undo, step{to, e.Item, t.column, t.price})
			h.apply(to, e.Item, 1, column, price)
		}
		if !done {
			break
		}
	}
	if !done || budget <= 0 {
		for i := len(undo) - 1; i >= 0; i-- {
			h.apply(undo[i].to, undo[i].row, -1, undo[i].column, undo[i].price)
		}
		return false
	}
	b := &h.bins[from]
	b.entries, b.price = nil, 0
	clear(b.load)
	return true
}

// target finds the machine that takes a pod of the row for least, and less than budget.
func (h *shifter) target(from, row int, budget float64) (to, column int, price float64) {
	to = -1
	r := &h.s.rows[row]
	extra := budget
	for i := range h.bins {
		b := &h.bins[i]
		if i == from || len(b.entries) == 0 {
			continue
		}
		h.steps++
		if b.fits(r.need) {
			if h.suits(b, row) && h.s.scopes[r.scope].Has(b.kind.pool, b.column) {
				return i, b.column, b.price
			}
			continue
		}
		if !h.grow || !h.suits(b, row) {
			continue
		}
		if c, p, ok := h.cheapest(b, row, 1); ok && p-b.price < extra {
			to, column, price, extra = i, c, p, p-b.price
		}
	}
	return to, column, price
}

func (b *shifted) fits(need []int64) bool {
	for d, n := range need {
		if n > 0 && b.load[d]+n > b.room[d] {
			return false
		}
	}
	return true
}

// suits reports whether hostname rules let one more pod of the row onto the machine.
func (h *shifter) suits(b *shifted, row int) bool {
	r := &h.s.rows[row]
	for i := range r.rules {
		rule := &r.rules[i]
		have := int32(0)
		for _, e := range b.entries {
			if slices.Contains(h.s.rows[e.Item].adds, rule.tally) {
				have += int32(e.Count)
			}
		}
		if rule.room(have, 1) < 1 {
			return false
		}
	}
	return true
}

// cheapest is the cheapest column for a machine with one pod more or less.
func (h *shifter) cheapest(b *shifted, row, change int) (column int, price float64, ok bool) {
	h.steps++
	pool := h.s.table.Pools[b.kind.pool]
	copy(h.columns, pool.Usable)
	load := make([]int64, 0, 16)
	load = append(load, b.load...)
	for d, n := range h.s.rows[row].need {
		load[d] += n * int64(change)
	}
	rest := 0
	kept := uint64(0) // the first scopes, of which each counts once
	keep := func(r int) bool {
		scope := h.s.rows[r].scope
		if kept&(1<<scope) != 0 {
			return true
		}
		alts := h.s.scopes[scope].ByPool[b.kind.pool]
		if len(alts) == 0 {
			return false
		}
		kept |= 1 << scope // 0 for those from 64 on
		h.columns.Keep(alts[0].Columns)
		return true
	}
	for _, e := range b.entries {
		if n := e.Count; e.Item != row || n+change > 0 {
			rest++
			if !keep(e.Item) {
				return 0, 0, false
			}
		}
	}
	if change > 0 && !keep(row) {
		return 0, 0, false
	}
	if rest == 0 && change < 0 {
		return b.column, 0, true
	}
	pool.Holding(load, h.columns)
	i := h.columns.Next(0)
	if i < 0 {
		return 0, 0, false
	}
	return i, h.s.cost(b.kind.pool, i), true
}

// apply changes a machine by pods of a row.
func (h *shifter) apply(bin, row, change, column int, price float64) {
	b := &h.bins[bin]
	for d, n := range h.s.rows[row].need {
		b.load[d] += n * int64(change)
	}
	i := slices.IndexFunc(b.entries, func(e board.Entry) bool { return e.Item == row })
	if i < 0 {
		i = len(b.entries)
		b.entries = append(b.entries, board.Entry{Item: row})
	}
	b.entries[i].Count += change
	if b.entries[i].Count == 0 {
		b.entries = slices.Delete(b.entries, i, i+1)
	}
	b.column, b.price = column, price
	b.room = h.s.table.Pools[b.kind.pool].Room(column)
}

func (h *shifter) opening(b *shifted) opening {
	pool := h.s.table.Pools[b.kind.pool]
	columns := pool.Usable.Clone()
	for _, e := range b.entries {
		columns.Keep(h.s.scopes[h.s.rows[e.Item].scope].ByPool[b.kind.pool][0].Columns)
	}
	pool.Holding(b.load, columns)
	bin := board.Bin{
		Pool: b.kind.pool, Column: columns.Next(0), Columns: columns, Free: h.s.allFree[b.kind.pool].Clone(),
		Load: b.load,
	}
	return opening{b.kind, b.entries, 1, b.price, bin}
}
