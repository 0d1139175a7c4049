package terminate

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

// stuckAfter is how long past the end of its grace period a pod holds up the drain. Its kubelet is
// gone then, and nothing but the node's end will remove it.
const stuckAfter = time.Minute

// tier orders the drain: a tier is touched only when all before it are gone.
type tier int

const (
	ordinary tier = iota
	ordinaryDaemon
	critical
	criticalDaemon
	tiers // how many there are
)

// tierOf puts what the cluster itself needs last, and what serves other pods on the node behind these.
func tierOf(pod *corev1.Pod) tier {
	t := ordinary
	if pod.Spec.PriorityClassName == "system-cluster-critical" || pod.Spec.PriorityClassName == "system-node-critical" {
		t = critical
	}
	if translate.OfDaemonSet(pod) {
		t++
	}
	return t
}

// holdsUp reports whether the drain has to wait for a pod. It does not for pods that have finished, mirrors of the
// node's own manifests, pods that tolerate the disrupted taint (they want to stay to the end), and pods stuck in
// deletion.
func holdsUp(pod *corev1.Pod, now time.Time) bool {
	switch {
	case translate.Finished(pod),
		pod.Annotations[corev1.MirrorPodAnnotationKey] != "",
		StaysToTheEnd(pod),
		!pod.DeletionTimestamp.IsZero() && now.Sub(pod.DeletionTimestamp.Time) > stuckAfter:
		return false
	}
	return true
}

// StaysToTheEnd reports whether a pod tolerates the taint of nodes that go: it is not asked to leave.
func StaysToTheEnd(pod *corev1.Pod) bool {
	disrupted := karpenterv1.DisruptedTaint()
	return slices.ContainsFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
		switch {
		case t.Effect != "" && t.Effect != disrupted.Effect, t.Key != "" && t.Key != disrupted.Key:
			return false
		case t.Operator == corev1.TolerationOpExists:
			return true
		default:
			return t.Key == disrupted.Key && t.Value == disrupted.Value
		}
	})
}

// grace is how long the pod asked to be given to stop.
func grace(pod *corev1.Pod) time.Duration {
	const kubernetesDefault = 30 * time.Second
	if pod.Spec.TerminationGracePeriodSeconds == nil {
		return kubernetesDefault
	}
	return time.Duration(*pod.Spec.TerminationGracePeriodSeconds) * time.Second
}
