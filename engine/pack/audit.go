package pack

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// audit holds the finished plan against what kube-scheduler will see: the nodes that the plan leads to and no others,
// and pods that come one after the other. Assigning and packing go by estimates where they cannot know better: which
// domains will have a node, who comes before whom.
type audit struct {
	*packer
	ledger *spread.Ledger
	placed []bool  // by class, preferences given up: the plan has pods of it, or had
	lasts  []int32 // by class: see last
	vacant bool    // pods were taken back: there may be room for others

	blurred []bool // by tally: pods that it counts may be in other domains than planned; nil before leaveOpen

	firm    []bool       // by tally: a rule that is no preference asks it; nil if not known
	reaches []reach      // by bin
	open    []bitset.Set // by pool: columns of which the limits allow another machine; nil if not known
}

// verify takes back pods that could be bound in no order that was tried, and places those that the estimates refused and
// kube-scheduler would not. It also drops options of new nodes that would make a difference.
func (p *packer) verify() *spread.Ledger {
	if len(p.board.Spread.Tallies) == 0 && !p.tight() {
		return nil
	}
	a := &audit{packer: p, placed: make([]bool, len(p.board.Table.Classes)), lasts: make([]int32, len(p.board.Table.Classes))}
	for class := range a.lasts {
		a.lasts[class] = int32(p.last(class))
	}
	a.eachEntry(func(class, _, _ int) { a.placed[class] = true })
	for {
		left := a.replay()
		if len(left) == 0 {
			break
		}
		a.takeBack(left)
		a.vacant = true
	}
	a.squeeze()
	a.leaveOpen()
	a.pin()
	a.pinDaemons()
	return a.ledger
}

// last is what a class requires, without preferences.
func (p *packer) last(class int) int {
	for p.board.Table.Classes[class].Next >= 0 {
		class = int(p.board.Table.Classes[class].Next)
	}
	return class
}

// group is pods of one class that are to come to places which are alike for them.
type group struct {
	class, node int32 // the class with preferences given up; one of those places
	left        int32
}

// join begins a ledger with the nodes of the plan.
func (a *audit) join() {
	a.ledger = spread.NewLedger(a.board.Spread, len(a.bins))
	for b := range a.bins {
		a.ledger.Join(a.site(&a.bins[b]))
	}
}

func (p *packer) site(b *Bin) *spread.Site {
	return p.siteOf(b.Pool, b.Column, b.Free)
}

func (p *packer) siteOf(pool, column int, free bitset.Set) *spread.Site {
	return p.board.Spread.Site(p.board.Table.Pools[pool], column, free)
}

// eachEntry calls do for the pods of the plan that rules look at, by where they are. Moves come first.
func (a *audit) eachEntry(do func(class, node, count int)) {
	for _, m := range a.board.Moves() {
		a.entry(int(m.Class), int(m.Node), int(m.Count), do)
	}
	for b := range a.bins {
		for _, e := range a.bins[b].Entries {
			a.entry(a.done[e.Item].Class, len(a.board.Table.Nodes)+b, e.Count, do)
		}
	}
}

func (a *audit) entry(class, node, count int, do func(class, node, count int)) {
	class = int(a.lasts[class])
	if own := &a.board.Spread.Classes[class]; count > 0 && len(own.Rules)+len(own.Adds) > 0 {
		do(class, node, count)
	}
}

// groups divides the pods of the plan into those whose own rules are asked and those that only count for others.
func (a *audit) groups() (bound, free []group) {
	at := map[[2]int32]int{} // position in their list, by class and place, where several nodes are one place
	a.eachEntry(func(class, node, count int) {
		list := &free
		if len(a.board.Spread.Classes[class].Rules) > 0 {
			list = &bound
		}
		k := [2]int32{int32(class), a.ledger.Place(class, node)}
		if k[1] < 0 {
			if i, known := at[k]; known {
				(*list)[i].left += int32(count)
				return
			}
			at[k] = len(*list)
		}
		*list = append(*list, group{int32(class), int32(node), int32(count)})
	})
	return bound, free
}

// orders are in which order pods with rules of their own are tried.
var orders = []func(*audit, []group){
	func(*audit, []group) {},
	func(_ *audit, bound []group) { slices.Reverse(bound) },
	func(a *audit, bound []group) {
		slices.SortStableFunc(bound, func(x, y group) int {
			return len(a.board.Spread.Classes[y.class].Rules) - len(a.board.Spread.Classes[x.class].Rules)
		})
	},
}

// replay binds the pods of the plan one after the other in several orders, and returns those of the best that find
// their node closed. The ledger then has all others.
func (a *audit) replay() (left []group) {
	if !a.ordered() {
		a.join()
		a.eachEntry(a.ledger.Add)
		return nil
	}
	var ledger *spread.Ledger
	for _, arrange := range orders {
		a.join()
		bound, free := a.groups()
		arrange(a, bound)
		if closed := a.bind(bound, free); ledger == nil || len(closed) < len(left) {
			left, ledger = closed, a.ledger
		}
		if len(left) == 0 {
			break
		}
	}
	a.ledger = ledger
	return left
}

// ordered reports whether it matters which pods of the plan come first.
func (a *audit) ordered() bool {
	for class, placed := range a.placed {
		if own := &a.board.Spread.Classes[class]; placed && (own.Ordered() || own.Wary) {
			return true
		}
	}
	return false
}

// bind lets pods come until no more can, those without rules last unless others wait for them.
func (a *audit) bind(bound, free []group) (closed []group) {
	for {
		came := false
		waiting := bound[:0]
		for _, g := range bound {
			for n := 1; n > 0 && g.left > 0; {
				if n = a.ledger.Room(int(g.class), int(g.node), int(g.left)); n > 0 {
					a.come(&g, n)
					came = true
				}
			}
			if g.left > 0 {
				waiting = append(waiting, g)
			}
		}
		bound = waiting
		if len(bound) == 0 || !came && !a.help(bound, free) {
			break
		}
	}
	for i := range free {
		a.come(&free[i], int(free[i].left))
	}
	return bound
}

func (a *audit) come(g *group, n int) {
	a.ledger.Add(int(g.class), int(g.node), n)
	g.left -= int32(n)
}

// help lets pods without rules come that others wait for.
func (a *audit) help(bound, free []group) bool {
	tried := map[int32]bool{} // tallies
	helped := false
	for _, g := range bound {
		r, _, objects := a.ledger.Objection(int(g.class), int(g.node))
		if !objects || tried[r.Tally] {
			continue
		}
		tried[r.Tally] = true
		i := slices.IndexFunc(free, func(f group) bool { return f.left > 0 && a.ledger.Helps(r, int(f.class), int(f.node)) })
		if i >= 0 {
			a.come(&free[i], 1)
			helped = true
		}
	}
	return helped
}

// takeBack takes pods of groups off their nodes. They are stuck for now.
func (a *audit) takeBack(closed []group) {
	excess := map[[2]int32]int{} // by class and place
	for _, g := range closed {
		excess[[2]int32{g.class, a.ledger.Place(int(g.class), int(g.node))}] += int(g.left)
	}
	take := func(class, node, count int) int {
		class = a.last(class)
		k := [2]int32{int32(class), a.ledger.Place(class, node)}
		n := min(excess[k], count)
		excess[k] -= n
		return n
	}
	moves := a.board.Moves()
	for i := len(moves) - 1; i >= 0; i-- {
		m := moves[i]
		if n := take(int(m.Class), int(m.Node), int(m.Count)); n > 0 {
			a.board.TakeBack(i, n)
			a.stuck[a.board.Table.Classes[m.Class].Base] += n
		}
	}
	for b := len(a.bins) - 1; b >= 0; b-- {
		bin := &a.bins[b]
		for i := range bin.Entries {
			e := &bin.Entries[i]
			if n := take(a.done[e.Item].Class, len(a.board.Table.Nodes)+b, e.Count); n > 0 {
				e.Count -= n
				a.drop(bin, a.done[e.Item], n)
			}
		}
		bin.Entries = slices.DeleteFunc(bin.Entries, func(e Entry) bool { return e.Count == 0 })
		if len(bin.Entries) == 0 {
			a.limits.take(bin.Pool, bin.Column, bin.Keeps, -1)
		}
	}
	a.bins = slices.DeleteFunc(a.bins, func(b Bin) bool { return len(b.Entries) == 0 })
}

// drop takes n pods of an item, which its entry has lost, out of a bin's load.
func (a *audit) drop(b *Bin, it Item, n int) {
	c := a.board.Table.Classes[it.Class]
	for d, need := range c.Need {
		b.Load[d] -= need * int64(n)
	}
	for _, v := range c.Shared {
		if !a.attached(b, v) {
			b.Load[v.Dim]--
		}
	}
	a.leave(it, n)
	a.stuck[c.Base] += n
}
