package whatif

import (
	"slices"
	"strconv"
	"strings"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// Rounds is how often a forecast looks again, each time once all that was begun is done, unless it is told otherwise.
const Rounds = 10

// Foresee says what would happen. before is the cluster as it is, after the one with edits; a scenario is made on top
// of those. With neither, after is before.
func Foresee(before roster.Input, after *manifest.Set, c Scenario, rounds int) (*view.Forecast, error) {
	was, err := roster.Look(before)
	if err != nil {
		return nil, err
	}
	fleet := was.Fleet(nil)
	changed := before
	changed.Set = after
	notes, err := c.Apply(&changed.Input, before.Set)
	if err != nil {
		return nil, err
	}
	out := &view.Forecast{
		Header:   view.HeaderOf("Plan"),
		At:       before.Now,
		Source:   before.Source,
		Change:   []string{},
		Steps:    []view.Step{},
		Unplaced: []view.Unplaced{},
		Waits:    []view.Stay{},
		Notes:    notes,
		Missing:  before.Missing,
		Base:     baseOf(before.Set, &fleet),
	}
	out.Change = append(out.Change, c.Words()...)
	f := &foretelling{out: out, machines: map[string]*view.Machine{}, opened: map[string]view.Node{}}
	for i := range fleet.Nodes {
		m := &fleet.Nodes[i]
		if m.Pool == "" {
			continue
		}
		f.machines[m.Name] = m
		out.Totals.Before += m.Price
		if !m.Priced() {
			out.Totals.Unpriced++
		}
	}
	f.lose(changed.Set)
	if err := f.run(changed.Input, rounds); err != nil {
		return nil, err
	}
	return out, nil
}

// baseOf is what a check later compares with.
func baseOf(set *manifest.Set, fleet *view.Fleet) view.Base {
	out := view.Base{Nodes: []string{}, Pods: map[string]string{}, Pools: map[string]string{}}
	for i := range fleet.Nodes {
		if fleet.Nodes[i].Pool != "" {
			out.Nodes = append(out.Nodes, fleet.Nodes[i].Name)
		}
	}
	for _, p := range set.Pods {
		if !translate.Finished(p) {
			out.Pods[string(translate.IDOf(p))] = p.Spec.NodeName
		}
	}
	for _, np := range set.NodePools {
		out.Pools[np.Name] = poolHash(np)
	}
	return out
}

// poolHash tells two versions of a NodePool apart: by its template, and by how often its spec has been written.
func poolHash(np *karpenterv1.NodePool) string {
	return np.Hash() + "/" + strconv.FormatInt(np.Generation, 10)
}

// foretelling is a forecast that is under way.
type foretelling struct {
	out      *view.Forecast
	machines map[string]*view.Machine // of NodePools, by name, that are still there
	opened   map[string]view.Node     // bought for moves, by name, that are still there
}

// lose takes out the nodes that a scenario took away.
func (f *foretelling) lose(set *manifest.Set) {
	there := map[string]bool{}
	for _, n := range set.Nodes {
		there[n.Name] = true
	}
	for _, c := range set.NodeClaims {
		there[c.Name] = true
	}
	step := view.Step{Kind: "lose", Reason: "the zone is gone"}
	for _, name := range f.out.Base.Nodes {
		if m := f.machines[name]; m != nil && !there[name] {
			step.GiveUp = append(step.GiveUp, *m)
			step.Change -= m.Price
			f.out.Totals.Remove++
			delete(f.machines, name)
		}
	}
	if len(step.GiveUp) > 0 {
		f.out.Steps = append(f.out.Steps, step)
	}
}

// run plans the pods that wait, then looks for moves, and adds all of it up.
func (f *foretelling) run(in simulate.Input, rounds int) error {
	ready, err := simulate.Prepare(in)
	if err != nil {
		return err
	}
	result, err := ready.Plan()
	if err != nil {
		return err
	}
	bound, err := roster.Bound(ready)
	if err != nil {
		return err
	}
	bought := shape.Money(0)
	for i := range result.Decision.Open {
		n := &result.Decision.Open[i]
		node := view.NodeOf(n)
		bought += n.Price
		f.out.Totals.Add++
		f.out.Steps = append(
			f.out.Steps,
			view.Step{
				Kind:   "add",
				Reason: "for pods that wait",
				Open:   []view.Node{node},
				Change: view.PerHour(n.Price),
			},
		)
	}
	f.out.Unplaced = append(f.out.Unplaced, view.PlanOf(result.Decision, nil, 0).Unplaced...)
	f.out.Totals.Unplaced = len(f.out.Unplaced)
	again, err := simulate.Prepare(in)
	if err != nil {
		return err
	}
	moves, err := again.Consolidate(roster.Rules(), rounds)
	if err != nil {
		return err
	}
	for i := range moves.Moves {
		f.move(&moves.Moves[i])
	}
	for _, s := range moves.Stay {
		if s.Kind == string(refit.BudgetUsed) {
			f.out.Waits = append(f.out.Waits, s)
		}
	}
	for _, note := range moves.Notes {
		if !strings.HasSuffix(note, simulate.AsIfNotThere) { // here their nodes are counted
			f.out.Notes = append(f.out.Notes, note)
		}
	}
	t := &f.out.Totals
	t.After, t.Bound = view.PerHour(bought), view.PerHour(bound)
	for _, m := range f.machines {
		t.After += m.Price
	}
	for _, n := range f.opened {
		t.After += view.PerHour(shape.Dollars(n.Price))
	}
	return nil
}

// move carries a move out on paper. Nodes that were opened by an earlier move and go again are neither.
func (f *foretelling) move(m *view.Move) {
	step := view.Step{Kind: "remove", Round: m.Round, Reason: m.Reason, Open: m.Open, Evicted: m.Evicted}
	for _, name := range m.GiveUp {
		if machine := f.machines[name]; machine != nil {
			step.GiveUp = append(step.GiveUp, *machine)
			step.Change -= machine.Price
			delete(f.machines, name)
			continue
		}
		if n, ok := f.opened[name]; ok {
			step.GiveUp = append(
				step.GiveUp,
				view.Machine{
					Name:         name,
					Pool:         n.Pool,
					InstanceType: n.InstanceType,
					CapacityType: n.CapacityType,
					Zone:         n.Zone,
				},
			)
			step.Change -= view.PerHour(shape.Dollars(n.Price))
			delete(f.opened, name)
		}
	}
	for _, n := range m.Open {
		f.opened[n.Name] = n
		step.Change += view.PerHour(shape.Dollars(n.Price))
	}
	t := &f.out.Totals
	t.Evictions += m.Evicted
	t.Opened += len(m.Open)
	if len(m.Open) > 0 {
		step.Kind = "replace"
		t.Replace += len(step.GiveUp)
	} else {
		t.Remove += len(step.GiveUp)
	}
	f.out.Steps = append(f.out.Steps, step)
}

// Edited says of what kinds how many objects an edit brought, for the line that says what is tried.
func Edited(files []string) (out []string) {
	for _, f := range files {
		out = append(out, "apply "+f)
	}
	return slices.Clip(out)
}
