package refit

import (
	"maps"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// appraiser judges moves of a fleet by a policy: the fleet's own, or one that asks for less.
type appraiser struct {
	*fleet
	policy *Policy
}

// accept is the appraiser's, by the fleet's own policy.
func (f *fleet) accept(m *Move) Reason { return appraiser{f, f.policy}.accept(m) }

// cheaper is accept for a move that was found worth its while before: now it must only save anything at all.
func (f *fleet) cheaper(m *Move) Reason {
	policy := *f.policy
	policy.MinSaving, policy.Payback = 0, 0
	return appraiser{f, &policy}.accept(m)
}

// appraise fills in what a move costs, saves and must save, and says why it is not worth it; a zero Reason if it is.
func (a appraiser) appraise(m *Move) Reason {
	m.Price, m.Instead, m.Need, m.Disturbance, m.Pods, m.Scores = 0, 0, 1, 0, 0, nil
	m.Turns = a.turns(a.set(m))
	price, disturbance := map[string]shape.Money{}, map[string]int64{}
	for _, i := range a.set(m) {
		n := a.snapshot.Nodes[i]
		m.Price += n.Price
		m.Disturbance += a.nodes[i].disturbance
		m.Pods += a.nodes[i].podsToMove
		price[n.Pool] += n.Price
		disturbance[n.Pool] += a.nodes[i].disturbance
	}
	for i := range m.Open {
		m.Instead += m.Open[i].Price
	}
	if m.Pods == 0 && len(m.Open) == 0 {
		m.Need = 0 // nothing is disturbed, not even when the price is not known
		return Reason{}
	}
	age := a.age(a.set(m))
	m.Need = max(m.Need, a.policy.need(m, age))
	if len(m.Open) > 0 {
		m.Need = max(m.Need, shape.Money(a.policy.MinSaving*float64(m.Price)))
	}
	if m.Saving() < m.Need {
		a.noteRetry(m, age)
		return a.tooLittle(m, age)
	}
	for _, pool := range slices.Sorted(maps.Keys(price)) {
		l := a.pools[pool]
		score := Score{Pool: pool, Value: score(m.Saving(), m.Price, price[pool], l, disturbance[pool])}
		m.Scores = append(m.Scores, score)
		if l.Mode == Balanced && score.Value < minBalance {
			return Reason{Kind: Unbalanced, Want: pool, Score: score.Value, Least: minBalance}
		}
	}
	return Reason{}
}

// score compares a pool's part in what a move saves with its part in what it disturbs. A pool's part in the saving is
// in proportion to the price of those of its nodes that go.
func score(saving, all, own shape.Money, l *poolState, disturbance int64) float64 {
	if l.price <= 0 || all <= 0 {
		return 0
	}
	if disturbance == 0 || l.disturbance == 0 {
		return 1 / minBalance // it disturbs nothing
	}
	saved := float64(saving) * float64(own) / float64(all) / float64(l.price)
	return saved / (float64(disturbance) / float64(l.disturbance))
}

// left is how many of a move's pods need new nodes.
func (m *Move) left() int {
	n := 0
	for i := range m.Open {
		n += len(m.Open[i].Pods)
	}
	return n
}

// worth is what a move brings in until it must have paid for itself, less what it costs: what moves are compared by.
func (f *fleet) worth(m *Move) float64 {
	if f.policy.Payback <= 0 {
		return float64(m.Saving())
	}
	return float64(m.Saving() - f.policy.need(m, f.age(f.set(m))))
}

// need is what a move must save an hour to earn what it costs.
func (p *Policy) need(m *Move, age time.Duration) shape.Money {
	return p.due(p.evictions(m.Disturbance)+p.overlapCost(m.Price, m.Instead, m.Turns), age)
}

// age is how long the youngest of some nodes and of the pods that they would evict has lived; negative if that is not
// known.
func (f *fleet) age(set []int) time.Duration {
	least := time.Duration(-1)
	for _, i := range set {
		if age := f.nodes[i].age; age >= 0 && (least < 0 || age < least) {
			least = age
		}
	}
	return least
}

// noteRetry notes when a move that saves too little for its age will save enough.
func (f *fleet) noteRetry(m *Move, age time.Duration) {
	cost := f.policy.evictions(m.Disturbance) + f.policy.overlapCost(m.Price, m.Instead, m.Turns)
	if age < 0 || m.Saving() <= 0 || m.Saving() < f.policy.due(cost, -1) {
		return // time alone does not help
	}
	in := time.Duration(cost/float64(m.Saving())*float64(time.Hour))/trust - age
	if in > 0 && (f.retryIn == 0 || in < f.retryIn) {
		f.retryIn = in
	}
}

// tooLittle is why a move of that age is not worth it.
func (a appraiser) tooLittle(m *Move, age time.Duration) Reason {
	out := Reason{Kind: SavesTooLittle, Pods: m.Pods, Left: m.left(), Price: m.Price, Instead: m.Instead, Need: m.Need}
	if age >= 0 && a.policy.lasts(age) < a.policy.Payback {
		out.Lasts = a.policy.lasts(age)
	}
	return out
}

// accept narrows what a move opens to options with which it still saves enough, whichever the cloud picks, and says why
// the move cannot be made; a zero Reason if it can.
func (a appraiser) accept(m *Move) Reason {
	if why := a.appraise(m); why.Kind != "" {
		return why
	}
	if len(m.Open) == 0 {
		return Reason{}
	}
	spot := a.allSpot(m)
	class := a.classes(m)
	slack := (m.Saving() - m.Need) / shape.Money(len(m.Open))
	m.Open = slices.Clone(m.Open)
	for i := range m.Open {
		n := &m.Open[i]
		ceiling := n.Price + slack
		n.Options = slices.Clone(n.Options)
		a.pinDown(n, func(id shape.PodID) int32 { return class[id] })
		if spot && !a.policy.SpotToSpot {
			n.Options = slices.DeleteFunc(n.Options, func(o engine.Option) bool { return o.CapacityType == shape.Spot })
		} else if spot && len(m.Remove) == 1 && len(m.Open) == 1 && n.Options[0].CapacityType == shape.Spot {
			if have := narrowSpot(n, m.Price); have < minSpotTypes {
				return Reason{Kind: TooFewTypes, Have: have}
			}
		}
		if !narrow(n, ceiling) {
			if spot && !a.policy.SpotToSpot {
				return Reason{Kind: SpotToSpotOff}
			}
			return a.tooLittle(m, a.age(a.set(m)))
		}
		if label := a.require(n); label != "" {
			return Reason{Kind: TooFewOptions, Want: label}
		}
	}
	return a.appraise(m)
}

// narrowSpot keeps the cheapest spot types, as many as it takes to be flexible but no more: with more, one pool after
// the other would be a bit cheaper, and the node would be replaced each time. It returns how many types there are below
// the price.
func narrowSpot(n *engine.NewNode, below shape.Money) int {
	types := map[string]bool{}
	keep := map[string]bool{}
	most := minSpotTypes
	for _, r := range n.Requirements {
		if r.Key == shape.LabelInstanceType {
			most = max(most, int(r.MinValues))
		}
	}
	for _, o := range n.Options {
		if o.CapacityType == shape.Spot && o.Price < below {
			types[o.Type] = true
			if len(types) <= most {
				keep[o.Type] = true
			}
		}
	}
	n.Options = slices.DeleteFunc(n.Options, func(o engine.Option) bool {
		return o.CapacityType != shape.Spot || !keep[o.Type]
	})
	return len(types)
}

// narrow leaves a new node those options that cost at most the ceiling; false if there is none. Requirements list
// types, zones and capacity types apart, and the cloud may combine them: so types of which some combination is dearer
// are left out, and if none is left, first capacity types and then zones are narrowed to the cheapest option's.
func narrow(n *engine.NewNode, ceiling shape.Money) bool {
	if len(n.Options) == 0 {
		return false
	}
	first := n.Options[0]
	dear := map[string]bool{}
	kept := make([]engine.Option, 0, len(n.Options))
	for _, only := range []func(engine.Option) bool{
		func(engine.Option) bool { return true },
		func(o engine.Option) bool { return o.CapacityType == first.CapacityType },
		func(o engine.Option) bool { return o.CapacityType == first.CapacityType && o.Zone == first.Zone },
	} {
		clear(dear)
		for i := range n.Options {
			if o := &n.Options[i]; o.Price > ceiling && only(*o) {
				dear[o.Type] = true
			}
		}
		kept = kept[:0]
		for _, o := range n.Options {
			if o.Price <= ceiling && only(o) && !dear[o.Type] {
				kept = append(kept, o)
			}
		}
		if len(kept) > 0 {
			n.Options, n.Price = kept, kept[0].Price
			return true
		}
	}
	return false
}

// require rewrites a new node's requirements after its options were narrowed. It returns the label of which too few
// values are left for the pool's minValues, or nothing.
func (a appraiser) require(n *engine.NewNode) (short string) {
	n.Requirements = slices.Clone(n.Requirements)
	for i := range n.Requirements {
		r := &n.Requirements[i]
		value := optionValue(r.Key)
		if value == nil && r.MinValues == 0 {
			continue
		}
		values := a.values(n, r.Key, value)
		if len(values) < int(r.MinValues) && a.policy.Plan.MinValues == engine.MinValuesStrict {
			return r.Key
		}
		if value != nil && len(values) > 0 {
			r.Values = values
		}
		if r.MinValues > int32(len(values)) {
			r.MinValues, n.Relaxed = int32(len(values)), true
		}
	}
	return ""
}

// optionValue is how an option's value of one of the labels that options list is read, nil for all others.
func optionValue(key string) func(engine.Option) string {
	switch key {
	case shape.LabelInstanceType:
		return func(o engine.Option) string { return o.Type }
	case shape.LabelZone:
		return func(o engine.Option) string { return o.Zone }
	case shape.LabelCapacityType:
		return func(o engine.Option) string { return o.CapacityType }
	}
	return nil
}
