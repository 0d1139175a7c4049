package disrupt

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// markOf is the reason for which a claim is chosen to be given up, or "".
func markOf(claim *karpenterv1.NodeClaim) karpenterv1.DisruptionReason {
	if c := condition.Get(claim, karpenterv1.ConditionDisruptionReason); c != nil && c.Status == metav1.ConditionTrue {
		return karpenterv1.DisruptionReason(c.Reason)
	}
	return ""
}

// movable reports whether a claim's node may be considered for a move at all: it lives, it is in use, and
// nothing is on its way with it.
func (s seen) movable() bool {
	return s.pool != nil && s.pool.Spec.Replicas == nil && s.node != nil && s.pods != nil &&
		s.claim.DeletionTimestamp.IsZero() && s.node.DeletionTimestamp.IsZero() && !tainted(s.node) && markOf(s.claim) == "" &&
		condition.IsTrue(s.claim, karpenterv1.ConditionInitialized)
}

// annotated says that the node itself asks to be left alone, or nothing.
func (s seen) annotated() string {
	if s.node.Annotations[karpenterv1.DoNotDisruptAnnotationKey] == "true" {
		return "the node carries the annotation " + karpenterv1.DoNotDisruptAnnotationKey
	}
	return ""
}

// obstacle is why a node must not be given up by choice, one sentence without its full stop; empty if it may. A
// drifted node whose terminationGracePeriod bounds the drain is not held by its pods.
func (s seen) obstacle(reason karpenterv1.DisruptionReason, podOf func(shape.PodID) *corev1.Pod, g guards) string {
	if why := s.annotated(); why != "" {
		return why
	}
	bounded := reason == karpenterv1.DisruptionReasonDrifted && s.claim.Spec.TerminationGracePeriod != nil
	if why := g.holding(s, podOf); why != "" && !bounded {
		return why
	}
	for _, p := range s.pods.Pods {
		if p.Role != shape.Movable && p.Role != shape.Pinned {
			continue
		}
		pod := podOf(p.ID)
		switch {
		case pod != nil && translate.Virtual(pod):
			continue // the room of a CapacityBuffer moves without an eviction
		case pod == nil || pod.Spec.NodeName == "":
			return fmt.Sprintf("pod %s is expected on it", p.ID)
		case bounded:
			continue
		case p.Role == shape.Pinned:
			return fmt.Sprintf("pod %s must not be disrupted (%s)", p.ID, karpenterv1.DoNotDisruptAnnotationKey)
		}
		if why := g.blocking(pod); why != "" {
			return why
		}
	}
	if !bounded && s.pods.Kept != "" {
		return s.pods.Kept
	}
	return ""
}
