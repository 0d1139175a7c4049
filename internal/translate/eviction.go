package translate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/eviction"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// EvictionRank is a pod's place in a drain by what it says itself. Where its volumes can be reached only the cluster
// knows: a pod with any volume claim is taken to be bound to somewhere. Who has the pod's class uses eviction.RankOf.
func EvictionRank(pod *corev1.Pod) eviction.Rank {
	c := shape.Class{Requests: requestsOf(pod, nil)}
	s := &pod.Spec
	if len(s.NodeSelector) > 0 {
		c.NodeSelector = make([]shape.Requirement, 1)
	}
	if slices.ContainsFunc(s.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) bool {
		return c.WhenUnsatisfiable == corev1.DoNotSchedule
	}) {
		c.Spread = []shape.Spread{{Hard: true}}
	}
	if a := s.Affinity; a != nil {
		c.NoNode = a.NodeAffinity != nil && a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution != nil
		if a.PodAffinity != nil && len(a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 ||
			a.PodAntiAffinity != nil && len(a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution) > 0 {
			c.Affinity = make([]shape.PodTerm, 1) // of no weight: required
		}
	}
	if len(VolumeClaims(pod)) > 0 {
		c.VolumeTerms = make([]shape.NodeTerm, 1)
	}
	return eviction.RankOf(&c)
}
