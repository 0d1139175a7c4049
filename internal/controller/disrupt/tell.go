package disrupt

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Words of metrics.
const (
	approved, rejected = "approved", "rejected"
	single, multi      = "single", "multi"
)

// evaluated notes how long deciding took, and whether a search had to stop.
func (r *Reconciler) evaluated(m moves, took time.Duration) {
	reason, kind := "", ""
	if m.found != nil {
		reason, kind = observe.SnakeCase(string(karpenterv1.DisruptionReasonUnderutilized)), multi
		if m.found.Counters.Exhausted {
			r.Metrics.Disruption.Timeouts.WithLabelValues(multi).Inc()
		}
		if len(m.found.Moves) == 0 {
			r.Metrics.Disruption.Decisions.WithLabelValues("no-op", reason, multi).Inc()
		}
	}
	r.Metrics.Disruption.Evaluation.WithLabelValues(reason, kind).Observe(took.Seconds())
}

// typeOf is a choice's consolidation_type.
func typeOf(c choice) string {
	switch {
	case c.reason == karpenterv1.DisruptionReasonEmpty:
		return "empty"
	case c.reason != karpenterv1.DisruptionReasonUnderutilized:
		return ""
	case c.multi:
		return multi
	}
	return single
}

// chosen says that a node is consolidated.
func (r *Reconciler) chosen(c choice) {
	if c.reason != karpenterv1.DisruptionReasonUnderutilized {
		return
	}
	r.tell(c, observe.ConsolidationCandidate, "Consolidation chose the node, because "+c.why)
	r.tell(c, observe.ConsolidationApproved, "NodeClaim "+c.claim.Name+" is given up because "+c.why, c.pool)
	r.judged(c, approved)
}

// judged counts a move that was looked at.
func (r *Reconciler) judged(c choice, decision string) {
	policy := string(c.pool.Spec.Disruption.ConsolidationPolicy)
	r.Metrics.Disruption.Moves.WithLabelValues(decision, c.pool.Name, policy).Inc()
	if c.score > 0 {
		r.Metrics.Disruption.Score.WithLabelValues(decision, c.pool.Name, policy).Observe(c.score)
	}
}

// kept says why a node stays, and counts that when the reason is a new one.
func (r *Reconciler) kept(c choice) {
	if c.breaker {
		r.tell(c, observe.NodeRepairBlocked, c.why, c.pool)
		return
	}
	if c.reason != karpenterv1.DisruptionReasonUnderutilized {
		r.tell(c, observe.DisruptionBlocked, "The node stays: "+c.why)
		return
	}
	said := observe.Unconsolidatable
	if c.kind == refit.Held {
		said = observe.DisruptionBlocked // consolidation has not even looked
	}
	r.tell(c, said, "The node stays: "+c.why)
	if r.memory.told[c.claim.UID] == c.why {
		return
	}
	r.memory.told[c.claim.UID] = c.why
	r.judged(c, rejected)
	if c.kind == refit.Unbalanced || c.kind == refit.BudgetUsed {
		r.tell(c, observe.ConsolidationRejected, "No move was made: "+c.why)
	}
}

// released says why a move was given up after it had begun.
func (r *Reconciler) released(c choice) {
	reason := observe.DisruptionBlocked
	switch c.reason {
	case karpenterv1.DisruptionReasonEmpty:
		r.Metrics.Disruption.FailedValidations.WithLabelValues(typeOf(c)).Inc()
		return
	case karpenterv1.DisruptionReasonUnderutilized:
		reason = observe.Unconsolidatable
		r.tell(c, observe.ConsolidationRejected, "The move was given up: "+c.why)
	}
	r.tell(c, reason, "The node stays: "+c.why)
	switch c.failed {
	case failedCheck:
		r.Metrics.Disruption.FailedValidations.WithLabelValues(typeOf(c)).Inc()
	case failedMove:
		r.Metrics.Disruption.QueueFailures.WithLabelValues(
			decisionOf(c),
			observe.SnakeCase(string(c.reason)),
			typeOf(c),
		).
			Inc()
	}
}

// tell emits one sentence on claim and node, and on whatever else it concerns.
func (r *Reconciler) tell(c choice, reason *observe.Reason, sentence string, also ...client.Object) {
	sentence = strings.TrimSuffix(sentence, ".") + "."
	for _, object := range []client.Object{c.claim, c.node} {
		r.Events.EmitOf(string(c.kind), object, reason, sentence)
	}
	for _, object := range also {
		r.Events.EmitOf(c.claim.Name, object, reason, sentence)
	}
}

// waiting says on new claims that moves wait for them, and on pools that their budgets are used up.
func (r *Reconciler) waiting(v view, m moves) {
	wanted := map[string]bool{}
	for _, name := range m.waiting {
		wanted[name] = true
	}
	spent := map[string]bool{}
	for _, name := range m.spent {
		spent[name] = true
	}
	for _, s := range v.all {
		if wanted[s.claim.Name] && !condition.IsTrue(s.claim, karpenterv1.ConditionInitialized) {
			r.Events.Emit(
				s.claim,
				observe.DisruptionWaitingReadiness,
				"Nodes are given up as soon as this one is ready.",
			)
		}
		if s.pool != nil && spent[s.pool.Name] {
			delete(spent, s.pool.Name)
			r.Events.Emit(
				s.pool,
				observe.PoolDisruptionBlocked,
				"The NodePool's budgets allow no further disruption now.",
			)
		}
	}
}

// disruptedNode is a node in a line of the log.
type disruptedNode struct {
	Node         observe.Ref `json:"Node"`
	NodeClaim    observe.Ref `json:"NodeClaim"`
	CapacityType string      `json:"capacity-type"`
	InstanceType string      `json:"instance-type"`
}

func disruptedNodeOf(c choice) disruptedNode {
	labels := c.node.Labels
	return disruptedNode{
		Node: observe.Ref{Name: c.node.Name}, NodeClaim: observe.Ref{Name: c.claim.Name},
		CapacityType: labels[karpenterv1.CapacityTypeLabelKey], InstanceType: labels[corev1.LabelInstanceTypeStable],
	}
}
