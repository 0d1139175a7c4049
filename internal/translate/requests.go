package translate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resources "k8s.io/component-helpers/resource"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// requestsOf is what a pod takes from its node, as kube-scheduler counts it: containers
// and sidecars together, or the largest init container, or what the pod asks for as a whole,
// plus overhead; while a resize is under way the larger figure. Extended is built in scratch.
func requestsOf(pod *corev1.Pod, scratch []shape.Amount) shape.Vector {
	v, ok := plainRequests(pod, scratch)
	if !ok {
		v = fullRequests(pod, scratch)
	}
	v.Pods = 1
	sortExtended(&v)
	return v
}

// plainRequests handles pods of ordinary containers, which are nearly all, without building maps.
func plainRequests(pod *corev1.Pod, scratch []shape.Amount) (v shape.Vector, ok bool) {
	spec := &pod.Spec
	if len(spec.InitContainers) > 0 || spec.Resources != nil || len(spec.Overhead) > 0 || resized(pod) ||
		len(pod.Status.NodeAllocatableResourceClaimStatuses) > 0 {
		return v, false
	}
	v.Extended = scratch[:0]
	several := len(spec.Containers) > 1
	for i := range spec.Containers {
		list := spec.Containers[i].Resources.Requests
		rest := len(list)
		for _, name := range usual { // looking up is quicker than going through a map
			if q, found := list[name]; found {
				if rest--; !addPlain(&v, name, &q, several) {
					return v, false
				}
			}
		}
		if rest == 0 {
			continue
		}
		for name, q := range list {
			if !slices.Contains(usual[:], name) && !addPlain(&v, name, &q, several) {
				return v, false
			}
		}
	}
	return v, true
}

// usual are the resources that most pods ask for, and no others.
var usual = [...]corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory}

// addPlain adds what one container asks for; false if that cannot be rounded by itself: with several containers,
// fractions of a base unit must be summed first.
func addPlain(v *shape.Vector, name corev1.ResourceName, q *resource.Quantity, several bool) bool {
	scale := provider.ScaleOf(name)
	n := ceil(q, scale)
	if several && ceil(q, scale-3) != 1000*n && n < provider.MaxAmount/1000 {
		return false
	}
	addTo(v, name, n)
	return true
}

// resized reports whether the status of a container says other resources than the spec.
func resized(pod *corev1.Pod) bool {
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		if status.Resources == nil {
			continue
		}
		if i >= len(pod.Spec.Containers) || pod.Spec.Containers[i].Name != status.Name ||
			!SameAmounts(pod.Spec.Containers[i].Resources.Requests, status.Resources.Requests) ||
			!SameAmounts(pod.Spec.Containers[i].Resources.Requests, status.AllocatedResources) {
			return true
		}
	}
	return false
}

// SameAmounts reports whether two lists name the same resources with equal amounts, however these are written.
func SameAmounts(a, b corev1.ResourceList) bool {
	if len(a) != len(b) {
		return false
	}
	for name, q := range a {
		other, ok := b[name]
		if !ok || q.Cmp(other) != 0 {
			return false
		}
	}
	return true
}

func fullRequests(pod *corev1.Pod, scratch []shape.Amount) shape.Vector {
	list := resources.PodRequests(pod, resources.PodResourcesOptions{
		UseStatusResources: true,
		InPlacePodLevelResourcesVerticalScalingEnabled: true,
		UseDRANodeAllocatableResourceClaimStatus:       true,
	})
	v := shape.Vector{Extended: scratch[:0]}
	for name, q := range list {
		addTo(&v, name, ceil(&q, provider.ScaleOf(name)))
	}
	return v
}

// negative names the first container that asks for less than nothing, which no API server accepts.
func negativeRequest(pod *corev1.Pod) (container string, name corev1.ResourceName, q resource.Quantity, found bool) {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			for name, q := range list[i].Resources.Requests {
				if q.Sign() < 0 {
					return list[i].Name, name, q, true
				}
			}
		}
	}
	return "", "", resource.Quantity{}, false
}
