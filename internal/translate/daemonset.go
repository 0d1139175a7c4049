package translate

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// DaemonPod is the pod that a DaemonSet runs on a node, before it has one.
func (w *World) DaemonPod(ds *appsv1.DaemonSet) *corev1.Pod {
	pod := &corev1.Pod{Spec: ds.Spec.Template.Spec}
	pod.Namespace = ds.Namespace
	pod.Name = ds.Name
	pod.Labels = maps.Clone(ds.Spec.Template.Labels)
	pod.Spec.Tolerations = append(pod.Spec.Tolerations[:len(pod.Spec.Tolerations):len(pod.Spec.Tolerations)], daemonTolerations(pod)...)
	w.Admit(pod)
	return pod
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
