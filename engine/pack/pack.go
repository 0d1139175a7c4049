package pack

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Task is what Pack works on.
type Task struct {
	NodePrice shape.Money // added to each node's price in comparisons
	Effort    int         // steps that may be spent on improving
	Strict    bool        // keep the pools' minValues
}

// Result is a whole plan in terms of classes.
type Result struct {
	Items  []Item
	Bins   []Bin // Entries refer to Items
	Stuck  []int // by class: pods without a place
	Steps  int
	Ledger *spread.Ledger // what rules see once the plan is carried out; nil if there are none
	Floor  shape.Money    // no packing of the same items can cost less; 0 if nothing is known
}

// Pack places all pods of the board's Table: on existing nodes, which the board then shows, and on
// new ones.
func Pack(b *board.Board, task Task) Result {
	p := &packer{board: b, task: task, limits: newLimits(b.Table, task.Strict), stuck: make([]int, len(b.Table.Classes)), failed: map[int]bool{}}
	p.assigner = newAssigner(b)
	p.assignAll()
	for range packRounds {
		p.assignAgain()
		if len(p.items) == 0 {
			break
		}
		p.rounds()
	}
	ledger := p.verify()
	return Result{Ledger: ledger, Items: p.done, Bins: p.bins, Stuck: p.stuck, Steps: p.steps, Floor: p.bound()}
}

type packer struct {
	*assigner
	board  *board.Board
	task   Task
	limits *limits

	done  []Item // items of finished rounds
	bins  []Bin
	stuck []int
	steps int

	failed map[int]bool // classes of which no node could be opened for some pods that had been assigned
	floor  []float64    // of each solver whose bins were kept

	retried bool // some items had to leave the place that they were counted in
}

// packRounds bounds how often nodes are opened for pods that found no place before others had theirs, and assignRounds
// how often such pods are tried before that. Longer chains of pods that wait for each other are left to the next plan.
const (
	packRounds   = 3
	assignRounds = 4
)

// assignAll assigns every class once. Pods that nobody is there for yet come after those that they look for.
func (p *packer) assignAll() {
	var later []int
	led := p.led()
	seated := p.seat()
	for class, c := range p.board.Table.Classes {
		switch {
		case len(c.Pods) == seated[class]:
		case p.follows(class, led):
			later = append(later, class)
		default:
			p.stuck[class] = p.assign(class, len(c.Pods)-seated[class])
		}
	}
	for _, class := range later {
		p.stuck[class] = p.assign(class, len(p.board.Table.Classes[class].Pods)-seated[class])
	}
}

// led tells by tally whether it counts pods that do not look for it themselves.
func (p *packer) led() []bool {
	st := p.board.Spread
	out := make([]bool, len(st.Tallies))
	for class, c := range p.board.Table.Classes {
		for _, tally := range st.Classes[class].Adds {
			out[tally] = out[tally] || len(c.Pods) > 0 && !slices.ContainsFunc(st.Classes[class].Rules, func(r spread.Rule) bool {
				return r.Kind == spread.Near && r.Tally == tally
			})
		}
	}
	return out
}

// follows reports whether a class's affinity looks for pods of which none is anywhere yet, but some are to come.
func (p *packer) follows(class int, led []bool) bool {
	st := p.board.Spread
	return slices.ContainsFunc(st.Classes[class].Rules, func(r spread.Rule) bool {
		return r.Kind == spread.Near && st.Tallies[r.Tally].Total == 0 && led[r.Tally]
	})
}

// assignAgain tries pods without a place whose rules about neighbours may hold by now: those neighbours may
// have been assigned after them. Pods for which no node could be opened in the end come last: they may have kept
// others away.
func (p *packer) assignAgain() {
	var order, last []int
	for class, n := range p.stuck {
		switch {
		case n == 0 || len(p.board.Spread.Classes[class].Rules) == 0:
		case p.failed[class]:
			last = append(last, class)
		default:
			order = append(order, class)
		}
	}
	order = append(order, last...)
	for range assignRounds {
		found := false
		for _, class := range order {
			if n := p.stuck[class]; n > 0 {
				p.stuck[class] = p.assign(class, n)
				found = found || p.stuck[class] < n
			}
		}
		if !found {
			return
		}
	}
}

// rounds packs items. Those for which no node may be opened after all give up a preference and are
// assigned again, until none is left that could.
func (p *packer) rounds() {
	for len(p.items) > 0 {
		items := p.loosen()
		first := len(p.done)
		p.done = append(p.done, items...)
		left := p.pack(items, first)
		for i, n := range left {
			if n == 0 {
				continue
			}
			it := items[i]
			p.leave(it, n)
			c := p.board.Table.Classes[it.Class]
			p.failed[int(c.Base)] = true
			if p.shut(it) {
				n = p.assign(it.Class, n)
			} else if c.Next >= 0 {
				n = p.assign(int(c.Next), n)
			}
			p.stuck[c.Base] += n
		}
	}
}

// shut notes that no more nodes can be opened for pods like an item's in its cell, and reports whether they may try others.
func (p *packer) shut(it Item) bool {
	st := p.board.Spread
	if slices.ContainsFunc(st.Classes[it.Class].Rules, func(r spread.Rule) bool { return r.Kind == spread.Near && st.Keys[r.Key].Host }) {
		return false // it was for want of somebody to share the node with
	}
	p.close(it.Class, it.Cell)
	return it.Cell != nil
}

// loosen takes the items that are to be packed. Those which find nobody to share a node with because of a preference
// give it up before nodes are opened: afterwards the others would be where they cannot be joined.
func (p *packer) loosen() []Item {
	for range assignRounds {
		if !slices.ContainsFunc(p.items, p.picky) {
			break
		}
		s := p.solve(p.items, p.limits.clone(), 0)
		found := false
		for i, n := range s.left {
			if it := p.items[i]; n > 0 && p.picky(it) {
				found = true
				p.items[i].Count -= n
				p.leave(it, n)
				c := p.board.Table.Classes[it.Class]
				p.stuck[c.Base] += p.assign(int(c.Next), n)
			}
		}
		if !found {
			break
		}
		p.items = slices.DeleteFunc(p.items, func(it Item) bool { return it.Count == 0 })
	}
	items := p.items
	p.items = nil
	return items
}

// picky reports whether pods must find somebody on their node and have a preference to give up.
func (p *packer) picky(it Item) bool {
	st := p.board.Spread
	return p.board.Table.Classes[it.Class].Next >= 0 && slices.ContainsFunc(st.Classes[it.Class].Rules, func(r spread.Rule) bool {
		return r.Kind == spread.Near && st.Keys[r.Key].Host
	})
}

// leave takes back that n pods of an item were counted.
func (p *packer) leave(it Item, n int) {
	p.retried = true
	if it.Cell != nil {
		p.board.Spread.Enter(it.Class, p.board.Table, it.Cell, -int32(n))
	} else {
		p.board.Spread.EnterHosts(it.Class, -int32(n))
	}
}

// pack opens nodes for items. When not all pods can have one, those of higher priority are served
// before the others.
func (p *packer) pack(items []Item, first int) (left []int) {
	trial := p.limits.clone()
	s := p.solve(items, trial, p.task.Effort-p.steps)
	var groups [][]int
	if slices.ContainsFunc(s.left, func(n int) bool { return n > 0 }) {
		groups = p.byPriority(items)
	}
	if len(groups) <= 1 {
		p.limits = trial
		p.keep(s, func(i int) int { return first + i })
		return s.left
	}
	left = make([]int, len(items))
	for _, group := range groups {
		part := make([]Item, len(group))
		for i, at := range group {
			part[i] = items[at]
		}
		s := p.solve(part, p.limits, p.task.Effort-p.steps)
		p.keep(s, func(i int) int { return first + group[i] })
		for i, n := range s.left {
			left[group[i]] = n
		}
	}
	return left
}

// keep takes a solver's bins over; at tells which of done its items are.
func (p *packer) keep(s *solver, at func(int) int) {
	for b := range s.bins {
		entries := s.bins[b].Entries
		for i := range entries {
			entries[i].Item = at(entries[i].Item)
		}
	}
	for i, it := range s.items {
		p.board.Spread.Close(it.Class, it.Count-s.left[i])
	}
	if p.bins == nil {
		p.bins = s.bins
	} else {
		p.bins = append(p.bins, s.bins...)
	}
	p.steps += s.steps
	p.floor = append(p.floor, s.floor)
}

// bound is what was proved. A plan that took several rounds, or took pods back, proves nothing.
func (p *packer) bound() shape.Money {
	if len(p.floor) != 1 || p.retried {
		return 0
	}
	return shape.Money(p.floor[0] * (1 - 1e-9))
}

// byPriority groups items, highest priority first.
func (p *packer) byPriority(items []Item) [][]int {
	priority := func(i int) int32 { return p.board.Table.Classes[items[i].Class].Priority }
	order := make([]int, len(items))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(priority(b), priority(a)) })
	var out [][]int
	for k, i := range order {
		if k == 0 || priority(order[k-1]) != priority(i) {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], i)
	}
	return out
}
