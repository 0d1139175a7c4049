package disrupt

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

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

// obstacle is why a node must not be given up by choice, one sentence without its full stop; empty if it may. A
// drifted node whose terminationGracePeriod bounds the drain is not held by its pods.
func (s seen) obstacle(reason karpenterv1.DisruptionReason, podOf func(shape.PodID) *corev1.Pod, budgets []policyv1.PodDisruptionBudget) string {
	if s.node.Annotations[karpenterv1.DoNotDisruptAnnotationKey] == "true" {
		return "the node carries the annotation " + karpenterv1.DoNotDisruptAnnotationKey
	}
	bounded := reason == karpenterv1.DisruptionReasonDrifted && s.claim.Spec.TerminationGracePeriod != nil
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
		if why := blockedBy(pod, budgets); why != "" {
			return why
		}
	}
	if !bounded && s.pods.Kept != "" {
		return s.pods.Kept
	}
	return ""
}

// blockedBy says which PodDisruptionBudget would not let a pod be evicted now, or nothing.
func blockedBy(pod *corev1.Pod, budgets []policyv1.PodDisruptionBudget) string {
	var guards []string
	for i := range budgets {
		b := &budgets[i]
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil || b.Namespace != pod.Namespace || !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		guards = append(guards, b.Name)
		if unguarded(pod, b) {
			continue
		}
		if b.Status.DisruptionsAllowed <= 0 {
			return fmt.Sprintf("PodDisruptionBudget %s/%s allows no eviction of pod %s", b.Namespace, b.Name, pod.Name)
		}
	}
	if len(guards) > 1 {
		slices.Sort(guards)
		return fmt.Sprintf("pod %s/%s has more than one PodDisruptionBudget (%s, %s), so it cannot be evicted", pod.Namespace, pod.Name, guards[0], guards[1])
	}
	return ""
}

// unguarded pods are not ready and their budget says that such pods may always go.
func unguarded(pod *corev1.Pod, b *policyv1.PodDisruptionBudget) bool {
	always := b.Spec.UnhealthyPodEvictionPolicy != nil && *b.Spec.UnhealthyPodEvictionPolicy == policyv1.AlwaysAllow
	return always && !slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
