package disrupt

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/terminate"
)

// guards are the PodDisruptionBudgets by namespace, with their selectors compiled once a pass.
type guards map[string][]guard

type guard struct {
	*policyv1.PodDisruptionBudget
	selector labels.Selector
	// surges reports whether a pod can have its successor started before it is evicted; nil for none.
	surges func(*corev1.Pod) bool
}

// compileGuards leaves out budgets whose selector cannot be read: no pod can be theirs.
func compileGuards(budgets []policyv1.PodDisruptionBudget, surges func(*corev1.Pod) bool) guards {
	out := guards{}
	for i := range budgets {
		b := &budgets[i]
		if selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err == nil {
			out[b.Namespace] = append(out[b.Namespace], guard{b, selector, surges})
		}
	}
	return out
}

// lasting are the guards without those budgets' refusals that pass by themselves: some of their pods are not ready, as
// after another node went.
func (g guards) lasting() guards {
	out := make(guards, len(g))
	for namespace, list := range g {
		list = slices.Clone(list)
		for i, b := range list {
			if b.Status.DisruptionsAllowed <= 0 && b.Status.CurrentHealthy < b.Status.ExpectedPods {
				passing := *b.PodDisruptionBudget
				passing.Status.DisruptionsAllowed = 1
				list[i].PodDisruptionBudget = &passing
			}
		}
		out[namespace] = list
	}
	return out
}

// blocking says which PodDisruptionBudget would not let a pod be evicted now, or nothing.
func (g guards) blocking(pod *corev1.Pod) string {
	var names []string
	for _, b := range g[pod.Namespace] {
		if !b.selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		names = append(names, b.Name)
		if unguarded(pod, b.PodDisruptionBudget) {
			continue
		}
		if b.Status.DisruptionsAllowed <= 0 && !b.passes(pod) {
			return fmt.Sprintf("PodDisruptionBudget %s/%s allows no eviction of pod %s", b.Namespace, b.Name, pod.Name)
		}
	}
	if len(names) > 1 {
		slices.Sort(names)
		return fmt.Sprintf(
			"pod %s/%s has more than one PodDisruptionBudget (%s, %s), so it cannot be evicted",
			pod.Namespace,
			pod.Name,
			names[0],
			names[1],
		)
	}
	return ""
}

// passes reports whether a budget lets a single pod go once its successor runs.
func (g *guard) passes(pod *corev1.Pod) bool {
	return g.surges != nil && g.Status.ExpectedPods == 1 && g.Status.CurrentHealthy >= 1 && g.surges(pod)
}

// heldEmpty is why an empty node must not go all the same, or nothing.
func (g guards) heldEmpty(s seen, podOf func(shape.PodID) *corev1.Pod) string {
	return cmp.Or(s.annotated(), s.pods.Kept, g.holding(s, podOf))
}

// holding says which PodDisruptionBudget would not let a pod of a DaemonSet be evicted now, or nothing: the drain of
// the node would end there.
func (g guards) holding(s seen, podOf func(shape.PodID) *corev1.Pod) string {
	for _, p := range s.pods.Pods {
		if p.Role != shape.Daemon || len(g) == 0 {
			continue
		}
		if pod := podOf(p.ID); pod != nil && pod.DeletionTimestamp.IsZero() && !terminate.StaysToTheEnd(pod) {
			if why := g.blocking(pod); why != "" {
				return why
			}
		}
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
