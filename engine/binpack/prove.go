package binpack

import (
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/colgen"
)

// What column generation proves of pods that were settled in domains holds for those domains only: another plan may
// settle them otherwise. So that a plan with topology rules has a bound as close as others have, it is proved once more
// of the same pods without those rules, which can only be cheaper.

// prove raises the floor of a plan that follows from st and in which pods were settled in domains.
func (s *solver) prove(pools []int, kinds []kind, st checkpoint) {
	if noneSettled(s) || len(s.floors) > 1 || s.effort <= s.steps || s.leftOver() > 0 ||
		spent(s, st) <= s.floor*(1+colgen.Gap) || !s.canGenerate(kinds, st) {
		return
	}
	free := &solver{
		table: s.table, spread: s.spread, items: withoutCells(s), nodePrice: s.nodePrice, limits: st.limits.Clone(),
		effort: s.effort - s.steps,
	}
	free.prepare()
	free.buildRows()
	anywhere := free.kinds(pools)
	from := free.save()
	if !free.canGenerate(anywhere, from) {
		return
	}
	free.greedy(anywhere)
	if free.leftOver() > 0 {
		return
	}
	opened := free.opened
	free.restore(from)
	g, _ := free.generator(anywhere, min(free.effort, fewSteps+stepsEach*free.leftOver()), opened)
	g.Prove()
	s.steps += g.Steps
	s.floor = max(s.floor, g.Bound)
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
