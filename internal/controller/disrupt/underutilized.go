package disrupt

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// underutilized chooses nodes whose pods fit elsewhere for less, one after the other, each with all that were
// chosen before it gone. The sweep goes on in the next pass where this one ended.
func (p *planner) underutilized() {
	if wait := p.memory.swept.Add(sweepEvery).Sub(p.now); wait > 0 {
		if len(p.candidates()) > 0 {
			p.soon(wait)
		}
		return
	}
	list := p.candidates()
	if len(list) == 0 {
		return
	}
	p.memory.swept = p.now
	p.soon(sweepEvery)
	// Begin where the last sweep had to stop, so that every node has its turn.
	if i := slices.IndexFunc(list, func(s seen) bool { return s.claim.Name == p.memory.from }); i > 0 {
		list = append(slices.Clone(list[i:]), list[:i]...)
	}
	p.memory.from = ""
	for _, s := range list {
		if !p.allowed(s, karpenterv1.DisruptionReasonUnderutilized, false) {
			continue
		}
		if p.looks >= maxForesights {
			p.memory.from = s.claim.Name
			return
		}
		p.consider(s)
	}
}

// candidates are nodes that consolidation may look at, those whose going disturbs least for their price first.
func (p *planner) candidates() []seen {
	var out []seen
	for _, s := range p.all {
		if s.movable() && consolidates(s.pool) && condition.IsTrue(s.claim, karpenterv1.ConditionConsolidatable) &&
			!empty(s.pods) && s.pods.Price > 0 && !p.now.Before(p.memory.attempts[s.claim.UID].notUntil) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b seen) int {
		// price/cost descending, without dividing
		return cmp.Or(cmp.Compare(int64(b.pods.Price)*disturbance(a.pods), int64(a.pods.Price)*disturbance(b.pods)), cmp.Compare(a.claim.Name, b.claim.Name))
	})
	return out
}

// consolidates reports whether a pool's policy is more than to remove empty nodes.
func consolidates(pool *karpenterv1.NodePool) bool {
	return pool.Spec.Disruption.ConsolidationPolicy != karpenterv1.ConsolidationPolicyWhenEmpty
}

// disturbance is what evicting a node's pods weighs, in thousandths of an ordinary pod, plus one pod for the node.
func disturbance(n *shape.Node) int64 {
	sum := int64(1000)
	for _, pod := range n.Pods {
		if pod.Role == shape.Movable {
			sum += int64(max(pod.EvictionCost, 0))
		}
	}
	return sum
}

// consider looks at what giving one node up would save.
func (p *planner) consider(s seen) {
	if why := s.obstacle(karpenterv1.DisruptionReasonUnderutilized, p.podOf, p.budgets); why != "" {
		p.keep(s, why)
		return
	}
	next := p.foresee([]string{s.node.Name})
	f := next.fates[s.node.Name]
	extra := next.decision.Price - p.current.decision.Price
	switch {
	case f.stuck != "":
		p.keep(s, f.stuck)
	case f.waits:
		// Its pods would go to nodes that are on their way: they may be somebody else's replacement.
		p.keep(s, "its pods fit only on nodes that are not ready yet")
	case len(f.opens) > 0 && !p.worth(s, extra):
		p.keep(s, fmt.Sprintf("replacing it would not save enough: it costs %s, its replacement %s", s.pods.Price, extra))
	case len(f.opens) > 0 && !p.rules.SpotToSpot && s.pods.CapacityType == shape.Spot && anySpot(next.decision.Open, f.opens):
		p.keep(s, "replacing spot by spot is switched off (feature gate SpotToSpotConsolidation)")
	default:
		p.choose(s, karpenterv1.DisruptionReasonUnderutilized, next)
	}
}

// worth reports whether a replacement at that price saves enough.
func (p *planner) worth(s seen, replacement shape.Money) bool {
	saving := s.pods.Price - replacement
	return saving > 0 && saving.Float() >= p.rules.MinSaving*s.pods.Price.Float()
}

func anySpot(open []engine.NewNode, ids []string) bool {
	return slices.ContainsFunc(open, func(n engine.NewNode) bool {
		return slices.Contains(ids, n.ID) && len(n.Options) > 0 && n.Options[0].CapacityType == shape.Spot
	})
}

// keepFor is how long a node that is kept is not looked at again.
const keepFor = 30 * time.Second

// keep says why consolidation leaves a node.
func (p *planner) keep(s seen, why string) {
	tried := p.memory.attempts[s.claim.UID]
	tried.notUntil = p.now.Add(keepFor)
	p.memory.attempts[s.claim.UID] = tried
	p.out.choices = append(p.out.choices, choice{seen: s, step: explain, why: why, reason: karpenterv1.DisruptionReasonUnderutilized})
}
