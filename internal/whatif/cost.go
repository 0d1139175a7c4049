package whatif

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Costs says what each rule costs: the price of the same cluster with it and without it. What rules on placement cost
// shows where the whole workload is bought anew; what rules on disruption cost shows in what the fleet comes to once
// all moves that they let are made. more is asked before each rule whether there is time for it.
func Costs(in roster.Input, more func() bool) (*view.Costs, error) {
	seen, err := roster.Look(in)
	if err != nil {
		return nil, err
	}
	fleet := seen.Fleet(nil)
	out := &view.Costs{
		Header:  view.HeaderOf("Costs"),
		At:      in.Now,
		Source:  in.Source,
		PerHour: fleet.Money.Pools,
		Rules:   []view.Cost{},
		Missing: fleet.Missing,
		Notes:   []string{},
	}
	anew, err := boughtAnew(in.Input)
	if err != nil {
		return nil, err
	}
	moved, err := afterMoves(in.Input)
	if err != nil {
		return nil, err
	}
	out.Anew, out.Moved = view.PerHour(anew.price), view.PerHour(moved.price)
	for _, r := range rulesOf(in.Set) {
		if !more() {
			out.Untried++
			continue
		}
		cost, err := r.cost(in.Input, anew, moved)
		if err != nil {
			return nil, err
		}
		out.Rules = append(out.Rules, cost)
	}
	slices.SortStableFunc(out.Rules, func(a, b view.Cost) int {
		return cmp.Or(cmp.Compare(b.PerHour, a.PerHour), cmp.Compare(b.Places, a.Places))
	})
	return out, nil
}

// reckoning is a price, and how many pods have no place for it.
type reckoning struct {
	price    shape.Money
	unplaced int
}

// cost plans without a rule. A plan with it is one for the cluster without it, too, so no rule saves anything: where a
// search comes out dearer, the rule costs nothing.
func (r *rule) cost(in simulate.Input, anew, moved reckoning) (view.Cost, error) {
	set := *in.Set
	r.relax(&set)
	in.Set = &set
	reckon, with, how := boughtAnew, anew, "anew"
	if r.holds {
		reckon, with, how = afterMoves, moved, "moves"
	}
	without, err := reckon(in)
	if err != nil {
		return view.Cost{}, err
	}
	out := view.Cost{
		Object:  r.object,
		Rule:    r.words,
		Pods:    r.pods,
		How:     how,
		With:    view.PerHour(with.price),
		Without: view.PerHour(without.price),
	}
	out.Places = max(with.unplaced-without.unplaced, 0)
	if out.Places == 0 {
		out.PerHour = max(out.With-out.Without, 0)
	}
	return out, nil
}

// boughtAnew is what the whole workload costs on a fleet of its own.
func boughtAnew(in simulate.Input) (reckoning, error) {
	ready, err := simulate.Prepare(in)
	if err != nil {
		return reckoning{}, err
	}
	r, err := ready.Anew().Plan()
	if err != nil {
		return reckoning{}, err
	}
	return reckoning{r.Decision.Price, len(r.Decision.Unplaced)}, nil
}

// afterMoves is what the fleet that is there costs once there are no more moves.
func afterMoves(in simulate.Input) (reckoning, error) {
	ready, err := simulate.Prepare(in)
	if err != nil {
		return reckoning{}, err
	}
	m, err := ready.Consolidate(roster.Rules(), Rounds)
	if err != nil {
		return reckoning{}, err
	}
	price := shape.Dollars(m.Before)
	for i := range m.Moves {
		price += shape.Dollars(m.Moves[i].Instead) - shape.Dollars(m.Moves[i].Price)
	}
	return reckoning{price: price}, nil
}
