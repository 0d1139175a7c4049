package binpack

import (
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/colgen"
	"github.com/dovetail-sh/dovetail/engine/limits"
)

// What column generation proves of pods that were settled in domains holds for those domains only: another plan may
// settle them otherwise. So that a plan with topology rules has a bound as close as others have, it is proved once more
// of the same pods without those rules, which can only be cheaper.

// prover proves of a solver's pods what they cost at least. It keeps nothing for itself.
type prover struct{ s *solver }

// prove raises the floor of a plan that follows from st and in which pods were settled in domains.
func (p *prover) prove(pools []int, kinds []kind, st checkpoint) {
	s := p.s
	if s.proven > 0 || noneSettled(s) || len(s.floors) > 1 || s.effort <= s.steps || s.leftOver() > 0 ||
		spent(s, st) <= s.floor*(1+colgen.Gap) || !s.canGenerate(kinds, st) {
		return
	}
	free := p.unsettled(st.limits)
	s.floor = max(s.floor, free.generated(free.s.kinds(pools)))
	s.steps += free.s.steps
}

// anyTier is a price that no packing of the items is below, out of whatever pools: what is proved of the pods that one
// tier got says nothing of another plan, in which the tiers get others. Limits are those from before anything was
// opened.
func (p *prover) anyTier(pools []int, before *limits.Budgets) float64 {
	free := p.unsettled(before)
	kinds, g := free.s.kinds(pools), &greedy{free.s}
	floor := g.relax(kinds, g.demand(), g.hostGroups()).price
	if p.s.proven == 0 && free.s.effort > 0 && spent(p.s, checkpoint{}) > floor*(1+colgen.Gap) {
		floor = max(floor, free.generated(kinds))
		p.s.steps += free.s.steps
	}
	return floor
}

// unsettled is for the same pods as if none had been settled in a domain, with the effort that is left.
func (p *prover) unsettled(l *limits.Budgets) *prover {
	s := p.s
	free := &solver{
		table: s.table, spread: s.spread, items: withoutCells(s), nodePrice: s.nodePrice, limits: l.Clone(),
		effort: s.effort - s.steps,
	}
	free.prepare()
	free.buildRows()
	return &prover{free}
}

// generated is what column generation proves of the price of all pods in machines of these kinds; 0 if it cannot.
func (p *prover) generated(kinds []kind) float64 {
	s := p.s
	from := s.save()
	if !s.canGenerate(kinds, from) {
		return 0
	}
	s.greedy(kinds)
	if s.leftOver() > 0 {
		return 0
	}
	opened := s.opened
	s.restore(from)
	g, _ := s.generator(kinds, min(s.effort, fewSteps+stepsEach*s.leftOver()), opened)
	g.Prove()
	s.steps += g.Steps
	return g.Bound
}

// spent is what the nodes cost that were opened since.
func spent(s *solver, st checkpoint) (price float64) {
	for _, o := range s.opened[st.opened:] {
		price += float64(o.price * float64(o.times))
	}
	return price
}

// withoutCells is the items as if none had been settled in a domain, one for each class.
func withoutCells(s *solver) []board.Item {
	at := map[int]int{}
	var out []board.Item
	for _, it := range s.items {
		i, ok := at[it.Class]
		if !ok {
			i = len(out)
			at[it.Class] = i
			out = append(out, board.Item{Class: it.Class})
		}
		out[i].Count += it.Count
	}
	return out
}
