package refit

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// idea is a node for which something cheaper may be found.
type idea struct {
	node  int
	waste float64 // what it costs beyond what its pods are worth
}

// A look at a set of nodes takes stepsPerLook, one more for every nodesPerStep nodes of the fleet, and stepsPerPod for
// each pod that has to move.
const (
	stepsPerLook = 200
	nodesPerStep = 2
	stepsPerPod  = 10
)

// lookCost is how many steps planning a set of nodes takes.
func (f *fleet) lookCost(set []int) int {
	cost := stepsPerLook + len(f.snapshot.Nodes)/nodesPerStep
	for _, i := range set {
		cost += stepsPerPod * f.nodes[i].podsToMove
	}
	return cost
}

// afford takes the steps for planning a set; false when the effort is used up.
func (r *Pass) afford(set []int) bool {
	cost := r.fleet.lookCost(set)
	if r.result.Counters.Steps+cost > r.fleet.policy.Effort {
		r.result.Counters.Exhausted = true
		return false
	}
	r.result.Counters.Steps += cost
	r.result.Counters.Plans++
	return true
}

// replace tries to have each node's pods for less by itself: what has no room elsewhere goes to new nodes.
func (r *Pass) replace() {
	f := r.fleet
	if r.sketch == nil {
		return
	}
	order := f.candidates()
	r.worth, r.result.Floor = r.sketch.value(order)
	for _, i := range order {
		if f.nodes[i].role != candidate {
			continue
		}
		if pool, ok := f.allowed([]int{i}); !ok {
			f.nodes[i].why = Reason{Kind: BudgetUsed, Want: pool}
			continue
		}
		why, hope := r.estimate(i)
		if hope && r.afford([]int{i}) {
			why = r.try([]int{i}, 0)
		}
		if f.nodes[i].role == candidate && why.Kind != "" {
			f.nodes[i].why = why
		}
	}
}

// estimate says what a node's replacement costs at best, and whether that leaves hope for a saving.
func (r *Pass) estimate(i int) (Reason, bool) {
	f, x := r.fleet, r.sketch
	mark := x.board.Begin()
	rest := x.vacate(i, true)
	x.board.Rollback(mark)
	x.takes[x.node[i]] = true
	if len(rest) == 0 { // a deletion: not worth it, not possible before others moved, or with some room beside only
		return f.nodes[i].why, f.nodes[i].why.Kind == "" || f.nodes[i].why.Kind == TooTight
	}
	why := Reason{Kind: SavesTooLittle, Pods: f.nodes[i].podsToMove, Price: f.price(i)}
	age, evictions := f.nodes[i].age, f.policy.evictions(f.nodes[i].disturbance)
	why.Need = max(1, f.policy.due(evictions, age), shape.Money(f.policy.MinSaving*float64(f.price(i))))
	least := 0.0
	for _, b := range rest {
		why.Left += len(b.pods)
		least += float64(r.worth[b.class] * float64(len(b.pods)))
	}
	if price, ok := x.cheapest(rest); ok {
		why.Instead = price
		why.Need = max(why.Need, f.policy.due(evictions+f.policy.overlapCost(f.price(i), price, 1), age))
		if f.price(i)-price >= why.Need {
			return why, true
		}
		f.noteRetry(&Move{Price: f.price(i), Instead: price, Turns: 1, Disturbance: f.nodes[i].disturbance}, age)
	}
	// Several machines may do what one cannot, but not for less than the pods are worth.
	return why, float64(f.price(i)-why.Need) > least && len(rest) > 1
}

// try plans a set of nodes, with so many steps to improve the plan at most, and makes those moves that are worth it. If
// none is, it says why the first of them is not.
func (r *Pass) try(set []int, effort int) (why Reason) {
	f := r.fleet
	o := f.look(set, nil, min(effort, f.policy.Effort-r.result.Counters.Steps))
	r.result.Counters.Steps += o.decision.Counters.Steps
	moves, stuck := f.parts(&o)
	for _, i := range set {
		if stuck[i].Kind != "" {
			why = stuck[i]
			break
		}
	}
	made, stale := len(r.result.Moves), false
	for k := range moves {
		no, again := r.part(&moves[k], len(set), effort, stale)
		stale = stale || again
		if why.Kind == "" {
			why = no
		}
	}
	if len(r.result.Moves) > made {
		return Reason{}
	}
	return why
}

// part makes one of the moves that a look at so many nodes came to. Where its pods went may depend on where the pods of
// the other moves went, which may never be made, or were made otherwise since, which is what stale says; then it is
// planned again, by itself.
func (r *Pass) part(m *Move, of, effort int, stale bool) (no Reason, again bool) {
	f := r.fleet
	set := f.set(m)
	for _, i := range set {
		if f.nodes[i].role != candidate {
			return Reason{Kind: Needed}, false
		}
	}
	if pool, ok := f.allowed(set); !ok { // those before it have used it up
		return Reason{Kind: BudgetUsed, Want: pool}, false
	}
	if !stale {
		if no := f.accept(m); no.Kind != "" {
			return no, false
		}
	}
	if stale || len(m.Remove) < of && f.dependOnEachOther(m) {
		if !r.afford(set) {
			return Reason{Kind: NoOrder}, false
		}
		return r.try(set, effort), true
	}
	r.result.Counters.Steps += f.lookCost(set)
	if n := f.strands(m); n > 0 {
		return Reason{Kind: TooTight, Pods: m.Pods, Left: n}, false
	}
	if !f.order(m) {
		return Reason{Kind: NoOrder}, false
	}
	r.make(*m)
	return Reason{}, false
}

// merge looks for sets of nodes whose pods are cheaper on other machines together: first sets of the most wasteful
// nodes, then such that the dice pick.
func (r *Pass) merge() {
	for r.sketch != nil {
		r.collect()
		set := r.bestSet()
		if set == nil {
			break
		}
		before := len(r.result.Moves)
		if r.try(set, (r.fleet.policy.Effort-r.result.Counters.Steps)/2); len(r.result.Moves) == before {
			break
		}
	}
	r.explore()
}

// patience is how many sets that gain nothing are tried in a row for every node that could be in them, at most.
const patience = 4

// The dice pick from leastSet to mostSet nodes: fewer can't be merged.
const (
	leastSet = 2
	mostSet  = 6
)

// exploreEffort is how many steps the plan of a set that the dice picked may take.
const exploreEffort = 5_000

// explore ruins small sets of nodes, wasteful ones more often than others.
func (r *Pass) explore() {
	d := dice(r.fleet.snapshot.Seed)
	for tries := 0; tries < patience*len(r.ideas) && len(r.ideas) > 1; tries++ {
		var set []int
		for range leastSet + d.roll(mostSet-leastSet+1) {
			n := len(r.ideas)
			i := r.ideas[d.roll(1+d.roll(n))].node
			if _, ok := r.fleet.allowed(append(set, i)); ok && !slices.Contains(set, i) {
				set = append(set, i)
			}
		}
		if len(set) < leastSet || !r.hopeful(set) {
			continue
		}
		if !r.afford(set) {
			return
		}
		before := len(r.result.Moves)
		if r.try(set, exploreEffort); len(r.result.Moves) > before {
			r.collect()
			tries = 0
		}
	}
}

// hopeful reports whether a set wastes as much as a move of it must save. What pods are worth is what they cost at
// least, whatever machines they are on.
func (r *Pass) hopeful(set []int) bool {
	f := r.fleet
	waste, price, disturbance := 0.0, shape.Money(0), int64(0)
	for _, d := range r.ideas {
		if slices.Contains(set, d.node) {
			waste += d.waste
			price += f.price(d.node)
			disturbance += f.nodes[d.node].disturbance
		}
	}
	least := f.policy.due(
		f.policy.evictions(disturbance)+f.policy.overlapCost(price, price-shape.Money(waste), f.turns(set)), f.age(set),
	)
	return waste >= float64(max(1, least, shape.Money(f.policy.MinSaving*float64(price))))
}

// dice is a small generator of pseudo-random numbers, the same in every version of Go.
type dice uint64

func (d *dice) roll(n int) int {
	*d += 0x9e3779b97f4a7c15
	z := uint64(*d)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return int((z ^ z>>31) % uint64(n))
}

// collect lists the candidates, those that waste most for what they disturb first.
func (r *Pass) collect() {
	f := r.fleet
	r.ideas = r.ideas[:0]
	for i := range f.nodes {
		if f.nodes[i].role != candidate || len(r.sketch.podsToMove[i]) == 0 {
			continue
		}
		waste := float64(f.price(i))
		for _, b := range r.sketch.podsToMove[i] {
			waste -= float64(r.worth[b.class] * float64(len(b.pods)))
		}
		if waste > 0 {
			r.ideas = append(r.ideas, idea{i, waste})
		}
	}
	slices.SortStableFunc(r.ideas, func(a, b idea) int {
		return cmp.Compare(
			float64(b.waste*float64(max(f.nodes[a.node].disturbance, 1))),
			float64(a.waste*float64(max(f.nodes[b.node].disturbance, 1))),
		)
	})
}

// setGrowth is the part of itself by which the next set to be tried is larger, a half: a look takes as long as its set
// is large, and sets of all sizes up to n are tried in three times the time of the last.
const setGrowth = 2

// bestSet is the most worthwhile of sets of growing size of the most wasteful nodes; nil if none is worth it.
func (r *Pass) bestSet() (best []int) {
	f := r.fleet
	most := 0.0
	for size := leastSet; ; size += (size + 1) / setGrowth {
		set := r.take(size)
		if len(set) < leastSet || !r.afford(set) {
			return best
		}
		o := f.look(set, nil, 0)
		moves, _ := f.parts(&o)
		sum := 0.0
		for k := range moves {
			if why := f.accept(&moves[k]); why.Kind == "" {
				sum += f.worth(&moves[k])
			} else if why.Kind == Unbalanced {
				f.noteReason(&moves[k], why)
			}
		}
		if sum > most {
			best, most = set, sum
		}
		if len(set) < size {
			return best
		}
	}
}

// noteReason says of nodes that only a balance keeps from going together that it does, unless they came closer to one
// by themselves.
func (f *fleet) noteReason(m *Move, why Reason) {
	why.Have = len(m.Remove)
	for _, i := range f.set(m) {
		if v := &f.nodes[i]; v.why.Kind != Unbalanced || v.why.Score < why.Score {
			v.why = why
		}
	}
}

// take is the first nodes of the ideas, as many as budgets allow, at most n.
func (r *Pass) take(n int) []int {
	var set []int
	for _, d := range r.ideas {
		if len(set) == n {
			break
		}
		if _, ok := r.fleet.allowed(append(set, d.node)); ok {
			set = append(set, d.node)
		}
	}
	return set
}
