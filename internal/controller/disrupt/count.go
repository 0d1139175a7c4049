package disrupt

import (
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// count sets how many nodes could be given up for each reason, budgets left aside.
func (r *Reconciler) count(v view) {
	n := map[karpenterv1.DisruptionReason]int{}
	for _, s := range v.all {
		if s.repairable() && s.pool != nil && s.sick.Cure != nil {
			n[karpenterv1.DisruptionReasonUnhealthy]++
		}
		if !s.movable() {
			continue
		}
		if isDrifted(s) {
			n[karpenterv1.DisruptionReasonDrifted]++
		}
		if condition.IsTrue(s.claim, karpenterv1.ConditionConsolidatable) {
			if empty(s.pods) {
				n[karpenterv1.DisruptionReasonEmpty]++
			} else if consolidates(s.pool) {
				n[karpenterv1.DisruptionReasonUnderutilized]++
			}
		}
	}
	for _, reason := range []karpenterv1.DisruptionReason{
		karpenterv1.DisruptionReasonUnhealthy, karpenterv1.DisruptionReasonEmpty,
		karpenterv1.DisruptionReasonDrifted, karpenterv1.DisruptionReasonUnderutilized,
	} {
		r.Metrics.Disruption.Eligible.WithLabelValues(observe.SnakeCase(string(reason))).Set(float64(n[reason]))
	}
}

// decided counts a decision to give a node up.
func (r *Reconciler) decided(c choice) {
	reason := observe.SnakeCase(string(c.reason))
	r.Metrics.Disruption.Decisions.WithLabelValues(decisionOf(c), reason, typeOf(c)).Inc()
	r.Metrics.Disruption.DecisionsByPool.WithLabelValues(
		decisionOf(c),
		reason,
		typeOf(c),
		c.claim.Labels[karpenterv1.NodePoolLabelKey],
	).
		Inc()
}

func decisionOf(c choice) string {
	switch {
	case c.step == reboot:
		return "reboot"
	case c.first != "":
		return "terminate-first"
	case c.replaced:
		return "replace"
	}
	return "delete"
}
