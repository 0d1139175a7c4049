package simulate

import (
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

// guardsOf are the PodDisruptionBudgets with a status. Those that no server has judged are judged as its controller
// does, on the pods that are given: a workload's pods are all among them, since those that it lacks were added.
func guardsOf(budgets []*policyv1.PodDisruptionBudget, pods []*corev1.Pod) []policyv1.PodDisruptionBudget {
	out := make([]policyv1.PodDisruptionBudget, 0, len(budgets))
	for _, b := range budgets {
		one := *b
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err == nil && equality.Semantic.DeepEqual(b.Status, policyv1.PodDisruptionBudgetStatus{}) {
			one.Status = judged(b, selector, pods)
		}
		out = append(out, one)
	}
	return out
}

func judged(
	b *policyv1.PodDisruptionBudget,
	selector labels.Selector,
	pods []*corev1.Pod,
) policyv1.PodDisruptionBudgetStatus {
	var s policyv1.PodDisruptionBudgetStatus
	for _, p := range pods {
		if p.Namespace != b.Namespace || translate.Finished(p) || translate.Virtual(p) ||
			!selector.Matches(labels.Set(p.Labels)) {
			continue
		}
		s.ExpectedPods++
		if p.DeletionTimestamp == nil && ready(p) {
			s.CurrentHealthy++
		}
	}
	scaled := func(v *intstr.IntOrString) int32 {
		n, err := intstr.GetScaledValueFromIntOrPercent(v, int(s.ExpectedPods), true)
		if err != nil {
			return s.ExpectedPods // a server would not have taken it; nothing may go
		}
		return int32(n)
	}
	switch {
	case b.Spec.MaxUnavailable != nil:
		s.DesiredHealthy = max(s.ExpectedPods-scaled(b.Spec.MaxUnavailable), 0)
	case b.Spec.MinAvailable != nil:
		s.DesiredHealthy = scaled(b.Spec.MinAvailable)
	default:
		s.DesiredHealthy = s.ExpectedPods
	}
	if s.ExpectedPods > 0 {
		s.DisruptionsAllowed = max(s.CurrentHealthy-s.DesiredHealthy, 0)
	}
	return s
}

func ready(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// Guarded is the status of a PodDisruptionBudget: its own, or for one that no server has judged, what its controller
// would write. pods are the cluster's. The error is that of its selector.
func Guarded(b *policyv1.PodDisruptionBudget, pods []*corev1.Pod) (policyv1.PodDisruptionBudgetStatus, error) {
	if _, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err != nil {
		return b.Status, err
	}
	seen := make([]*corev1.Pod, len(pods))
	for i, p := range pods {
		seen[i] = running(p)
	}
	return guardsOf([]*policyv1.PodDisruptionBudget{b}, seen)[0].Status, nil
}
