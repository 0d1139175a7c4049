package static

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/hold"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// see reads all that a decision about a pool needs.
func (r *Reconciler) see(ctx context.Context, pool *karpenterv1.NodePool) (sight, error) {
	var list karpenterv1.NodeClaimList
	var nodes corev1.NodeList
	for _, l := range []client.ObjectList{&list, &nodes} {
		if err := r.Client.List(ctx, l, client.MatchingLabels{karpenterv1.NodePoolLabelKey: pool.Name}); err != nil {
			return sight{}, fmt.Errorf("listing %T of NodePool %s: %w", l, pool.Name, err)
		}
	}
	s := sight{replicas: int(*pool.Spec.Replicas), limit: -1, launches: condition.IsTrue(pool, condition.Ready)}
	if q, ok := pool.Spec.Limits[corev1.ResourceName(shape.LimitNodes)]; ok {
		s.limit = int(provider.Amount(&q, 0))
	}
	byName := map[string]*corev1.Node{}
	for i := range nodes.Items {
		byName[nodes.Items[i].Name] = &nodes.Items[i]
	}
	views := map[string]*shape.Node{}
	for _, n := range r.Snapshot().Nodes {
		if n.Pool == pool.Name && n.Stage != shape.Leaving {
			views[n.Claim] = n
		}
	}
	s.known = len(views)
	for i := range list.Items {
		claim := &list.Items[i]
		if !claim.DeletionTimestamp.IsZero() {
			s.leaving++
			if views[claim.Name] != nil {
				s.known-- // the planner is late
			}
			continue
		}
		m := member{claim: claim, node: views[claim.Name]}
		node := byName[claim.Status.NodeName]
		m.ready = node != nil && initialized(m) && condition.NodeReady(node) && !nodehealth.Rebooting(claim)
		s.members = append(s.members, m)
	}
	r.diagnose(&s, byName)
	r.budgets(&s, pool, byName)
	s.probing = r.probes(pool.Name, s.members)
	var pools karpenterv1.NodePoolList
	if err := r.Client.List(ctx, &pools); err != nil {
		return sight{}, fmt.Errorf("looking for holds of NodePool %s: %w", pool.Name, err)
	}
	_, s.held = hold.Of(pool, pools.Items, r.Clock.Now())
	return s, r.room(ctx, pool, &s)
}

// diagnose says which members are to be replaced because they are sick.
func (r *Reconciler) diagnose(s *sight, nodes map[string]*corev1.Node) {
	if r.Health == nil {
		return
	}
	now := r.Clock.Now()
	var breaker nodehealth.Breaker
	for i := range s.members {
		m := &s.members[i]
		node := nodes[m.claim.Status.NodeName]
		if node == nil {
			continue
		}
		d := r.Health.Diagnose(node, m.claim, now)
		if m.counts(d) {
			breaker.Count(d.Bad)
		}
		m.sick = !nodehealth.Vetoed(node, m.claim) && m.ails(d, now)
	}
	if breaker.Why() == "" {
		return
	}
	for i := range s.members { // internal/controller/disrupt says so
		s.members[i].sick = s.members[i].sick && isMarked(s.members[i].claim)
	}
}

// counts reports whether a node may trip the breaker: it is neither starting nor being mended.
func (m *member) counts(d nodehealth.Diagnosis) bool {
	mending := markOf(m.claim) == karpenterv1.DisruptionReasonUnhealthy || nodehealth.Rebooting(m.claim)
	return !mending && (initialized(*m) || d.Cure != nil)
}

// ails reports whether a node that has joined is to be replaced because it is sick, or still is.
func (m *member) ails(d nodehealth.Diagnosis, now time.Time) bool {
	if nodehealth.Rebooting(m.claim) || !condition.IsTrue(m.claim, karpenterv1.ConditionRegistered) {
		return false
	}
	marked := markOf(m.claim) == karpenterv1.DisruptionReasonUnhealthy
	return d.Replaces(m.claim, now) || marked && d.Stands(m.claim)
}

// budgets works out how many nodes may be missing, and how many more may go. Nodes that are marked, booting or not
// ready use budgets up; that a node is not ready is no reason not to repair it. A budget that cannot be read allows
// none.
func (r *Reconciler) budgets(s *sight, pool *karpenterv1.NodePool, nodes map[string]*corev1.Node) {
	going, failing := s.leaving, 0
	for _, m := range s.members {
		node := nodes[m.claim.Status.NodeName]
		switch {
		case isMarked(m.claim), nodehealth.Rebooting(m.claim):
			going++
		case initialized(m) && (node == nil || !condition.NodeReady(node)):
			failing++
		}
	}
	of := func(reason karpenterv1.DisruptionReason, used int) allowance {
		all, err := pool.AllowedDisruptions(r.Clock.Now(), len(s.members)+s.leaving, reason)
		if err != nil {
			all = 0 // nodepool says so
		}
		return allowance{all: all, left: all - used, first: r.First[reason]}
	}
	s.drift = of(karpenterv1.DisruptionReasonDrifted, going+failing)
	s.repairs = of(karpenterv1.DisruptionReasonUnhealthy, going)
}

// room looks whether a pool with nodes to be replaced can buy anything, and which of its nodes would give a place in a
// reservation back.
func (r *Reconciler) room(ctx context.Context, pool *karpenterv1.NodePool, s *sight) error {
	if !slices.ContainsFunc(s.members, func(m member) bool { return m.sick || isDrifted(m) || isMarked(m.claim) }) {
		return nil
	}
	template, err := translate.Pool(pool, r.Aliases)
	if err != nil {
		return err
	}
	types, err := r.Types(ctx, pool)
	if err != nil {
		return fmt.Errorf("listing instance types of NodePool %s: %w", pool.Name, err)
	}
	if s.full = provider.Exhausted(types, template.Requirements); !s.full {
		return nil
	}
	for i := range s.members {
		s.members[i].slot = provider.ReservationOf(types, s.members[i].claim.Labels) != ""
	}
	return nil
}

// sick reports whether a claim's node is to be replaced because it is sick.
func (s sight) sick(claim *karpenterv1.NodeClaim) bool {
	return slices.ContainsFunc(s.members, func(m member) bool { return m.claim == claim && m.sick })
}
