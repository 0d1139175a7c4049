package translate

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Admit fills in the requests that the API server gives the pods of a template when it admits them: those of limits, then
// those of the namespace's LimitRanges. The pod's containers are replaced, not changed.
func (w *World) Admit(pod *corev1.Pod) {
	pod.Spec.InitContainers = w.admitted(pod.Namespace, pod.Spec.InitContainers)
	pod.Spec.Containers = w.admitted(pod.Namespace, pod.Spec.Containers)
}

func (w *World) admitted(namespace string, containers []corev1.Container) []corev1.Container {
	out := containers
	for i := range containers {
		missing := w.missing(namespace, &containers[i].Resources)
		if len(missing) == 0 {
			continue
		}
		if &out[0] == &containers[0] {
			out = slices.Clone(containers)
		}
		maps.Copy(missing, containers[i].Resources.Requests)
		out[i].Resources.Requests = missing
	}
	return out
}

// missing are the requests that a container gets beside its own.
func (w *World) missing(namespace string, r *corev1.ResourceRequirements) corev1.ResourceList {
	out := corev1.ResourceList{}
	add := func(list corev1.ResourceList) {
		for name, q := range list {
			_, asked := r.Requests[name]
			_, added := out[name]
			if !asked && !added {
				out[name] = q
			}
		}
	}
	add(r.Limits)
	ranges := w.LimitRanges[namespace]
	for _, name := range slices.Sorted(maps.Keys(ranges)) {
		for i := range ranges[name].Spec.Limits {
			if item := &ranges[name].Spec.Limits[i]; item.Type == corev1.LimitTypeContainer {
				add(item.DefaultRequest)
				add(item.Default) // the API server copies it to DefaultRequest; manifests may not have been there
			}
		}
	}
	return out
}

// PutLimitRange notes a LimitRange.
func (w *World) PutLimitRange(l *corev1.LimitRange) {
	if w.LimitRanges[l.Namespace] == nil {
		w.LimitRanges[l.Namespace] = map[string]*corev1.LimitRange{}
	}
	w.LimitRanges[l.Namespace][l.Name] = l
}
