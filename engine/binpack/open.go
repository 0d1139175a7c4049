package binpack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// opening is a filling as it was opened, in terms of rows.
type opening struct {
	kind    *kind
	entries []board.Entry // Item is a row
	times   int
	price   float64
	bin     board.Bin // without entries
}

// openTimes opens a filling so often. Pods are given out later, so that a plan can be taken back.
func (s *solver) openTimes(f *filling, times int) {
	bin := board.Bin{
		Pool: f.kind.pool, Column: f.column, Columns: s.wordSlab.copy(f.columns), Free: s.wordSlab.copy(f.free),
		Keeps: f.keeps, Load: s.numberSlab.copy(f.load),
	}
	s.opened = append(s.opened, opening{f.kind, s.entrySlab.copy(f.entries), times, f.price, bin})
	for _, e := range f.entries {
		s.rows[e.Item].left -= e.Count * times
	}
	s.limits.Take(f.kind.pool, f.column, f.keeps, times)
}

// handOut gives out the pods.
func (s *solver) handOut() {
	bins, entries := 0, len(s.items)
	for _, o := range s.opened {
		bins += o.times
		entries += o.times * len(o.entries)
	}
	s.bins = make([]board.Bin, 0, bins)
	// of all bins: a row's pods go on with the next item only when one is used up
	all := make([]board.Entry, 0, entries)
	for _, o := range s.opened {
		for range o.times {
			b := o.bin
			b.Load = s.numberSlab.copy(b.Load)
			from := len(all)
			for _, e := range o.entries {
				all = s.takeItems(all, e)
			}
			b.Entries = all[from:len(all):len(all)]
			s.bins = append(s.bins, b)
		}
	}
}

// checkpoint is what packing changes before pods are given out.
type checkpoint struct {
	left   []int // by row
	opened int
	limits *limits.Budgets
}

func (s *solver) save() checkpoint {
	st := checkpoint{left: make([]int, len(s.rows)), opened: len(s.opened), limits: s.limits.Clone()}
	for r := range s.rows {
		st.left[r] = s.rows[r].left
	}
	return st
}

func (s *solver) restore(st checkpoint) {
	for r := range s.rows {
		s.rows[r].left = st.left[r]
	}
	s.opened = s.opened[:st.opened]
	*s.limits = *st.limits
}

func (s *solver) leftOver() int {
	n := 0
	for r := range s.rows {
		n += s.rows[r].left
	}
	return n
}

// maxGenerated is up to how many rows column generation is tried: its work grows with their square. A round of it
// fills every kind of machine, so that there may be too many of these, too.
const (
	maxGenerated = 400
	maxLooks     = 20_000 // rows times kinds
)

// No more than stepsEach for every pod, and fewSteps, are spent on generating columns: small clusters are not
// worth the time of large ones.
const (
	fewSteps  = 20_000
	stepsEach = 500
)

// closeEnough is how close to the floor, as a factor, a greedy plan is left as it is: no plan can save more than the
// rest, and generating columns would cost more time than that is worth.
const closeEnough = 1.001

// improve looks for a cheaper plan than the greedy one that follows from st, within the effort.
func (s *solver) improve(kinds []kind, st checkpoint) {
	greedy := spent(s, st)
	if s.effort <= 0 || s.leftOver() > 0 || greedy <= s.floor*closeEnough || !s.canGenerate(kinds, st) {
		return
	}
	first := append([]opening(nil), s.opened[st.opened:]...)
	after := s.save()
	s.restore(st)
	g, c := s.generator(kinds, min(s.effort, fewSteps+stepsEach*s.leftOver()), first)
	best, price := g.Solve()
	s.steps += g.Steps
	if g.Bound > s.floor && noneSettled(s) {
		s.floor = g.Bound
	}
	if price < greedy && c.open(best) {
		return
	}
	s.restore(checkpoint{after.left, st.opened, after.limits})
	s.opened = append(s.opened, first...)
}

// canGenerate reports whether column generation can be used: few rows, and no machines or pods that need
// each other.
func (s *solver) canGenerate(kinds []kind, st checkpoint) bool {
	rows := 0
	for r := range s.rows {
		if st.left[r] > 0 {
			rows++
			if slices.ContainsFunc(s.rows[r].rules, func(rule hostRule) bool { return rule.kind == spread.Near }) {
				return false
			}
		}
	}
	return rows <= maxGenerated && rows*len(kinds) <= maxLooks && !reserved(s, kinds)
}

// reserved reports whether there are machines of reservations that hold a pod which is to be packed.
func reserved(s *solver, kinds []kind) bool {
	return s.table.Reserved && slices.ContainsFunc(kinds, func(k kind) bool {
		return s.table.Columns[k.column].Offering.Reservation != "" && slices.ContainsFunc(s.rows, func(r row) bool {
			return len(r.items) > 0 && k.takes.Has(r.scope) && fits(r.need, k.room, 1) > 0
		})
	})
}

// noneSettled reports whether no item was settled in a domain: then what is proved of the items is
// proved of the pods.
func noneSettled(s *solver) bool {
	return !slices.ContainsFunc(s.items, func(it board.Item) bool { return it.Cell != nil })
}
