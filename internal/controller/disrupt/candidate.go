package disrupt

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// markOf is the reason for which a claim is chosen to be given up, or "".
func markOf(claim *karpenterv1.NodeClaim) karpenterv1.DisruptionReason {
	if c := condition.Get(
		claim,
		karpenterv1.ConditionDisruptionReason,
	); c != nil &&
		c.Status == metav1.ConditionTrue {
		return karpenterv1.DisruptionReason(c.Reason)
	}
	return ""
}

// movable reports whether a claim's node may be considered for a move at all: it lives, it is in use, and
// nothing is on its way with it.
func (s seen) movable() bool {
	return s.pool != nil && s.pool.Spec.Replicas == nil && s.node != nil && s.pods != nil &&
		s.claim.DeletionTimestamp.IsZero() && s.node.DeletionTimestamp.IsZero() && !tainted(s.node) &&
		markOf(s.claim) == "" &&
		condition.IsTrue(s.claim, karpenterv1.ConditionInitialized)
}

// repairable reports whether a sick node may be considered for repair at all: it has joined, it lives, and nothing is
// on its way with it. It need not be ready for pods, and never have been.
func (s seen) repairable() bool {
	return s.node != nil && s.pods != nil && s.claim.DeletionTimestamp.IsZero() && s.node.DeletionTimestamp.IsZero() &&
		!tainted(s.node) && markOf(s.claim) == "" &&
		condition.IsTrue(s.claim, karpenterv1.ConditionRegistered) &&
		!nodehealth.Rebooting(s.claim)
}

// bound is how long the drain of the node may take if it goes for a reason; nil for as long as it takes.
func (s seen) bound(reason karpenterv1.DisruptionReason) *time.Duration {
	if reason == karpenterv1.DisruptionReasonUnhealthy {
		return s.sick.DrainBound(s.claim)
	}
	if period := s.claim.Spec.TerminationGracePeriod; period != nil {
		return &period.Duration
	}
	return nil
}

// annotated says that people ask to leave the node alone, on it or on its pool, or nothing.
func (s seen) annotated() string {
	if s.hold != "" {
		return s.hold
	}
	if s.node.Annotations[karpenterv1.DoNotDisruptAnnotationKey] == "true" {
		return "the node carries the annotation " + karpenterv1.DoNotDisruptAnnotationKey
	}
	return ""
}

// obstacle is why a node must not be given up by choice, one sentence without its full stop; empty if it may. A drifted
// or sick node whose drain is bounded is not held by its pods. People who ask to leave a node alone do not mean that it
// is to stay broken: for that there is another annotation.
func (s seen) obstacle(reason karpenterv1.DisruptionReason, podOf func(shape.PodID) *corev1.Pod, g guards) string {
	sick := reason == karpenterv1.DisruptionReasonUnhealthy
	if why := s.annotated(); why != "" && !sick {
		return why
	}
	bounded := mandatory(reason) && s.bound(reason) != nil
	if why := g.holding(s, podOf); why != "" && !bounded {
		return why
	}
	for _, p := range s.pods.Pods {
		if !onlyMoved(&p) {
			continue
		}
		if sick && s.neverReady() && waited(podOf(p.ID)) {
			continue // what was planned for it waits in vain
		}
		if why := g.keeping(p, podOf(p.ID), bounded); why != "" {
			return why
		}
	}
	if !bounded && s.pods.Kept != "" {
		return s.pods.Kept
	}
	return ""
}

func (s seen) neverReady() bool { return !condition.IsTrue(s.claim, karpenterv1.ConditionInitialized) }

// waited reports whether a pod is expected on a node, and not bound to it.
func waited(pod *corev1.Pod) bool { return pod == nil || pod.Spec.NodeName == "" }

// keeping says why a pod keeps its node, or nothing; no pod that is there does if the drain is bounded.
func (g guards) keeping(p shape.Pod, pod *corev1.Pod, bounded bool) string {
	switch {
	case pod != nil && translate.Virtual(pod):
		return "" // the room of a CapacityBuffer moves without an eviction
	case waited(pod):
		return fmt.Sprintf("pod %s is expected on it", p.ID)
	case bounded:
		return ""
	case p.Role == shape.Pinned:
		return fmt.Sprintf("pod %s must not be disrupted (%s)", p.ID, karpenterv1.DoNotDisruptAnnotationKey)
	}
	return g.blocking(pod)
}
