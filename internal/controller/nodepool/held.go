package nodepool

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/hold"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// holds writes whether somebody holds a pool still, and says when to look again; 0 for when something changes.
func (r *Reconciler) holds(pool *karpenterv1.NodePool, all []karpenterv1.NodePool) time.Duration {
	now := r.Clock.Now()
	h, held := hold.Of(pool, all, now)
	if !held {
		pool.Status.Hold = nil
		if condition.Clear(pool, karpenterv1.ConditionDisruptionHeld) && r.Events != nil {
			r.Events.Emit(pool, observe.DisruptionResumed, "Nobody holds disruption any more.")
		}
		return 0
	}
	pool.Status.Hold = &karpenterv1.HoldStatus{By: h.By, Reason: h.Why, NodePool: h.Pool}
	sentence := h.Sentence()
	sentence = strings.ToUpper(sentence[:1]) + sentence[1:] + "."
	if condition.TrueBecause(
		pool,
		now,
		karpenterv1.ConditionDisruptionHeld,
		karpenterv1.ConditionDisruptionHeld,
		sentence,
	) &&
		r.Events != nil {
		r.Events.EmitOf(sentence, pool, observe.DisruptionHeld, sentence)
	}
	if h.Until.IsZero() {
		return 0
	}
	until := metav1.NewTime(h.Until)
	pool.Status.Hold.Until = &until
	return max(h.Until.Sub(now), time.Millisecond)
}

// switchedOff says of a pool whose limit of nodes is 0 that this is why it launches nothing.
func switchedOff(pool *karpenterv1.NodePool, now time.Time) {
	if limit, ok := pool.Spec.Limits[resourceNodes]; ok && limit.IsZero() {
		condition.False(
			pool,
			now,
			karpenterv1.ConditionLaunchable,
			karpenterv1.ReasonSwitchedOff,
			"spec.limits.nodes is 0: nothing is launched, and nodes that are there stay until they are given up. Raise the limit or take it away to switch the NodePool on",
		)
		return
	}
	condition.Clear(pool, karpenterv1.ConditionLaunchable)
}
