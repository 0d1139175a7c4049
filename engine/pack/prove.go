package pack

// What column generation proves of pods that were settled in domains holds for those domains only: another plan may settle
// them otherwise. So that a plan with topology rules has a bound as close as others have, it is proved once more
// of the same pods without those rules, which can only be cheaper.

// prove raises the floor of a plan that follows from st and in which pods were settled in domains.
func (s *solver) prove(pools []int, kinds []kind, st state) {
	if s.unbound() || len(s.floors) > 1 || s.effort <= s.steps || s.leftOver() > 0 || s.spent(st) <= s.floor*(1+hardly) || !s.generates(kinds, st) {
		return
	}
	free := &solver{
		table: s.table, spread: s.spread, items: s.unsettle(), nodePrice: s.nodePrice, limits: st.limits.clone(), effort: s.effort - s.steps,
	}
	free.prepare()
	free.buildRows()
	anywhere := free.kinds(pools)
	from := free.save()
	if !free.generates(anywhere, from) {
		return
	}
	free.greedy(anywhere)
	if free.leftOver() > 0 {
		return
	}
	opened := free.opened
	free.restore(from)
	g := newGenerator(free, anywhere, min(free.effort, fewSteps+stepsEach*free.leftOver()))
	g.seed(opened)
	g.relax(g.demand(), true)
	s.steps += g.steps
	s.floor = max(s.floor, g.bound)
}

// spent is what the nodes cost that were opened since.
func (s *solver) spent(st state) (price float64) {
	for _, o := range s.opened[st.opened:] {
		price += o.price * float64(o.times)
	}
	return price
}

// unsettle is the items as if none had been settled in a domain, one for each class.
func (s *solver) unsettle() []Item {
	at := map[int]int{}
	var out []Item
	for _, it := range s.items {
		i, ok := at[it.Class]
		if !ok {
			i = len(out)
			at[it.Class] = i
			out = append(out, Item{Class: it.Class})
		}
		out[i].Count += it.Count
	}
	return out
}
