package disrupt

import (
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// count sets how many nodes could be given up for each reason, budgets left aside.
func (r *Reconciler) count(v view) {
	n := map[karpenterv1.DisruptionReason]int{}
	for _, s := range v.all {
		if !s.movable() {
			continue
		}
		if condition.IsTrue(s.claim, karpenterv1.ConditionDrifted) {
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
	for _, reason := range []karpenterv1.DisruptionReason{karpenterv1.DisruptionReasonEmpty, karpenterv1.DisruptionReasonDrifted, karpenterv1.DisruptionReasonUnderutilized} {
		r.Metrics.Disruption.Eligible.WithLabelValues(string(reason)).Set(float64(n[reason]))
	}
}

// decided counts a decision to give a node up.
func (r *Reconciler) decided(c choice) {
	decision, kind := "delete", ""
	if c.replaced {
		decision = "replace"
	}
	switch c.reason {
	case karpenterv1.DisruptionReasonEmpty:
		kind = "empty"
	case karpenterv1.DisruptionReasonUnderutilized:
		kind = "single"
	}
	r.Metrics.Disruption.Decisions.WithLabelValues(decision, string(c.reason), kind).Inc()
	r.Metrics.Disruption.DecisionsByPool.WithLabelValues(decision, string(c.reason), kind, c.claim.Labels[karpenterv1.NodePoolLabelKey]).Inc()
}
