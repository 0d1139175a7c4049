package view

import (
	"maps"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// PlanDifference is what another plan for the same pods does otherwise, as a forecast: what is bought besides, what is
// not bought any more.
func PlanDifference(then, now engine.Decision, change []string) *Forecast {
	out := noDifference(change)
	more, less := apart(nodesOf(then.Open), nodesOf(now.Open))
	if len(more) > 0 {
		out.Steps = append(out.Steps, Step{Kind: "add", Reason: "Provisioned", Open: more, Change: sum(more)})
	}
	if len(less) > 0 {
		step := Step{Kind: "remove", Reason: "NotBought", Change: -sum(less)}
		for _, n := range less {
			step.GiveUp = append(
				step.GiveUp,
				Machine{
					Name:         n.Name,
					Pool:         n.Pool,
					InstanceType: n.InstanceType,
					Zone:         n.Zone,
					CapacityType: n.CapacityType,
					Price:        PerHour(shape.Dollars(n.Price)),
					PriceFrom:    "plan",
				},
			)
		}
		out.Steps = append(out.Steps, step)
	}
	for i := range now.Unplaced {
		u := &now.Unplaced[i]
		if !slices.ContainsFunc(then.Unplaced, func(o engine.Unplaced) bool { return o.Pod == u.Pod }) {
			out.Unplaced = append(out.Unplaced, Unplaced{Pod: string(u.Pod), Reasons: reasons(&u.Why), Why: u.Why})
		}
	}
	out.Totals = Totals{
		Add:      len(more),
		Remove:   len(less),
		Unplaced: len(out.Unplaced),
		Before:   PerHour(then.Price),
		After:    PerHour(now.Price),
		Bound:    PerHour(now.Bound),
	}
	return out
}

// MovesDifference is what another search in the same fleet does otherwise: nodes that go besides, and nodes that stay.
func MovesDifference(then, now refit.Result, change []string) *Forecast {
	out := noDifference(change)
	before := map[string]bool{}
	for i := range then.Moves {
		for _, n := range then.Moves[i].Remove {
			before[n] = true
		}
	}
	for i := range now.Moves {
		m := &now.Moves[i]
		step := Step{
			Kind:    "remove",
			Reason:  "Underutilized",
			Open:    nodesOf(m.Open),
			Evicted: m.Pods,
			Change:  -PerHour(m.Saving()),
		}
		for _, n := range m.Remove {
			if !before[n] {
				step.GiveUp = append(step.GiveUp, Machine{Name: n})
			}
			delete(before, n)
		}
		if len(step.GiveUp) == 0 {
			continue
		}
		if len(step.Open) > 0 {
			step.Kind = "replace"
			out.Totals.Replace += len(step.GiveUp)
			out.Totals.Opened += len(step.Open)
		} else {
			out.Totals.Remove += len(step.GiveUp)
		}
		out.Totals.Evictions += m.Pods
		out.Steps = append(out.Steps, step)
	}
	for _, name := range slices.Sorted(maps.Keys(before)) {
		out.Waits = append(out.Waits, Stay{Node: name, Why: "it went before, and stays with this policy"})
	}
	out.Totals.Before, out.Totals.After = PerHour(then.After), PerHour(now.After)
	return out
}

// noDifference is a forecast in which nothing happens; change says what was changed for it.
func noDifference(change []string) *Forecast {
	return &Forecast{
		Header: HeaderOf("Plan"), Change: change,
		Steps: []Step{}, Unplaced: []Unplaced{}, Waits: []Stay{}, Notes: []string{},
	}
}

func nodesOf(list []engine.NewNode) (out []Node) {
	for i := range list {
		out = append(out, NodeOf(&list[i]))
	}
	return out
}

// apart are those of now that then has not, and those of then that now has not; nodes of one offering are alike.
func apart(then, now []Node) (more, less []Node) {
	type offering struct{ pool, instanceType, zone, capacityType string }
	of := func(n *Node) offering { return offering{n.Pool, n.InstanceType, n.Zone, n.CapacityType} }
	left := map[offering]int{}
	for i := range then {
		left[of(&then[i])]++
	}
	for i := range now {
		if left[of(&now[i])] > 0 {
			left[of(&now[i])]--
			continue
		}
		more = append(more, now[i])
	}
	for i := range then {
		if left[of(&then[i])] > 0 {
			left[of(&then[i])]--
			less = append(less, then[i])
		}
	}
	return more, less
}

func sum(nodes []Node) (out PerHour) {
	for _, n := range nodes {
		out += PerHour(shape.Dollars(n.Price))
	}
	return out
}
