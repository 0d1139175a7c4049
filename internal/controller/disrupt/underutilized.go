package disrupt

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

const (
	// sweepEvery is how often the fleet is searched for something cheaper, at most.
	sweepEvery = 10 * time.Second
	// sweepEffort is how many steps one search may take: about a fifth of a second, so that a fleet in which nothing
	// is to be gained costs 2 % of a core. The next search looks elsewhere.
	sweepEffort = 200_000
	// sweepAnyway is how soon it is searched again though nothing has changed: budgets and lifetimes do with time.
	sweepAnyway = 5 * time.Minute
	// turnTime is how long a drained node takes to be gone: half a minute for its pods, which is the grace that they
	// have by default, and as long for its machine.
	turnTime = time.Minute
)

// sweep is the last search.
type sweep struct {
	at       time.Time
	revision uint64        // of the Snapshot
	done     bool          // it found nothing, and had looked everywhere
	ripe     time.Duration // until what it refused for its age alone is worth it; 0 for nothing
	count    uint64
}

// sweepDue reports whether the fleet is to be searched in this pass.
func (p *planner) sweepDue() bool {
	if !slices.ContainsFunc(p.all, candidate) {
		return false
	}
	last := p.memory.sweep
	wait := last.at.Add(sweepEvery).Sub(p.now)
	if last.done && last.revision == p.snapshot.Revision {
		rest := sweepAnyway
		if last.ripe > 0 {
			rest = min(rest, max(last.ripe, sweepEvery))
		}
		wait = last.at.Add(rest).Sub(p.now)
	}
	if wait > 0 {
		p.soon(wait)
	}
	return wait <= 0
}

// candidate reports whether consolidation may look at a node.
func candidate(s seen) bool {
	return s.movable() && consolidates(s.pool) && condition.IsTrue(s.claim, karpenterv1.ConditionConsolidatable) &&
		!empty(s.pods)
}

// consolidates reports whether a pool's policy is more than to remove empty nodes.
func consolidates(pool *karpenterv1.NodePool) bool {
	return pool.Spec.Disruption.ConsolidationPolicy != karpenterv1.ConsolidationPolicyWhenEmpty
}

// refitPolicy is what the search is told; search says whether there will be one.
func (p *planner) refitPolicy(search bool) refit.Policy {
	out := refit.Policy{
		Plan:       p.policy,
		Effort:     cmp.Or(p.effort, sweepEffort),
		Pools:      map[string]refit.PoolPolicy{},
		Held:       map[string]string{},
		SpotToSpot: p.rules.SpotToSpot,
		MinSaving:  p.rules.MinSaving,
		PodPrice:   p.rules.PodPrice,
		Payback:    p.rules.Payback,
		Overlap:    settle + launchTime(p.all),
		Turn:       turnTime,
	}
	for _, s := range p.all {
		if s.pool == nil {
			continue
		}
		if _, known := out.Pools[s.pool.Name]; !known {
			out.Pools[s.pool.Name] = poolPolicy(s.pool)
		}
		if search && s.node != nil {
			if why := p.hold(s); why != "" {
				out.Held[s.node.Name] = why
			}
		}
	}
	return out
}

// launchTime is how long nodes take from the order until they take pods: the median of those that are there.
func launchTime(all []seen) time.Duration {
	var list []time.Duration
	for _, s := range all {
		if s.claim.CreationTimestamp.IsZero() {
			continue // written by hand
		}
		if c := condition.Get(s.claim, karpenterv1.ConditionInitialized); c != nil &&
			condition.IsTrue(s.claim, karpenterv1.ConditionInitialized) {
			list = append(list, c.LastTransitionTime.Sub(s.claim.CreationTimestamp.Time))
		}
	}
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return min(max(list[len(list)/2], 0), moveLimit)
}

func poolPolicy(pool *karpenterv1.NodePool) refit.PoolPolicy {
	out := refit.PoolPolicy{Mode: refit.WhenUnderutilized}
	switch pool.Spec.Disruption.ConsolidationPolicy {
	case karpenterv1.ConsolidationPolicyWhenEmpty:
		out.Mode = refit.WhenEmpty
	case karpenterv1.ConsolidationPolicyBalanced:
		out.Mode = refit.Balanced
	}
	if pool.Spec.Replicas != nil {
		out.Mode = refit.Never
	}
	if after := pool.Spec.Template.Spec.ExpireAfter.Duration; after != nil {
		out.Lifetime = *after
	}
	return out
}

// hold says why the search must leave a node alone.
func (p *planner) hold(s seen) string {
	switch {
	case !candidate(s):
		return "it is not up for consolidation"
	case p.waits(s):
		return "it waits for its turn in a move"
	case p.memory.attempts[attempt{claim: s.claim.UID}].Left(p.now) > 0:
		return "a move of it failed a short while ago"
	}
	return s.obstacle(karpenterv1.DisruptionReasonUnderutilized, p.podOf, p.guards)
}

// underutilized searches the fleet for moves that make it cheaper, and begins them.
func (p *planner) underutilized() {
	left := p.leftOf(karpenterv1.DisruptionReasonUnderutilized)
	byNode := map[string]seen{}
	for _, s := range p.all {
		if s.pool != nil {
			p.search.Allowed[s.pool.Name] = max(left[s.pool.Name], 0)
			p.pass.Allow(s.pool.Name, p.search.Allowed[s.pool.Name])
		}
		if candidate(s) {
			byNode[s.node.Name] = s
		}
	}
	found := p.pass.Find()
	p.out.found = &found
	if len(found.Moves) > 0 {
		p.search.Result = found
		p.out.search = p.search
	}
	p.memory.sweep = sweep{
		at:       p.now,
		revision: p.snapshot.Revision,
		done:     len(found.Moves) == 0 && !found.Counters.Exhausted,
		ripe:     found.Ripe,
		count:    p.memory.sweep.count + 1,
	}
	p.soon(sweepEvery)
	for i := range found.Moves {
		m := &found.Moves[i]
		if _, ok := p.devices.Allows(p.snapshot, m.Place, m.Open); ok {
			p.begin(m, byNode)
			continue
		}
		for _, name := range m.Remove {
			if s, ours := byNode[name]; ours {
				p.out.choices = append(p.out.choices, choice{
					seen: s, step: explain, why: devices.NotMoved,
					reason: karpenterv1.DisruptionReasonUnderutilized, kind: refit.NoPlace,
				})
			}
		}
	}
	for _, k := range found.Kept {
		if s, ours := byNode[k.Node]; ours {
			p.out.choices = append(
				p.out.choices,
				choice{
					seen:   s,
					step:   explain,
					why:    k.Why.Sentence(),
					reason: karpenterv1.DisruptionReasonUnderutilized,
					kind:   k.Why.Kind,
					score:  k.Why.Score,
				},
			)
			if k.Why.Kind == refit.BudgetUsed && !slices.Contains(p.out.spent, k.Why.Want) {
				p.out.spent = append(p.out.spent, k.Why.Want)
				p.soon(budgetEvery)
			}
		}
	}
}

// begin chooses the nodes of a move.
func (p *planner) begin(m *refit.Move, byNode map[string]seen) {
	var nodes []seen
	for _, name := range m.Remove {
		s, ours := byNode[name]
		if !ours {
			return // an empty node: emptiness sees to it
		}
		nodes = append(nodes, s)
	}
	p.want(m.Place)
	chosen := &move{
		Move:   *m,
		reason: karpenterv1.DisruptionReasonUnderutilized,
		why:    sentence(m),
		opened: len(m.Open) > 0,
	}
	for _, place := range m.Place {
		chosen.settle(place.Pod, place.Node)
	}
	p.choose(chosen, nodes)
}

// sentence is what a move does, without a full stop.
func sentence(m *refit.Move) string {
	with := "the pods fit elsewhere"
	if n := len(m.Open); n == 1 {
		with = fmt.Sprintf("one node for %s does", m.Instead)
	} else if n > 1 {
		with = fmt.Sprintf("%d nodes for %s do", n, m.Instead)
	}
	what := "it costs"
	if n := len(m.Remove); n > 1 {
		what = fmt.Sprintf("it and %d more cost", n-1)
	}
	return fmt.Sprintf("%s $%s an hour and %s", what, m.Price, with)
}
