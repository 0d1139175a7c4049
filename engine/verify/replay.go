package verify

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/spread"
)

// replay binds the pods of the plan one after the other.
type replay struct{ a *audit }

// group is pods of one class that are to come to places which are alike for them.
type group struct {
	class, node int32 // the class with preferences given up; one of those places
	left        int32
}

// groups divides pods of the plan, of which each is an eachEntry, into those whose own rules are asked and those that
// only count for others.
func (r *replay) groups(each func(do func(class, node, count int))) (bound, free []group) {
	at := map[[2]int32]int{} // position in their list, by class and place, where several nodes are one place
	each(func(class, node, count int) {
		list := &free
		if len(r.a.board.Spread.Classes[class].Rules) > 0 {
			list = &bound
		}
		k := [2]int32{int32(class), r.a.ledger.Place(class, node)}
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

// order is one in which the pods of a plan may come.
type order struct {
	early   bool // pods on existing nodes come as far as they can before there are any others
	arrange func(*audit, []group)
}

// orders are in which order pods with rules of their own are tried. Kube-scheduler does not wait for nodes that are to
// be bought, so that the early ones are nearest to what happens.
var orders = []order{
	{true, func(*audit, []group) {}},
	{false, func(*audit, []group) {}},
	{false, func(_ *audit, bound []group) { slices.Reverse(bound) }},
	{false, func(a *audit, bound []group) {
		slices.SortStableFunc(bound, func(x, y group) int {
			return len(a.board.Spread.Classes[y.class].Rules) - len(a.board.Spread.Classes[x.class].Rules)
		})
	}},
}

// replay binds the pods of the plan one after the other in several orders, and returns those of the best that find
// their node closed. The ledger then has all others.
func (r *replay) replay() (left []group) {
	if !r.ordered() {
		r.a.ledger = spread.NewLedger(r.a.board.Spread, len(r.a.board.Bins))
		r.a.join()
		r.a.eachEntry(r.a.ledger.Add)
		return nil
	}
	var ledger *spread.Ledger
	for _, o := range orders {
		closed := r.try(o)
		if ledger == nil || len(closed) < len(left) {
			left, ledger = closed, r.a.ledger
		}
		if len(left) == 0 {
			break
		}
	}
	r.a.ledger = ledger
	return left
}

// try binds the pods in one order.
func (r *replay) try(o order) (closed []group) {
	r.a.ledger = spread.NewLedger(r.a.board.Spread, len(r.a.board.Bins))
	if !o.early {
		r.a.join()
		bound, free := r.groups(r.a.eachEntry)
		o.arrange(r.a, bound)
		return r.bind(bound, free)
	}
	bound, free := r.groups(r.a.eachMove)
	o.arrange(r.a, bound)
	bound = r.admit(bound, free)
	r.a.join()
	later, others := r.groups(r.a.eachAboard)
	o.arrange(r.a, later)
	return r.bind(append(bound, later...), append(free, others...))
}

// ordered reports whether it matters which pods of the plan come first.
func (r *replay) ordered() bool {
	for class, placed := range r.a.placed {
		if own := &r.a.board.Spread.Classes[class]; placed && (own.Ordered() || own.AffectedByDaemons) {
			return true
		}
	}
	return false
}

// bind lets pods come until no more can, those without rules last unless others wait for them.
func (r *replay) bind(bound, free []group) (closed []group) {
	closed = r.admit(bound, free)
	for i := range free {
		r.bindPods(&free[i], int(free[i].left))
	}
	return closed
}

// admit is bind but for those that no pod waits for. It returns those that still wait.
func (r *replay) admit(bound, free []group) []group {
	for {
		came := false
		waiting := bound[:0]
		for _, g := range bound {
			before := g.left
			for n := 1; n > 0 && g.left > 0; {
				n = r.a.ledger.Room(int(g.class), int(g.node), int(g.left))
				r.bindPods(&g, n)
			}
			came = came || g.left < before
			if g.left > 0 {
				waiting = append(waiting, g)
			}
		}
		bound = waiting
		if len(bound) == 0 || !came && !r.bindHelpers(bound, free) {
			return bound
		}
	}
}

// bindPods binds n pods of a group, which may be none.
func (r *replay) bindPods(g *group, n int) {
	if n <= 0 {
		return
	}
	r.a.ledger.Add(int(g.class), int(g.node), n)
	g.left -= int32(n)
}

// bindHelpers lets pods without rules come that others wait for.
func (r *replay) bindHelpers(bound, free []group) bool {
	tried := map[int32]bool{} // tallies
	helped := false
	for _, g := range bound {
		rule, _, objects := r.a.ledger.Objection(int(g.class), int(g.node))
		if !objects || tried[rule.Tally] {
			continue
		}
		tried[rule.Tally] = true
		i := slices.IndexFunc(free, func(f group) bool {
			return f.left > 0 && r.a.ledger.Helps(rule, int(f.class), int(f.node))
		})
		if i >= 0 {
			r.bindPods(&free[i], 1)
			helped = true
		}
	}
	return helped
}
