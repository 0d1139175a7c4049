package disrupt

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// drifted chooses drifted nodes. Pools take turns, so that none of them starves; within a pool those that drifted first
// come before others. A pool whose replacements keep failing rests.
func (p replacer) drifted() {
	byPool := map[string][]seen{}
	for _, s := range p.all {
		if s.movable() && !p.waits(s) && isDrifted(s) &&
			p.rested(s, karpenterv1.DisruptionReasonDrifted) {
			byPool[s.pool.Name] = append(byPool[s.pool.Name], s)
		}
	}
	type turn struct {
		seen
		round int
	}
	var list []turn
	for _, nodes := range byPool {
		slices.SortStableFunc(nodes, func(a, b seen) int { return cmp.Compare(since(a), since(b)) })
		for round, s := range nodes {
			list = append(list, turn{s, round})
		}
	}
	slices.SortFunc(list, func(a, b turn) int {
		return cmp.Or(
			cmp.Compare(a.round, b.round),
			cmp.Compare(since(a.seen), since(b.seen)),
			cmp.Compare(a.claim.Name, b.claim.Name),
		)
	})
	for _, t := range list {
		if !p.replace(t.seen, karpenterv1.DisruptionReasonDrifted) {
			return
		}
	}
}

func isDrifted(s seen) bool { return condition.IsTrue(s.claim, karpenterv1.ConditionDrifted) }

func since(s seen) int64 {
	return condition.Get(s.claim, karpenterv1.ConditionDrifted).LastTransitionTime.UnixNano()
}
