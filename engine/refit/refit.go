package refit

import (
	"cmp"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Refit proposes moves after which the same pods run for less. Equal input, equal output, whatever the order in which
// the Snapshot lists things. The moves keep limits, budgets and topology rules, each by itself and all together.
func Refit(s shape.Snapshot, p Policy) Result {
	r := &refitter{fleet: newFleet(s, &p, time.Time{})}
	for i := range r.fleet.nodes {
		if r.fleet.managed(i) {
			r.result.Before += r.fleet.price(i)
		}
		if r.fleet.nodes[i].state == candidate {
			r.result.Counters.Candidates++
		}
	}
	r.delete()
	r.replace()
	r.merge()
	r.sum()
	return r.result
}

// refitter is one search.
type refitter struct {
	fleet  *fleet
	sketch *sketch
	result Result
	ideas  []idea    // for nodes that stay after the deletions, in the order in which they are tried
	worth  []float64 // by the sketch's classes: what a pod costs at best
}

// managed reports whether a node belongs to one of the policy's pools.
func (f *fleet) managed(i int) bool {
	n := f.snapshot.Nodes[i]
	return f.pools[n.Pool] != nil && n.Claim != "" && n.Stage != shape.Leaving || f.nodes[i].state == gone
}

// candidates lists the nodes that may go, those first whose going disturbs least for its price.
func (f *fleet) candidates() []int {
	var out []int
	for i := range f.nodes {
		if f.nodes[i].state == candidate {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		// price over disturbance, without dividing
		return cmp.Compare(int64(f.price(b))*max(f.nodes[a].disturbance, 1), int64(f.price(a))*max(f.nodes[b].disturbance, 1))
	})
	return out
}

// make carries a move out on the fleet and writes it down.
func (r *refitter) make(m Move) {
	r.fleet.settle(&m)
	r.result.Moves = append(r.result.Moves, m)
}

// sum adds up and says why nodes stay.
func (r *refitter) sum() {
	f := r.fleet
	r.result.After = r.result.Before
	for i := range r.result.Moves {
		r.result.After -= r.result.Moves[i].Saving()
	}
	for i := range f.nodes {
		if f.nodes[i].state == candidate && f.nodes[i].why.Kind == "" {
			f.nodes[i].why = Reason{Kind: NotTried}
		}
		if f.nodes[i].state != gone && f.managed(i) {
			r.result.Kept = append(r.result.Kept, Kept{Node: f.snapshot.Nodes[i].Name, Why: f.nodes[i].why})
		}
	}
}

// delete gives up nodes whose pods all fit on others.
func (r *refitter) delete() {
	f := r.fleet
	order := f.candidates()
	if len(order) == 0 {
		return
	}
	r.sketch = newSketch(f, order)
	x := r.sketch
	for _, i := range order {
		if f.nodes[i].state != candidate {
			continue
		}
		if pool, ok := f.allowed([]int{i}); !ok {
			f.nodes[i].why = Reason{Kind: BudgetUsed, Want: pool}
			continue
		}
		r.result.Counters.Sketches++
		mark := x.board.Begin()
		if rest := x.vacate(i, false); len(rest) == 0 {
			m := Move{Remove: []string{f.snapshot.Nodes[i].Name}, Place: x.placements(i, mark)}
			if why := f.accept(&m); why.Kind == "" {
				r.make(m)
				continue
			} else {
				f.nodes[i].why = why
			}
		}
		x.board.Rollback(mark)
		x.takes[x.node[i]] = true
	}
}
