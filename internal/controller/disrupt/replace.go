package disrupt

import (
	"hash/fnv"
	"time"

	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
)

// mandatory reports whether nodes must go for a reason, whatever that costs: they have drifted, or are sick.
func mandatory(reason karpenterv1.DisruptionReason) bool {
	return reason == karpenterv1.DisruptionReasonDrifted || reason == karpenterv1.DisruptionReasonUnhealthy
}

// stands reports whether a node still is to go for a mandatory reason.
func (s seen) stands(reason karpenterv1.DisruptionReason) bool {
	if reason == karpenterv1.DisruptionReasonDrifted {
		return isDrifted(s)
	}
	return s.sick.Stands(s.claim)
}

// replacer decides about nodes that go for a mandatory reason.
type replacer struct{ *planner }

// attempt is what rests after a move of a node failed. Repair does not wait for what another reason has tried.
type attempt struct {
	claim  types.UID
	repair bool
}

func attemptOf(s seen, reason karpenterv1.DisruptionReason) attempt {
	return attempt{s.claim.UID, reason == karpenterv1.DisruptionReasonUnhealthy}
}

// poolReason is what rests after replacements of a pool failed.
type poolReason struct {
	pool   string
	reason karpenterv1.DisruptionReason
}

// rested reports whether nothing has failed of late of what is to be tried with a node; it comes back when that is so.
func (p replacer) rested(s seen, reason karpenterv1.DisruptionReason) bool {
	return p.over(p.memory.attempts[attemptOf(s, reason)]) && p.over(p.memory.pools[poolReason{s.pool.Name, reason}])
}

// replace begins to replace a node for a mandatory reason, if budgets and pods let it and its pods have another place.
// It is false when this pass has looked at enough.
func (p replacer) replace(s seen, reason karpenterv1.DisruptionReason) (more bool) {
	if !p.allowed(s, reason, false) {
		return true
	}
	if p.looks >= maxForesights {
		p.soon(time.Second)
		return false
	}
	if why := s.obstacle(reason, p.podOf, p.guards); why != "" {
		if s.obstacle(reason, p.podOf, p.guards.lasting()) == "" {
			p.soon(settle) // it passes by itself
			return true
		}
		p.block(s, reason, why)
		return true
	}
	p.looks++
	next := p.follow(refit.Course{Nodes: []string{s.node.Name}})
	if next.Why.Kind != "" && slots(p).first(s, reason) {
		return true
	}
	if next.Why.Kind != "" {
		p.block(s, reason, next.Why.Sentence())
		return true
	}
	p.want(next.Place)
	m := &move{
		Move:   refit.Move{Remove: []string{s.node.Name}, Open: next.Open, Place: next.Place},
		reason: reason, why: s.because(reason),
	}
	m.heed(next)
	p.choose(m, []seen{s})
	return true
}

// block says why a node stays that is to go for a mandatory reason, and leaves it alone for a while.
func (p replacer) block(s seen, reason karpenterv1.DisruptionReason, why string) {
	at := attemptOf(s, reason)
	p.memory.attempts[at] = p.memory.attempts[at].Pause(p.now.Add(retry.First))
	p.soon(retry.First)
	p.out.choices = append(p.out.choices, choice{seen: s, step: explain, why: why, reason: reason})
}

// A rest is shorter by up to a fifth, in a thousand steps: enough to spread pools that failed together over several
// passes, and too little to be taken for another delay.
const (
	jitterPart  = 5
	jitterSteps = 1000
)

// restPool leaves the nodes of a pool alone after one of them could not be replaced: what stopped that one will stop
// the others. The time doubles as retry says, less up to a jitterPart so that pools do not all come back at once.
func (p replacer) restPool(s seen, reason karpenterv1.DisruptionReason) {
	of := poolReason{s.pool.Name, reason}
	tried := p.memory.pools[of].Fail(p.now, retry)
	h := fnv.New32a()
	_, _ = h.Write([]byte(s.claim.UID)) // a hash takes everything
	less := tried.Left(p.now) / jitterPart * time.Duration(h.Sum32()%jitterSteps) / jitterSteps
	p.memory.pools[of] = tried.Pause(tried.Until().Add(-less))
}
