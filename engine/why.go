package engine

import (
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

func strayTree(id shape.PodID) explain.Tree {
	return explain.Tree{Subject: string(id), Groups: []explain.Group{{Count: 1, Reason: feasible.Reason{
		Kind: feasible.Refused, Want: "the snapshot does not hold the pod's class"}}}}
}

// why tells for one more pod of a class what stands in the way on every node and every offering,
// as things are at the end of the plan.
func (a *assembler) why(class int) explain.Tree {
	for a.table.Classes[class].Next >= 0 {
		class = int(a.table.Classes[class].Next) // preferences keep no pod out
	}
	c := a.table.Classes[class]
	tree := explain.Tree{}
	if c.Refused != "" {
		tree.Groups = []explain.Group{{Count: 1, Reason: feasible.Reason{Kind: feasible.Refused, Want: c.Refused}}}
		return tree
	}
	if len(a.table.Nodes) > 0 {
		tree.Children = append(tree.Children, a.whyNodes(class))
	}
	for p := range a.table.Pools {
		tree.Children = append(tree.Children, a.whyPool(class, p))
	}
	if len(a.table.Pools) == 0 {
		tree.Groups = []explain.Group{{Count: 1, Reason: feasible.Reason{Kind: feasible.NoPools}}}
	}
	return tree
}

func (a *assembler) whyNodes(class int) explain.Tree {
	out := explain.Tree{Subject: "nodes", Noun: "nodes", Of: len(a.table.Nodes)}
	for n := range a.table.Nodes {
		out.Add(a.whyNode(class, n))
	}
	out.Sort()
	return out
}

func (a *assembler) whyNode(class, n int) feasible.Reason {
	c, node := a.table.Classes[class], &a.table.Nodes[n]
	if node.Stage == shape.Leaving {
		return feasible.Reason{Kind: feasible.Leaving}
	}
	if r, ok := c.Where.WhyNode(node); !ok {
		return r
	}
	if r, ok := a.table.Short(a.board.First(n, class), a.board.Free(n), feasible.NoRoom); !ok {
		return r
	}
	if a.ledger != nil {
		if rule, skew, objects := a.ledger.Objection(class, n); objects {
			return a.ruleReason(rule, skew)
		}
	}
	return feasible.Reason{Kind: feasible.Later}
}

func (a *assembler) ruleReason(r *spread.Rule, skew int32) feasible.Reason {
	key := a.board.Spread.Keys[r.Key].Name
	if r.Port != "" {
		return feasible.Reason{Kind: feasible.PortTaken, Key: r.Port}
	}
	if skew == spread.NoDomain {
		return feasible.Reason{Kind: feasible.NoDomain, Key: key}
	}
	switch r.Kind {
	case spread.Skew:
		return feasible.Reason{Kind: feasible.Spread, Key: key, Need: int64(skew), Have: int64(r.MaxSkew)}
	case spread.Near:
		return feasible.Reason{Kind: feasible.Affinity, Key: key}
	default:
		return feasible.Reason{Kind: feasible.AntiAffinity, Key: key}
	}
}

func (a *assembler) whyPool(class, p int) explain.Tree {
	t, pool, c := a.table, a.table.Pools[p], a.table.Classes[class]
	out := explain.Tree{Subject: "pool " + pool.Name, Noun: "offerings"}
	if pool.NotReady != "" {
		out.Groups = []explain.Group{{Count: 1, Reason: feasible.Reason{Kind: feasible.NotReady, Want: pool.NotReady}}}
		return out
	}
	if taint, ok := c.Where.Tolerates(pool.Taints); !ok {
		out.Groups = []explain.Group{{Count: 1, Reason: feasible.TaintReason(taint)}}
		return out
	}
	for i := range t.Columns {
		if t.InPool(i, pool) {
			out.Of++
			out.Add(a.whyColumn(class, p, i))
		}
	}
	out.Sort()
	return out
}

func (a *assembler) whyColumn(class, p, i int) feasible.Reason {
	t, pool, c := a.table, a.table.Pools[p], a.table.Classes[class]
	if r, ok := t.WhyColumn(c.Where, pool, i); !ok {
		return r
	}
	if r, ok := t.Short(c.First, pool.Room(i), feasible.TooSmall); !ok {
		return r
	}
	if r, ok := t.Overfull(pool, i); !ok {
		return r
	}
	if !t.Available.Has(i) {
		return t.Columns[i].Missing()
	}
	if r, ok := a.withinLimits(p, i); !ok {
		return r
	}
	if r, ok := a.unneighbourly(class, p, i); !ok {
		return r
	}
	if few, ok := a.tooFew(class, p, i); !ok && a.policy.MinValues == MinValuesStrict {
		return feasible.Reason{Kind: feasible.TooFewTypes, Key: few.Key, Need: int64(few.Need), Have: int64(few.Have)}
	}
	if a.usedUp(i) {
		return feasible.Reason{Kind: feasible.Full}
	}
	return feasible.Reason{Kind: feasible.Later}
}

// withinLimits reports whether a pool may grow by a machine from a column.
func (a *assembler) withinLimits(p, i int) (feasible.Reason, bool) {
	for k, l := range a.table.Pools[p].Limits {
		if need, left := a.table.Columns[i].Takes(l.Resource), a.left[p][k]; need > left {
			return feasible.Reason{
				Kind: feasible.OverLimit, Resource: l.Resource, Need: need, Have: max(left, 0),
			}, false
		}
	}
	return feasible.Reason{}, true
}

// usedUp reports whether the plan opens as many machines as a column's reservation holds.
func (a *assembler) usedUp(column int) bool {
	o := a.table.Columns[column].Offering
	if o.Reservation == "" {
		return false
	}
	n := int32(0)
	for i := range a.decision.Open {
		if a.decision.Open[i].Options[0].Reservation == o.Reservation {
			n++
		}
	}
	return n >= o.Remaining
}

// unneighbourly says what topology rules have against a new node from a column.
func (a *assembler) unneighbourly(class, p, column int) (feasible.Reason, bool) {
	if a.ledger == nil {
		return feasible.Reason{}, true
	}
	var first feasible.Reason
	for _, alt := range a.table.Alternatives(a.table.Classes[class].Where, a.table.Pools[p]) {
		if !alt.Columns.Has(column) {
			continue
		}
		rule, skew, objects := a.ledger.ObjectionAt(class, a.board.Spread.Site(a.table.Pools[p], column, alt.Free))
		if !objects {
			return feasible.Reason{}, true
		}
		if first.Kind == "" {
			first = a.ruleReason(rule, skew)
		}
	}
	return first, first.Kind == ""
}

// tooFew reports whether a node for one pod alone could keep the pool's minValues within its limits, in the domains
// where the column is, with what the plan leaves of reservations.
func (a *assembler) tooFew(class, p, column int) (feasible.TooFew, bool) {
	c, st, pool := a.table.Classes[class], a.board.Spread, a.table.Pools[p]
	for _, alt := range a.table.Alternatives(c.Where, pool) {
		if !alt.Columns.Has(column) {
			continue
		}
		columns := alt.Columns.And(pool.Usable)
		pool.Holding(c.First, columns)
		if pool.MinValues {
			elsewhere := func(int) bool { return false }
			if st.Classes[class].Domains {
				site := st.Site(pool, column, alt.Free)
				elsewhere = func(i int) bool { return st.Site(pool, i, alt.Free) != site }
			}
			for i := columns.Next(0); i >= 0; i = columns.Next(i + 1) {
				if _, ok := a.withinLimits(p, i); !ok || elsewhere(i) || i != column && a.usedUp(i) {
					columns.Remove(i)
				}
			}
		}
		if pool.MinValues && columns.Has(column) {
			a.table.Settle(pool, columns, alt.Free, column)
		}
		return a.table.Enough(pool, columns)
	}
	return feasible.TooFew{}, true
}
