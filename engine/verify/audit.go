package verify

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// audit holds the finished plan against what kube-scheduler will see: the nodes that the plan leads to and no others,
// and pods that come one after the other. Assigning and packing go by estimates where they cannot know better: which
// domains will have a node, which pod comes before which.
type audit struct {
	board     *board.Board
	place     *place.Placer
	nodePrice shape.Money
	scarce    bool

	ledger  *spread.Ledger
	placed  []bool  // by class, preferences given up: the plan has pods of it, or had
	lasts   []int32 // by class: see last
	revised bool    // the bins are no longer those that were packed

	reaches []reachable  // by bin
	open    []bitset.Set // by pool: columns of which the limits allow another machine; nil if not known
}

// Verify takes back pods that could be bound in no order that was tried, and places those that the estimates refused
// and kube-scheduler would not. It also drops options of new nodes that would make a difference.
// With tidy it gives up new nodes whose pods find room on others. revised reports
// whether pods were added to nodes or taken off them.
func Verify(
	b *board.Board, place *place.Placer, nodePrice shape.Money, scarce, tidy bool,
) (ledger *spread.Ledger, revised bool) {
	t := b.Table
	if len(b.Spread.Tallies) == 0 && !limits.Scarce(t) {
		return nil, false
	}
	a := &audit{
		board: b, place: place, nodePrice: nodePrice, scarce: scarce,
		placed: make([]bool, len(t.Classes)), lasts: make([]int32, len(t.Classes)),
	}
	for class := range a.lasts {
		a.lasts[class] = int32(last(t, class))
	}
	a.eachEntry(func(class, _, _ int) { a.placed[class] = true })
	vacant := false
	for {
		left := (&replay{a}).replay()
		if len(left) == 0 {
			break
		}
		a.takeBack(left)
		vacant = true
	}
	a.withhold()
	q := &leftovers{a: a, roomAgain: vacant}
	q.placeLeftovers()
	q.placeWithOpenDomains()
	if tidy {
		newTidier(q).tidy()
	}
	p := &optionFilter{a}
	p.dropForSpread()
	p.dropForDaemons()
	return a.ledger, a.revised
}

// last is what a class requires, without preferences.
func last(t *feasible.Table, class int) int {
	for t.Classes[class].Next >= 0 {
		class = int(t.Classes[class].Next)
	}
	return class
}

// join has the new nodes of the plan join the ledger.
func (a *audit) join() {
	for b := range a.board.Bins {
		a.ledger.Join(a.site(&a.board.Bins[b]))
	}
}

func (a *audit) site(b *board.Bin) *spread.Site {
	return a.siteOf(b.Pool, b.Column, b.Free)
}

func (a *audit) siteOf(pool, column int, free bitset.Set) *spread.Site {
	return a.board.Spread.Site(a.board.Table.Pools[pool], column, free)
}

// eachEntry calls do for the pods of the plan that rules look at, by where they are. Moves come first.
func (a *audit) eachEntry(do func(class, node, count int)) {
	a.eachMove(do)
	a.eachAboard(do)
}

// eachMove is eachEntry for pods on existing nodes.
func (a *audit) eachMove(do func(class, node, count int)) {
	for _, m := range a.board.Moves(0) {
		a.entry(int(m.Class), int(m.Node), int(m.Count), do)
	}
}

// eachAboard is eachEntry for pods on new nodes.
func (a *audit) eachAboard(do func(class, node, count int)) {
	for b := range a.board.Bins {
		for _, e := range a.board.Bins[b].Entries {
			a.entry(a.board.Items[e.Item].Class, len(a.board.Table.Nodes)+b, e.Count, do)
		}
	}
}

func (a *audit) entry(class, node, count int, do func(class, node, count int)) {
	class = int(a.lasts[class])
	if own := &a.board.Spread.Classes[class]; count > 0 && len(own.Rules)+len(own.Adds) > 0 {
		do(class, node, count)
	}
}

// takeBack takes pods of groups off their nodes. They are stuck for now.
func (a *audit) takeBack(closed []group) {
	excess := map[[2]int32]int{} // by class and place
	for _, g := range closed {
		excess[[2]int32{g.class, a.ledger.Place(int(g.class), int(g.node))}] += int(g.left)
	}
	take := func(class, node, count int) int {
		class = last(a.board.Table, class)
		k := [2]int32{int32(class), a.ledger.Place(class, node)}
		n := min(excess[k], count)
		excess[k] -= n
		return n
	}
	moves := a.board.Moves(0)
	for i := len(moves) - 1; i >= 0; i-- {
		m := moves[i]
		if n := take(int(m.Class), int(m.Node), int(m.Count)); n > 0 {
			a.board.TakeBack(m, n)
			a.strand(a.board.Table.Classes[m.Class], n)
		}
	}
	for b := len(a.board.Bins) - 1; b >= 0; b-- {
		bin := a.board.Change(b)
		for i := range bin.Entries {
			e := &bin.Entries[i]
			if n := take(a.board.Items[e.Item].Class, len(a.board.Table.Nodes)+b, e.Count); n > 0 {
				e.Count -= n
				a.drop(bin, a.board.Items[e.Item], n)
			}
		}
		bin.Entries = slices.DeleteFunc(bin.Entries, func(e board.Entry) bool { return e.Count == 0 })
		if len(bin.Entries) == 0 {
			a.board.Use(bin, -1)
		}
	}
	a.board.SetBins(slices.DeleteFunc(slices.Clone(a.board.Bins), func(b board.Bin) bool {
		return len(b.Entries) == 0
	}))
}

// strand notes n more pods of a class without a place.
func (a *audit) strand(c *feasible.Class, n int) {
	a.board.SetStuck(int(c.Base), a.board.Stuck[c.Base]+n)
}

// drop takes n pods of an item, which its entry has lost, out of a bin's load.
func (a *audit) drop(b *board.Bin, it board.Item, n int) {
	c := a.board.Table.Classes[it.Class]
	for d, need := range c.Need {
		b.Load[d] -= need * int64(n)
	}
	for _, v := range c.Shared {
		if !a.attached(b, v) {
			b.Load[v.Dim]--
		}
	}
	a.board.Send(it.Class, it.Cell, -n)
	a.revised = true
	a.strand(c, n)
}
