package admission

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// unanswering is for how many seconds pods stay on a node that does not answer, unless they say otherwise; the API
// server's default.
const unanswering = 300

// tolerateUnanswering has a pod stay for a while on a node that is not ready or not reachable.
func tolerateUnanswering(pod *corev1.Pod) error {
	given := pod.Spec.Tolerations
	out := slices.Clone(given)
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		if slices.ContainsFunc(given, func(t corev1.Toleration) bool {
			return (t.Key == key || t.Key == "") && (t.Effect == corev1.TaintEffectNoExecute || t.Effect == "")
		}) {
			continue
		}
		seconds := int64(unanswering)
		out = append(out, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists,
			Effect: corev1.TaintEffectNoExecute, TolerationSeconds: &seconds})
	}
	pod.Spec.Tolerations = out
	return nil
}

// mergeTolerations are both lists without those that others of them include.
func mergeTolerations(first, second []corev1.Toleration) []corev1.Toleration {
	all := slices.Concat(first, second)
	var out []corev1.Toleration
	for i, t := range all {
		included := slices.ContainsFunc(out, func(kept corev1.Toleration) bool { return includes(kept, t) }) ||
			slices.ContainsFunc(all[i+1:], func(later corev1.Toleration) bool {
				return includes(later, t) && !apiequality.Semantic.DeepEqual(later, t)
			})
		if !included {
			out = append(out, t)
		}
	}
	return out
}

// includes reports whether a toleration tolerates all that another does, for as long.
func includes(a, b corev1.Toleration) bool {
	if apiequality.Semantic.DeepEqual(a, b) {
		return true
	}
	everything := a.Key == "" && a.Operator == corev1.TolerationOpExists
	sooner := a.Effect == corev1.TaintEffectNoExecute && a.TolerationSeconds != nil &&
		(b.TolerationSeconds == nil || *b.TolerationSeconds > *a.TolerationSeconds)
	switch {
	case a.Key != b.Key && !everything, a.Effect != "" && a.Effect != b.Effect, sooner:
		return false
	case a.Operator == corev1.TolerationOpExists:
		return true
	}
	// A server takes a missing operator of the first for Equal, but not one of the second.
	return (a.Operator == corev1.TolerationOpEqual || a.Operator == "") && b.Operator == corev1.TolerationOpEqual &&
		a.Value == b.Value
}
