package refit

import (
	"cmp"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Refit proposes moves after which the same pods run for less. Equal input, equal output, whatever the order in which
// the Snapshot lists things. The moves keep limits, budgets and topology rules, each by itself and all together.
func Refit(s shape.Snapshot, p Policy) Result { return Begin(s, p, time.Time{}).Find() }

// Pass is one look at a cluster in which moves may be under way. Everything asked of a Pass counts on all that was
// asked of it before.
type Pass struct {
	fleet  *fleet
	sketch *sketch
	result Result
	ideas  []idea    // for nodes that stay after the deletions, in the order in which they are tried
	worth  []float64 // by the sketch's classes: what a pod costs at best
}

// Begin starts a pass in which moves may be under way, each of which is to be followed before new ones are looked for.
// since is when the first of them began: nodes made since then take pods though they are empty or unwelcome, as do
// those where pods of the moves were planned to go. The zero time is no such move.
func Begin(s shape.Snapshot, p Policy, since time.Time, courses ...Course) *Pass {
	r := &Pass{fleet: newFleet(s, &p, since, courses)}
	for _, c := range courses {
		r.fleet.reserve(c, 1)
	}
	return r
}

// Allow sets how many nodes of a pool may still begin to go; negative for no limit.
func (r *Pass) Allow(pool string, n int) {
	if l := r.fleet.pools[pool]; l != nil {
		l.left = n
	}
}

// Find proposes new moves.
func (r *Pass) Find() Result {
	f := r.fleet
	f.readyOnly()
	for i := range f.nodes {
		if f.nodes[i].managed && f.nodes[i].role != gone {
			r.result.Before += f.price(i)
		}
		if f.nodes[i].role == candidate {
			r.result.Counters.Candidates++
		}
	}
	r.delete()
	r.replace()
	r.merge()
	r.sum()
	return r.result
}

// candidates lists the nodes that may go, those first whose going disturbs least for its price.
func (f *fleet) candidates() []int {
	return f.byWeight(func(i int) bool { return f.nodes[i].role == candidate })
}

// leavers lists the nodes that may go now or when they have settled, in the order of candidates.
func (f *fleet) leavers() []int {
	return f.byWeight(func(i int) bool {
		return f.nodes[i].role == candidate || f.nodes[i].role == kept && f.nodes[i].managed &&
			f.snapshot.Nodes[i].Unsettled
	})
}

func (f *fleet) byWeight(of func(i int) bool) []int {
	var out []int
	for i := range f.nodes {
		if of(i) {
			out = append(out, i)
		}
	}
	slices.SortStableFunc(out, func(a, b int) int {
		// price over disturbance, without dividing
		return cmp.Compare(
			int64(f.price(b))*max(f.nodes[a].disturbance, 1), int64(f.price(a))*max(f.nodes[b].disturbance, 1),
		)
	})
	return out
}

// make carries a move out on the fleet and writes it down.
func (r *Pass) make(m Move) {
	r.fleet.settle(&m)
	r.result.Moves = append(r.result.Moves, m)
}

// sum adds up and says why nodes stay.
func (r *Pass) sum() {
	f := r.fleet
	r.result.After, r.result.Ripe = r.result.Before, f.retryIn
	for i := range r.result.Moves {
		r.result.After -= r.result.Moves[i].Saving()
	}
	for i := range f.nodes {
		v := &f.nodes[i]
		if v.role == gone || !v.managed {
			continue
		}
		if v.role == candidate && v.why.Kind == "" {
			v.why = Reason{Kind: NotTried}
		}
		r.result.Kept = append(r.result.Kept, Kept{Node: f.snapshot.Nodes[i].Name, Why: v.why})
	}
}

// delete gives up nodes whose pods all fit on others.
func (r *Pass) delete() {
	f := r.fleet
	order := f.candidates()
	if len(order) == 0 {
		return
	}
	r.sketch = newSketch(f, order)
	x := r.sketch
	for _, i := range order {
		if f.nodes[i].role != candidate {
			continue
		}
		if pool, ok := f.allowed([]int{i}); !ok {
			f.nodes[i].why = Reason{Kind: BudgetUsed, Want: pool}
			continue
		}
		if f.unbound(i) {
			continue // only a plan knows where their volumes may be: see replace
		}
		r.result.Counters.Sketches++
		mark := x.board.Begin()
		if rest := x.vacate(i, false); len(rest) == 0 {
			m := Move{Remove: []string{f.snapshot.Nodes[i].Name}, Place: x.placements(i, mark)}
			why := f.accept(&m)
			if why.Kind == "" {
				why = x.followed(i, mark)
			}
			if why.Kind == "" {
				r.make(m)
				continue
			}
			f.nodes[i].why = why
		}
		x.board.Rollback(mark)
		x.takes[x.node[i]] = true
	}
}
