package pack

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/binpack"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
	"github.com/dovetail-sh/dovetail/engine/verify"
)

// Task is what Pack works on.
type Task struct {
	NodePrice shape.Money // added to each node's price in comparisons
	Effort    int         // steps that may be spent on improving
	Strict    bool        // keep the pools' minValues

	Way    place.Way   // how pods choose among domains
	Proven shape.Money // no plan for these pods costs less, in whatever way; 0 if nothing is known

	// Level sends pods that are spread over domains to new nodes where there are fewest of them, whatever they cost
	// there.
	Level bool
}

// Result is a whole plan in terms of classes.
type Result struct {
	Items  []board.Item
	Bins   []board.Bin // Entries refer to Items
	Stuck  []int       // by class: pods without a place
	Steps  int
	Ledger *spread.Ledger // what rules see once the plan is carried out; nil if there are none
	Floor  shape.Money    // no packing of the same items can cost less; 0 if nothing is known

	// Short is set when limits, or something else that is scarce, left too little for pods that are spread over
	// domains. With [Task.Level] more of them may have a place then.
	Short bool

	// Divided is set when pods were packed by priority, each apart from those of others, because not all could have a
	// node.
	Divided bool
}

// Pack places all pods of the board's Table: on existing nodes, which the board then shows, and on
// new ones.
func Pack(b *board.Board, task Task) Result {
	p := &packer{board: b, task: task, failed: map[int]bool{}}
	b.SetLimits(limits.New(b.Table, task.Strict))
	p.probes = max(maxProbes*manyClasses/max(len(b.Table.Classes), manyClasses), minProbes)
	p.placer = place.New(b, task.Level, task.Way)
	p.assignAll()
	for range packRounds {
		p.assignAgain()
		if len(p.placer.Items) == 0 {
			break
		}
		p.rounds()
	}
	ledger, revised := verify.Verify(b, p.placer, task.NodePrice, p.placer.Scarce, task.Effort > 0)
	p.retried = p.retried || revised
	deal(p)
	return Result{
		Ledger: ledger, Items: p.board.Items, Bins: p.board.Bins, Stuck: p.board.Stuck, Steps: p.steps,
		Floor: p.bound(), Short: p.wants, Divided: p.divided,
	}
}

type packer struct {
	placer *place.Placer
	board  *board.Board
	task   Task
	steps  int

	failed map[int]bool // classes of which no node could be opened for some pods that had been assigned
	floor  []float64    // of each solver whose bins were kept

	wants  bool  // see Result.Short
	sure   int32 // pods with turns before it are known to fit, if they are packed again
	probes int   // packings that may still be tried to find out how far limits reach

	divided bool // see Result.Divided
	retried bool // some items had to leave the place that they were counted in
}

// packRounds bounds how often nodes are opened for pods that found no place before others had theirs, and assignRounds
// how often such pods are tried before that. Longer chains of pods that wait for each other are left to the next plan.
const (
	packRounds   = 3
	assignRounds = 4
)

// assignAll assigns every class once. Pods whose neighbours are not there yet come after those that they look for.
func (p *packer) assignAll() {
	var later []int
	led := p.led()
	seen := p.placer.PlaceSeen()
	for _, class := range queue(p.task.Way, p.board.Table) {
		c := p.board.Table.Classes[class]
		switch {
		case len(c.Pods) == seen[class]:
		case p.follows(class, led):
			later = append(later, class)
		default:
			p.board.SetStuck(class, p.placer.Assign(class, len(c.Pods)-seen[class]))
		}
	}
	for _, class := range later {
		p.board.SetStuck(class, p.placer.Assign(class, len(p.board.Table.Classes[class].Pods)-seen[class]))
	}
}

// led tells by tally whether it counts pods that do not look for it themselves.
func (p *packer) led() []bool {
	st := p.board.Spread
	out := make([]bool, len(st.Tallies))
	for class, c := range p.board.Table.Classes {
		for _, tally := range st.Classes[class].Adds {
			out[tally] = out[tally] || len(c.Pods) > 0 &&
				!slices.ContainsFunc(st.Classes[class].Rules, func(r spread.Rule) bool {
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
	for class, n := range p.board.Stuck {
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
			if n := p.board.Stuck[class]; n > 0 {
				p.board.SetStuck(class, p.placer.Assign(class, n))
				found = found || p.board.Stuck[class] < n
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
	for len(p.placer.Items) > 0 {
		items := p.loosen()
		before := p.mark()
		p.board.AddItems(items...)
		left, held, rationed := p.pack(items, before.done)
		for i, n := range left {
			if n > 0 {
				p.leave(items[i], n)
			}
		}
		again := make([]bool, len(items))
		several := len(p.board.Table.Pools) > 1 && p.probes > 0 // the next packing may have them serve others
		for i, n := range left {
			if n > 0 {
				p.failed[int(p.board.Table.Classes[items[i].Class].Base)] = true
				again[i] = held[i] && (several || p.opensFor(items[i])) || p.shut(items[i])
			}
		}
		for i, n := range left {
			if n == 0 {
				continue
			}
			c := p.board.Table.Classes[items[i].Class]
			if again[i] {
				n = p.placer.Assign(items[i].Class, n)
			} else if c.Next >= 0 {
				n = p.placer.Assign(int(c.Next), n)
			}
			p.board.SetStuck(int(c.Base), p.board.Stuck[c.Base]+n)
		}
		if rationed && len(p.placer.Items) > 0 && p.probes > 0 {
			before.reopen(p, items, left) // what went elsewhere goes better together with the others
		}
	}
}

// shut notes that no more nodes can be opened for pods like an item's in its cell, and reports whether they may try
// others.
func (p *packer) shut(it board.Item) bool {
	st := p.board.Spread
	if slices.ContainsFunc(st.Classes[it.Class].Rules, func(r spread.Rule) bool {
		return r.Kind == spread.Near && st.Keys[r.Key].Host
	}) {
		return false // it was for want of a pod to share the node with
	}
	p.placer.Close(it.Class, it.Cell, p.placer.Scarce && !p.opensFor(it))
	return it.Cell != nil
}

// loosen takes the items that are to be packed. Those which find no pod to share a node with because of a preference
// give it up before nodes are opened: afterwards the others would be where they cannot be joined.
func (p *packer) loosen() []board.Item {
	for range assignRounds {
		if !slices.ContainsFunc(p.placer.Items, p.mayLoosen) {
			break
		}
		s := p.solve(p.placer.Items, p.board.Limits.Clone(), 0, nil)
		found := false
		for i, n := range s.Left {
			if it := p.placer.Items[i]; n > 0 && p.mayLoosen(it) {
				found = true
				p.placer.Items[i].Count -= n
				p.leave(it, n)
				c := p.board.Table.Classes[it.Class]
				n = p.placer.Assign(int(c.Next), n)
				p.board.SetStuck(int(c.Base), p.board.Stuck[c.Base]+n)
			}
		}
		if !found {
			break
		}
		p.placer.Items = slices.DeleteFunc(p.placer.Items, func(it board.Item) bool { return it.Count == 0 })
	}
	items := p.placer.Items
	p.placer.Items = nil
	return items
}

// mayLoosen reports whether pods must find a neighbour on their node and have a preference to give up.
func (p *packer) mayLoosen(it board.Item) bool {
	st := p.board.Spread
	return p.board.Table.Classes[it.Class].Next >= 0 &&
		slices.ContainsFunc(st.Classes[it.Class].Rules, func(r spread.Rule) bool {
			return r.Kind == spread.Near && st.Keys[r.Key].Host
		})
}

// leave takes back that n pods of an item were counted.
func (p *packer) leave(it board.Item, n int) {
	p.retried = true
	p.board.Send(it.Class, it.Cell, -n)
}

// pack opens nodes for items. When not all pods can have one, those of higher priority are served before the others.
// Items are held back if only their turn did not come: there may be room for their pods yet. rationed tells that there
// were turns.
func (p *packer) pack(items []board.Item, first int) (left []int, held []bool, rationed bool) {
	s, trial := rationer{p}.most(items, p.task.Effort-p.steps)
	groups := [][]int{all(items)}
	if sum(s.Left) > 0 {
		groups = p.byPriority(items)
	}
	before := p.mark()
	left, held = make([]int, len(items)), make([]bool, len(items))
	for _, group := range groups {
		if len(groups) > 1 {
			part := make([]board.Item, len(group))
			for i, at := range group {
				part[i] = items[at]
			}
			s, trial = rationer{p}.most(part, p.task.Effort-p.steps)
		}
		r := rationer{p}.serve(s, trial)
		rationed = rationed || r.ended >= 0
		p.keep(r.packing, func(i int) int { return first + group[i] })
		for i, n := range r.left {
			left[group[i]] = n
			held[group[i]] = r.ended >= 0 && i != r.ended && n > 0 && len(items[group[i]].Turns) > 0
		}
	}
	p.divided = p.divided || len(groups) > 1
	if len(groups) > 1 && p.task.Way.Joint {
		p.together(before, items, left, first)
	}
	return left, held, rationed
}

// together packs once more those pods that have a node, all at once, and keeps that if it is cheaper: who is served is
// a question of priority, whom one shares a machine with is not.
func (p *packer) together(before progress, items []board.Item, left []int, first int) {
	served := slices.Clone(items)
	for i, n := range left {
		served[i].Count -= n
		p.board.Settle(served[i].Class, -served[i].Count)
	}
	after := before.limits.Clone()
	s := p.solve(served, after, p.task.Effort-p.steps, nil)
	if sum(s.Left) > 0 || p.cost(s.Bins) >= p.cost(p.board.Bins[before.bins:]) || !after.Covers(p.board.Limits) {
		for _, it := range served {
			p.board.Settle(it.Class, it.Count)
		}
		return
	}
	p.board.SetLimits(after)
	p.board.SetBins(slices.Clone(p.board.Bins[:before.bins]))
	p.floor = p.floor[:before.floor]
	p.keep(s, func(i int) int { return first + i })
}

// cost is what nodes count for in comparisons.
func (p *packer) cost(bins []board.Bin) (sum float64) {
	for i := range bins {
		sum += float64(bins[i].Price(p.board.Table) + p.task.NodePrice)
	}
	return sum
}

// solve packs items into new nodes within the limits, which it uses up; effort is how many steps it may spend. frugal
// is that of a Work.
func (p *packer) solve(items []board.Item, l *limits.Budgets, effort int, frugal []int) *binpack.Packing {
	return binpack.Fill(binpack.Work{
		Table: p.board.Table, Spread: p.board.Spread, Items: items, Limits: l,
		NodePrice: p.task.NodePrice, Effort: effort, Frugal: frugal, Proven: p.proven(items),
	})
}

// proven is what was proved of items: nothing if they are only some of the pods that it was proved of.
func (p *packer) proven(items []board.Item) float64 {
	pods := 0
	for _, it := range items {
		pods += it.Count
	}
	if pods < len(p.board.Table.Snapshot().Pods) {
		return 0
	}
	return float64(p.task.Proven)
}

// solveSparingly is solve where limits come before money.
func (p *packer) solveSparingly(items []board.Item, l *limits.Budgets, effort int) *binpack.Packing {
	return binpack.Fill(binpack.Work{
		Table: p.board.Table, Spread: p.board.Spread, Items: items, Limits: l,
		NodePrice: p.task.NodePrice, Effort: effort, Sparing: true, Many: p.task.Way.Many,
	})
}

// keep takes a packing's bins over; at tells which of done its items are.
func (p *packer) keep(s *binpack.Packing, at func(int) int) {
	for b := range s.Bins {
		entries := s.Bins[b].Entries
		for i := range entries {
			entries[i].Item = at(entries[i].Item)
		}
	}
	for i, it := range s.Items {
		p.board.Settle(it.Class, it.Count-s.Left[i])
	}
	if p.board.Bins == nil {
		p.board.SetBins(s.Bins)
	} else {
		p.board.AddBins(s.Bins...)
	}
	p.steps += s.Steps
	p.floor = append(p.floor, s.Floor)
}

// bound is what was proved. A plan that took several rounds, or took pods back, proves nothing.
func (p *packer) bound() shape.Money {
	if len(p.floor) != 1 || p.retried {
		return 0
	}
	return shape.Money(p.floor[0] * (1 - 1e-9))
}

// byPriority groups items, highest priority first.
func (p *packer) byPriority(items []board.Item) [][]int {
	priority := func(i int) int32 { return p.board.Table.Classes[items[i].Class].Priority }
	order := all(items)
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

// all lists the positions of items.
func all(items []board.Item) []int {
	out := make([]int, len(items))
	for i := range out {
		out[i] = i
	}
	return out
}
