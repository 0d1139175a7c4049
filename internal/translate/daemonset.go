package translate

import (
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// DaemonPod is the pod that a DaemonSet runs on a node, before it has one. The error is why a server refuses such pods:
// there are none then.
func (w *World) DaemonPod(ds *appsv1.DaemonSet) (*corev1.Pod, error) {
	pod := &corev1.Pod{Spec: ds.Spec.Template.Spec}
	pod.Namespace = ds.Namespace
	pod.Name = ds.Name
	pod.Labels, pod.Annotations = maps.Clone(ds.Spec.Template.Labels), maps.Clone(ds.Spec.Template.Annotations)
	pod.Spec.Tolerations = withDaemonTolerations(pod)
	if err := w.Admit(pod); err != nil {
		return nil, err
	}
	return pod, nil
}

// withDaemonTolerations are a pod's tolerations and those of the DaemonSet controller. These last for ever: they take
// the place of the pod's own of the same taint.
func withDaemonTolerations(pod *corev1.Pod) []corev1.Toleration {
	out := slices.Clone(pod.Spec.Tolerations)
	for _, added := range daemonTolerations(pod) {
		there := false
		for i := range out {
			if out[i].MatchToleration(&added) {
				out[i], there = added, true
			}
		}
		if !there {
			out = append(out, added)
		}
	}
	return out
}

// daemonTolerations are those that the DaemonSet controller adds to every pod.
func daemonTolerations(pod *corev1.Pod) []corev1.Toleration {
	type taint struct {
		key    string
		effect corev1.TaintEffect
	}
	list := []taint{
		{corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute},
		{corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute},
		{corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule},
		{corev1.TaintNodeMemoryPressure, corev1.TaintEffectNoSchedule},
		{corev1.TaintNodePIDPressure, corev1.TaintEffectNoSchedule},
		{corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule},
	}
	if pod.Spec.HostNetwork {
		list = append(list, taint{corev1.TaintNodeNetworkUnavailable, corev1.TaintEffectNoSchedule})
	}
	var out []corev1.Toleration
	for _, t := range list {
		out = append(out, corev1.Toleration{Key: t.key, Operator: corev1.TolerationOpExists, Effect: t.effect})
	}
	return out
}
