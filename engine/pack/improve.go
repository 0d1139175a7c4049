package pack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/spread"
)

// opening is a filling as it was opened, in terms of rows.
type opening struct {
	kind    *kind
	entries []Entry // Item is a row
	times   int
	price   float64
	bin     Bin // without entries
}

// openTimes opens a filling so often. Pods are given out later, so that a plan can be taken back.
func (s *solver) openTimes(f *filling, times int) {
	bin := Bin{Pool: f.kind.pool, Column: f.column, Columns: s.words.copy(f.columns), Free: s.words.copy(f.free), Keeps: f.keeps, Load: s.numbers.copy(f.load)}
	s.opened = append(s.opened, opening{f.kind, s.entries.copy(f.entries), times, f.price, bin})
	for _, e := range f.entries {
		s.rows[e.Item].left -= e.Count * times
	}
	s.limits.take(f.kind.pool, f.column, f.keeps, times)
}

// hand gives out the pods.
func (s *solver) hand() {
	bins, entries := 0, len(s.items)
	for _, o := range s.opened {
		bins += o.times
		entries += o.times * len(o.entries)
	}
	s.bins = make([]Bin, 0, bins)
	all := make([]Entry, 0, entries) // of all bins: a row's pods go on with the next item only when one is used up
	for _, o := range s.opened {
		for range o.times {
			b := o.bin
			b.Load = s.numbers.copy(b.Load)
			from := len(all)
			for _, e := range o.entries {
				all = s.takeItems(all, e)
			}
			b.Entries = all[from:len(all):len(all)]
			s.bins = append(s.bins, b)
		}
	}
}

// state is what packing changes before pods are given out.
type state struct {
	left   []int // by row
	opened int
	limits *limits
}

func (s *solver) save() state {
	st := state{left: make([]int, len(s.rows)), opened: len(s.opened), limits: s.limits.clone()}
	for r := range s.rows {
		st.left[r] = s.rows[r].left
	}
	return st
}

func (s *solver) restore(st state) {
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

// improve looks for a cheaper plan than the greedy one that follows from st, within the effort.
func (s *solver) improve(kinds []kind, st state) {
	greedy := s.spent(st)
	if s.effort <= 0 || s.leftOver() > 0 || greedy <= s.floor*1.001 || !s.generates(kinds, st) {
		return
	}
	first := append([]opening(nil), s.opened[st.opened:]...)
	after := s.save()
	s.restore(st)
	g := newGenerator(s, kinds, min(s.effort, fewSteps+stepsEach*s.leftOver()))
	g.seed(first)
	g.prune(g.relax(g.demand(), true).Dual())
	best, price := g.dive()
	for range 3 { // every dive finds fillings that the next one can use
		if price <= g.bound*(1+hardly) {
			break
		}
		again, less := g.dive()
		if less >= price {
			break
		}
		best, price = again, less
	}
	s.steps += g.steps
	if g.bound > s.floor && s.unbound() {
		s.floor = g.bound
	}
	if price < greedy && g.replay(best) {
		return
	}
	s.restore(state{after.left, st.opened, after.limits})
	s.opened = append(s.opened, first...)
}

// replay opens what was chosen; false if limits or rules that were not looked at do not allow it.
func (g *generator) replay(list []chosen) bool {
	f := g.s.newFilling()
	for _, c := range list {
		if !g.load(f, c.loaded) || g.s.limits.times(f.kind.pool, f.column, f.keeps) < c.times {
			return false
		}
		g.s.openTimes(f, c.times)
	}
	return g.s.leftOver() == 0
}

// seed makes the greedy packer's fillings known.
func (g *generator) seed(list []opening) {
	for _, o := range list {
		l := loaded{price: o.kind.price}
		for k := range g.kinds {
			if &g.kinds[k] == o.kind {
				l.kind = k
			}
		}
		for _, e := range o.entries {
			l.entries = append(l.entries, Entry{g.at[e.Item], e.Count})
		}
		g.add(l)
	}
}

// generates reports whether column generation can be used: few rows, and no machines or pods that need
// each other.
func (s *solver) generates(kinds []kind, st state) bool {
	rows := 0
	for r := range s.rows {
		if st.left[r] > 0 {
			rows++
			if slices.ContainsFunc(s.rows[r].rules, func(rule hostRule) bool { return rule.kind == spread.Near }) {
				return false
			}
		}
	}
	return rows <= maxGenerated && rows*len(kinds) <= maxLooks && !s.table.Reserved
}

// unbound reports whether no item was settled in a domain: then what is proved of the items is
// proved of the pods.
func (s *solver) unbound() bool {
	return !slices.ContainsFunc(s.items, func(it Item) bool { return it.Cell != nil })
}
