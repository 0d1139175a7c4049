package disrupt

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

// repairs decides about sick nodes.
type repairs struct{ replacer }

// unhealthy mends nodes that have been sick for too long, the most urgent first. What holds one of them holds no other.
func (p repairs) unhealthy() {
	broken := p.breakers()
	for _, s := range p.patients() {
		switch {
		case s.pool == nil:
			p.block(
				s,
				karpenterv1.DisruptionReasonUnhealthy,
				"it is sick, and repair needs a NodePool to replace it by",
			)
		case broken[s.pool.Name] != "":
			p.out.choices = append(p.out.choices, choice{
				seen:    s,
				step:    explain,
				why:     broken[s.pool.Name],
				reason:  karpenterv1.DisruptionReasonUnhealthy,
				breaker: true,
			})
		case nodehealth.Vetoed(s.node, s.claim):
			p.block(s, karpenterv1.DisruptionReasonUnhealthy,
				fmt.Sprintf("repair is blocked through the %q annotation", karpenterv1.DoNotRepairAnnotationKey))
		case !s.sick.Replaces(s.claim, p.now):
			p.reboot(s)
		case s.pool.Spec.Replicas != nil: // static replaces its own
		case !p.replace(s, karpenterv1.DisruptionReasonUnhealthy):
			return
		}
	}
	p.hasten(broken)
}

// patients are the sick nodes that may be repaired now: by score, then those whose pods are cheap to move.
func (p repairs) patients() []seen {
	var list []seen
	for _, s := range p.all {
		switch {
		case s.sick.Cure == nil && s.sick.In > 0:
			p.soon(s.sick.In)
		case s.sick.Cure == nil || !s.repairable() || p.waits(s):
		case s.pool == nil && p.over(p.memory.attempts[attemptOf(s, karpenterv1.DisruptionReasonUnhealthy)]),
			s.pool != nil && p.rested(s, karpenterv1.DisruptionReasonUnhealthy):
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b seen) int {
		return cmp.Or(
			cmp.Compare(b.sick.Cure.Score, a.sick.Cure.Score),
			cmp.Compare(a.evictionCost(), b.evictionCost()),
			cmp.Compare(a.node.Name, b.node.Name),
		)
	})
	return list
}

// evictionCost weighs the pods that move with a node.
func (s seen) evictionCost() (sum int64) {
	for i := range s.pods.Pods {
		if onlyMoved(&s.pods.Pods[i]) {
			sum += int64(max(s.pods.Pods[i].EvictionCost, 0))
		}
	}
	return sum
}

// breakers says by pool why none of its nodes is repaired now: so many are sick that the reason is more likely
// elsewhere. Nodes that are being mended are not counted, nor are those that have only begun to start: the one would
// stop repair for as long as a drain takes, the other for as long as a large scale-up does.
func (p repairs) breakers() map[string]string {
	pools := map[string]*nodehealth.Breaker{}
	for _, s := range p.all {
		if s.pool == nil || s.node == nil || s.mending() || s.starting() {
			continue
		}
		if pools[s.pool.Name] == nil {
			pools[s.pool.Name] = &nodehealth.Breaker{}
		}
		pools[s.pool.Name].Count(s.sick.Bad)
	}
	out := map[string]string{}
	for name, b := range pools {
		out[name] = b.Why()
	}
	return out
}

// mending reports whether a node is on its way out, or booting.
func (s seen) mending() bool {
	return !s.claim.DeletionTimestamp.IsZero() || markOf(s.claim) == karpenterv1.DisruptionReasonUnhealthy
}

// starting reports whether a node is not ready for pods yet, and not late.
func (s seen) starting() bool {
	return !condition.IsTrue(s.claim, karpenterv1.ConditionInitialized) && s.sick.Cure == nil
}

// reboot has a node rebooted, if budgets and pods let it. Nothing is opened for its pods: they come back.
func (p repairs) reboot(s seen) {
	const reason = karpenterv1.DisruptionReasonUnhealthy
	if !p.allowed(s, reason, false) {
		return
	}
	if why := s.obstacle(reason, p.podOf, p.guards); why != "" {
		p.block(s, reason, why)
		return
	}
	p.allowed(s, reason, true)
	p.out.choices = append(p.out.choices, choice{
		seen: s, step: reboot, why: s.because(reason), reason: reason, bound: s.bound(reason),
	})
}

// hasten cuts drains short that are under way, for whatever reason, on nodes that have fallen sick: what runs there is
// not worth the wait any more.
func (p repairs) hasten(broken map[string]string) {
	for _, s := range p.all {
		if s.claim.DeletionTimestamp.IsZero() || s.node == nil || s.sick.Cure == nil ||
			nodehealth.Vetoed(s.node, s.claim) ||
			s.pool != nil && broken[s.pool.Name] != "" {
			continue
		}
		bound := s.bound(karpenterv1.DisruptionReasonUnhealthy)
		if bound != nil && nodehealth.EndDrain(s.claim.DeepCopy(), p.now.Add(*bound)) {
			p.out.choices = append(p.out.choices, choice{
				seen: s, step: hasten, why: s.because(karpenterv1.DisruptionReasonUnhealthy),
				reason: karpenterv1.DisruptionReasonUnhealthy, bound: bound,
			})
		}
	}
}

// because is why a node goes, in words without a full stop.
func (s seen) because(reason karpenterv1.DisruptionReason) string {
	if reason != karpenterv1.DisruptionReasonUnhealthy || s.sick.Cure == nil {
		return because(reason)
	}
	c := s.sick.Cure.Condition
	if c.Reason == "" {
		return fmt.Sprintf("it has been unhealthy for too long (%s is %s)", c.Type, c.Status)
	}
	return fmt.Sprintf("it has been unhealthy for too long (%s is %s: %s)", c.Type, c.Status, c.Reason)
}
