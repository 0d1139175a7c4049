package pack

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/binpack"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Limits and reservations may leave fewer machines than pods want that are to be spread over domains. Whoever then
// packs what is cheapest first gives one domain all and the others nothing. So what is scarce is dealt out in the order
// in which the pods were sent to their domains: after each of them the rules held, so that they hold wherever the order
// is cut.

// A plan may try so many packings to find out how far its limits reach: maxProbes, fewer if there are more than
// manyClasses, as each takes longer then, and minProbes at least: with none the limits would be reached by guess. While
// probes succeed, the next one is probeGrowth times as far on.
const (
	maxProbes   = 40
	minProbes   = 4
	manyClasses = 100
	probeGrowth = 4
)

// rationer is a packer while it packs items of which not all may have a node.
type rationer struct{ packer *packer }

// ration is how far some items were packed.
type ration struct {
	packing *binpack.Packing // its items have the counts that were granted
	left    []int            // by item: pods without a node
	ended   int              // the item whose pod would have come next in the order that was kept to, -1 if none was
}

// maxFrugal is how often items are packed again with those first that found no node the time before.
const maxFrugal = 3

// most packs items, with as few pods left as it can, and says what it leaves of the limits.
func (p rationer) most(items []board.Item, effort int) (best *binpack.Packing, after *limits.Budgets) {
	after = p.packer.board.Limits.Clone()
	best = p.packer.solve(items, after, effort, nil)
	least := sum(best.Left)
	if least == 0 || !p.packer.placer.Scarce {
		return best, after
	}
	used := p.packer.board.Limits.Clone()
	if s := p.packer.solveSparingly(items, used, effort); sum(s.Left) < least {
		best, after, least = s, used, sum(s.Left)
	}
	if least == 0 || len(p.packer.board.Table.Pools) < 2 {
		return best, after
	}
	first := make([]int, len(items))
	for range maxFrugal {
		used := p.packer.board.Limits.Clone()
		s := p.packer.solve(items, used, effort, first)
		left := sum(s.Left)
		if left < least {
			best, after, least = s, used, left
		}
		if left == 0 {
			break
		}
		first = slices.Clone(first)
		for i, n := range s.Left {
			first[i] += n
		}
	}
	return best, after
}

func sum(list []int) (n int) {
	for _, x := range list {
		n += x
	}
	return n
}

// serve takes a packing and the limits as it leaves them. Of pods that are spread over domains and cannot all have a
// node it packs again only those that came before the first for which none is left.
func (p rationer) serve(s *binpack.Packing, used *limits.Budgets) ration {
	if short := p.short(s); len(short) > 0 {
		p.packer.wants = true
		packing, after, ended := p.divide(s, short)
		left := slices.Clone(packing.Left)
		for i := range s.Items {
			left[i] += s.Items[i].Count - packing.Items[i].Count
		}
		p.packer.board.SetLimits(after)
		return ration{packing, left, ended}
	}
	p.packer.board.SetLimits(used)
	return ration{s, s.Left, -1}
}

// short lists the items of classes that are spread over domains and of which some pods have no node, as far as that may
// be for want of something scarce.
func (p rationer) short(s *binpack.Packing) (out []int) {
	if !p.packer.placer.Scarce {
		return nil
	}
	classes := map[int]bool{}
	for i, n := range s.Left {
		if n > 0 && len(s.Items[i].Turns) > 0 {
			classes[s.Items[i].Class] = true
		}
	}
	for i := range s.Items {
		if classes[s.Items[i].Class] && len(s.Items[i].Turns) > 0 {
			out = append(out, i)
		}
	}
	return out
}

// divide finds how many pods of the short items can be packed in the order in which they were sent, besides those of
// other items that were packed without regard to it. When too many packings were tried already it makes do with what
// fits for certain.
func (p rationer) divide(s *binpack.Packing, short []int) (out *binpack.Packing, used *limits.Budgets, ended int) {
	type turn struct {
		at   int32
		item int
	}
	var turns []turn
	items := slices.Clone(s.Items)
	packed := 0
	for i, n := range s.Left {
		items[i].Count -= n
	}
	for _, i := range short {
		packed += items[i].Count
		for _, at := range s.Items[i].Turns[:s.Items[i].Count] {
			turns = append(turns, turn{at, i})
		}
	}
	slices.SortFunc(turns, func(a, b turn) int { return int(a.at) - int(b.at) })
	grant := func(n int) {
		for _, i := range short {
			items[i].Count = 0
		}
		for _, t := range turns[:n] {
			items[t.item].Count++
		}
	}
	// What fits is probed around what was packed in no order: machines are alike in most domains.
	most, upto := 0, len(turns) // so many are known to fit, and so many not to
	for most < upto && turns[most].at < p.packer.sure {
		most++
	}
	for guess, step := packed, 1; most+1 < upto && p.packer.probes > 0; p.packer.probes-- {
		guess = min(max(guess, most+1), upto-1)
		grant(guess)
		if probe, _ := p.most(slices.Clone(items), 0); sum(probe.Left) > 0 {
			upto = guess
			guess = (most + upto) / 2
		} else {
			most = guess
			guess = min(most+step, (most+upto+1)/2)
			step *= probeGrowth
		}
	}
	grant(most)
	out, used = p.most(items, p.packer.task.Effort-p.packer.steps)
	ended = -1
	if most < len(turns) {
		ended = turns[most].item
	}
	return out, used, ended
}

// progress is what rounds have come to.
type progress struct {
	limits            *limits.Budgets
	bins, done, floor int
	turn              int32 // of the pods that are sent next
}

func (p *packer) mark() progress {
	return progress{p.board.Limits.Clone(), len(p.board.Bins), len(p.board.Items), len(p.floor), p.placer.Turn}
}

// reopen undoes the packing of a round. Its items, but for what was left of them, are to be packed in the next.
func (m progress) reopen(p *packer, items []board.Item, left []int) {
	p.board.SetLimits(m.limits)
	p.board.SetBins(p.board.Bins[:m.bins])
	p.board.KeepItems(m.done)
	p.floor = p.floor[:m.floor]
	var again []board.Item
	for i, it := range items {
		if it.Count -= left[i]; it.Count > 0 {
			p.board.Settle(it.Class, -it.Count)
			again = append(again, it)
		}
	}
	p.placer.Items = append(again, p.placer.Items...)
	p.sure = m.turn
	p.probes--
}

// opensFor reports whether a node may still be opened for a pod of an item.
func (p *packer) opensFor(it board.Item) bool {
	c := p.board.Table.Classes[it.Class]
	m := place.NewScope(p.board.Table, place.ScopeKey{Where: c.Where, Cell: it.Cell})
	return m.Opens(p.board.Limits, c)
}

// deal puts the new nodes in the order in which their pods were sent to their domains: whoever can launch only the
// first of them keeps to the levels, too.
func deal(p *packer) {
	if !p.placer.Counts || len(p.board.Bins) < 2 {
		return
	}
	given := make([]int, len(p.board.Items)) // by item: pods that earlier bins have
	first := make([]int32, len(p.board.Bins))
	order := make([]int, len(p.board.Bins))
	for b := range p.board.Bins {
		order[b] = b
		first[b] = -1
		for _, e := range p.board.Bins[b].Entries {
			at, ok := turnOf(p, e.Item, given[e.Item])
			if ok && (first[b] < 0 || at < first[b]) {
				first[b] = at
			}
			given[e.Item] += e.Count
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return int(first[x]) - int(first[y]) })
	bins := make([]board.Bin, len(p.board.Bins))
	for i, b := range order {
		bins[i] = p.board.Bins[b]
	}
	p.board.SetBins(bins)
}

// turnOf is the turn of an item's n-th pod: the last for pods that were added when all others were sent. ok is
// false for pods that are not spread over domains.
func turnOf(p *packer, item, n int) (at int32, ok bool) {
	it := &p.board.Items[item]
	if n < len(it.Turns) {
		return it.Turns[n], true
	}
	st := p.board.Spread
	return math.MaxInt32, slices.ContainsFunc(st.Classes[it.Class].Rules, func(r spread.Rule) bool {
		return r.Kind == spread.Skew && !st.Keys[r.Key].Host
	})
}
