package translate

import corev1 "k8s.io/api/core/v1"

// glancePods is how many pods are glanced at before they are read: so many that what is seen of them stays in the
// processor's nearest cache until then.
const glancePods = 16

// glance looks at one field in each of the places that reading these pods goes through. Most of the time of reading
// goes into waiting for memory, for one place after the other: a processor looks only so many instructions ahead. A
// glance is so short that it waits for the places of several pods at once, and reading finds them near.
//
// It returns what it saw added up, of no meaning: a caller must keep it, or the compiler takes the glance for useless.
func glance(pods []*corev1.Pod) (seen int) {
	for _, pod := range pods {
		spec, status := &pod.Spec, &pod.Status
		seen += len(pod.Name) + len(pod.Namespace) + len(pod.UID) + len(pod.OwnerReferences) +
			len(
				spec.InitContainers,
			) + len(spec.NodeName) + len(spec.Tolerations) + len(spec.TopologySpreadConstraints) + len(spec.ResourceClaims) +
			len(
				status.Phase,
			) + len(status.NominatedNodeName) + len(status.ContainerStatuses) + len(status.NodeAllocatableResourceClaimStatuses)
	}
	for _, pod := range pods {
		seen += len(pod.Labels)
		if pod.Name != "" {
			seen += int(pod.Name[0])
		}
		spec := &pod.Spec
		for i := range spec.Containers {
			c := &spec.Containers[i]
			seen += len(c.Name) + len(c.Resources.Requests) + len(c.Ports)
		}
		for i := range pod.Status.Conditions {
			seen += len(pod.Status.Conditions[i].Type) + len(pod.Status.Conditions[i].Reason)
		}
		for i := range spec.TopologySpreadConstraints {
			if s := spec.TopologySpreadConstraints[i].LabelSelector; s != nil {
				seen += len(s.MatchLabels)
			}
		}
		if a := spec.Affinity; a != nil && a.PodAffinity != nil {
			seen += len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		}
		if a := spec.Affinity; a != nil && a.PodAntiAffinity != nil {
			seen += len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
		}
	}
	return seen
}
