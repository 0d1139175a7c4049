package disrupt

import (
	"cmp"
	"hash/fnv"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
)

// drifted chooses drifted nodes. Pools take turns, so that none of them starves; within a pool those that drifted first
// come before others. A pool whose replacements keep failing rests.
func (p *planner) drifted() {
	byPool := map[string][]seen{}
	for _, s := range p.all {
		if s.movable() && !p.waits(s) && isDrifted(s) && p.rested(s) && p.poolRested(s) {
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
		return cmp.Or(cmp.Compare(a.round, b.round), cmp.Compare(since(a.seen), since(b.seen)), cmp.Compare(a.claim.Name, b.claim.Name))
	})
	for _, t := range list {
		s := t.seen
		if !p.allowed(s, karpenterv1.DisruptionReasonDrifted, false) {
			continue
		}
		if p.looks >= maxForesights {
			p.soon(time.Second)
			return
		}
		if why := s.obstacle(karpenterv1.DisruptionReasonDrifted, p.podOf, p.guards); why != "" {
			if s.obstacle(karpenterv1.DisruptionReasonDrifted, p.podOf, p.guards.lasting()) == "" {
				p.soon(settle) // it passes by itself
				continue
			}
			p.block(s, why)
			continue
		}
		p.looks++
		next := p.follow(refit.Course{Nodes: []string{s.node.Name}})
		if next.Why.Kind != "" {
			p.block(s, next.Why.Sentence())
			continue
		}
		p.want(next.Place)
		m := &move{reason: karpenterv1.DisruptionReasonDrifted, why: because(karpenterv1.DisruptionReasonDrifted)}
		m.heed(next)
		p.choose(m, []seen{s})
	}
}

func isDrifted(s seen) bool { return condition.IsTrue(s.claim, karpenterv1.ConditionDrifted) }

func since(s seen) int64 {
	return condition.Get(s.claim, karpenterv1.ConditionDrifted).LastTransitionTime.UnixNano()
}

// block says why a drifted node stays, and leaves it alone for a while.
func (p *planner) block(s seen, why string) {
	tried := p.memory.attempts[s.claim.UID]
	tried.notUntil = p.now.Add(retryFirst)
	p.memory.attempts[s.claim.UID] = tried
	p.soon(retryFirst)
	p.out.choices = append(p.out.choices, choice{seen: s, step: explain, why: why, reason: karpenterv1.DisruptionReasonDrifted})
}

// restPool leaves the drifted nodes of a pool alone after one of them could not be replaced: what stopped that one
// will stop the others. The time doubles from retryFirst to retryLast, less up to a fifth so that pools do not all
// come back at once.
func (p *planner) restPool(s seen) {
	tried := p.memory.pools[s.pool.Name]
	wait := min(retryFirst<<min(tried.failures, 10), retryLast)
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.claim.UID)) // a hash takes everything
	wait -= wait / 5 * time.Duration(h.Sum32()%1000) / 1000
	p.memory.pools[s.pool.Name] = attempt{failures: tried.failures + 1, notUntil: p.now.Add(wait)}
}

func (p *planner) poolRested(s seen) bool {
	until := p.memory.pools[s.pool.Name].notUntil
	if p.now.Before(until) {
		p.soon(until.Sub(p.now))
		return false
	}
	return true
}
