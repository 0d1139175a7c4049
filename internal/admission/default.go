package admission

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resources "k8s.io/component-helpers/resource"
)

// Default fills in the requests that follow from the pod's own limits: those of containers, then those of the pod as a
// whole. It is what a server does to pods only, not to templates of pods.
func Default(pod *corev1.Pod) {
	for _, list := range []*[]corev1.Container{&pod.Spec.InitContainers, &pod.Spec.Containers} {
		*list = withResources(*list, func(r *corev1.ResourceRequirements) {
			r.Requests = merged(r.Requests, r.Limits)
		})
	}
	if r := pod.Spec.Resources; r != nil {
		pod.Spec.Resources = r.DeepCopy()
		defaultHugePages(pod)
		defaultPodRequests(pod)
	}
}

// withResources changes the resources of containers. The list is copied when the first of them differs.
func withResources(list []corev1.Container, change func(*corev1.ResourceRequirements)) []corev1.Container {
	out := list
	for i := range list {
		r := list[i].Resources
		before := len(r.Requests) + len(r.Limits)
		change(&r)
		if len(r.Requests)+len(r.Limits) == before { // amounts are only ever added
			continue
		}
		if &out[0] == &list[0] {
			out = slices.Clone(list)
		}
		out[i].Resources = r
	}
	return out
}

// merged is list with what of more it lacks; list itself if that is nothing.
func merged(list, more corev1.ResourceList) corev1.ResourceList {
	out := list
	for name, q := range more {
		if _, has := list[name]; has {
			continue
		}
		if len(out) == len(list) {
			if out = maps.Clone(list); out == nil {
				out = corev1.ResourceList{}
			}
		}
		out[name] = q
	}
	return out
}

// defaultHugePages gives the pod as a whole the limits on huge pages that its containers have together.
func defaultHugePages(pod *corev1.Pod) {
	r := pod.Spec.Resources
	if len(r.Limits) == 0 && len(r.Requests) == 0 {
		return
	}
	for name, q := range resources.AggregateContainerLimits(pod, resources.PodResourcesOptions{}) {
		if _, asked := r.Requests[name]; hugePages(name) && !asked {
			r.Limits = merged(r.Limits, corev1.ResourceList{name: q})
		}
	}
}

// defaultPodRequests fills in what the pod as a whole asks for, if it has limits as a whole: what its containers ask
// for together, and where none of them does, the limit.
func defaultPodRequests(pod *corev1.Pod) {
	r := pod.Spec.Resources
	if len(r.Limits) == 0 {
		return
	}
	for name, q := range resources.AggregateContainerRequests(pod, resources.PodResourcesOptions{}) {
		if resources.IsSupportedPodLevelResource(name) && !hugePages(name) {
			r.Requests = merged(r.Requests, corev1.ResourceList{name: q})
		}
	}
	for name, q := range r.Limits {
		if resources.IsSupportedPodLevelResource(name) {
			r.Requests = merged(r.Requests, corev1.ResourceList{name: q})
		}
	}
}

func hugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// whole reports resources of which a request must be its limit: huge pages and devices.
func whole(name corev1.ResourceName) bool { return device(name) || hugePages(name) }

// device reports resources that only a vendor's plugin gives out, and never a part of one.
func device(name corev1.ResourceName) bool {
	return strings.Contains(string(name), "/") && !strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
}

// less compares two amounts.
func less(a, b resource.Quantity) bool { return a.Cmp(b) < 0 }
