package sample

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// topologyKey is mostly a zone or a host.
func (d Dice) topologyKey() string {
	return Pick(
		d,
		shape.LabelZone,
		shape.LabelZone,
		shape.LabelHostname,
		shape.LabelHostname,
		shape.LabelCapacityType,
		SizeLabel,
		TeamLabel,
	)
}

func (d Dice) spread(pod *corev1.Pod) {
	seen := map[string]bool{}
	for range d.Between(1, 2) {
		c := corev1.TopologySpreadConstraint{
			TopologyKey: d.topologyKey(), MaxSkew: int32(d.Between(1, 3)),
			WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: d.selector(pod),
		}
		if d.Percent(20) {
			c.WhenUnsatisfiable = corev1.ScheduleAnyway
		}
		if seen[c.TopologyKey+string(c.WhenUnsatisfiable)] {
			continue
		}
		seen[c.TopologyKey+string(c.WhenUnsatisfiable)] = true
		if c.WhenUnsatisfiable == corev1.DoNotSchedule && d.Percent(20) {
			n := int32(d.Between(1, 3))
			c.MinDomains = &n
		}
		policies := []corev1.NodeInclusionPolicy{corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore}
		if d.Percent(25) {
			p := Pick(d, policies...)
			c.NodeAffinityPolicy = &p
		}
		if d.Percent(25) {
			p := Pick(d, policies...)
			c.NodeTaintsPolicy = &p
		}
		if d.Percent(15) {
			c.MatchLabelKeys = []string{versionLabel}
			c.LabelSelector = merged(c.LabelSelector, pod.Labels, c.MatchLabelKeys, metav1.LabelSelectorOpIn)
		}
		pod.Spec.TopologySpreadConstraints = append(pod.Spec.TopologySpreadConstraints, c)
	}
}

func (d Dice) neighbours(pod *corev1.Pod) {
	if pod.Spec.Affinity == nil {
		pod.Spec.Affinity = &corev1.Affinity{}
	}
	for range d.Between(1, 2) {
		term := d.podTerm(pod)
		weighted := corev1.WeightedPodAffinityTerm{Weight: int32(d.Between(1, 100)), PodAffinityTerm: term}
		near, far := pod.Spec.Affinity.PodAffinity, pod.Spec.Affinity.PodAntiAffinity
		if near == nil {
			near = &corev1.PodAffinity{}
		}
		if far == nil {
			far = &corev1.PodAntiAffinity{}
		}
		switch d.IntN(5) {
		case 0, 1:
			near.RequiredDuringSchedulingIgnoredDuringExecution = append(
				near.RequiredDuringSchedulingIgnoredDuringExecution,
				term,
			)
			pod.Spec.Affinity.PodAffinity = near
		case 2, 3:
			far.RequiredDuringSchedulingIgnoredDuringExecution = append(
				far.RequiredDuringSchedulingIgnoredDuringExecution,
				term,
			)
			pod.Spec.Affinity.PodAntiAffinity = far
		case 4:
			near.PreferredDuringSchedulingIgnoredDuringExecution = append(
				near.PreferredDuringSchedulingIgnoredDuringExecution,
				weighted,
			)
			pod.Spec.Affinity.PodAffinity = near
		}
	}
}

func (d Dice) podTerm(pod *corev1.Pod) corev1.PodAffinityTerm {
	term := corev1.PodAffinityTerm{TopologyKey: d.topologyKey(), LabelSelector: d.selector(pod)}
	switch d.IntN(8) {
	case 0:
		term.Namespaces = []string{Pick(d, namespaces[:appNamespaces]...).Name}
	case 1:
		term.NamespaceSelector = &metav1.LabelSelector{
			MatchLabels: map[string]string{"tier": Pick(d, "front", "back")},
		}
	case 2:
		term.NamespaceSelector = &metav1.LabelSelector{}
	}
	switch {
	case d.Percent(8):
		term.MatchLabelKeys = []string{versionLabel}
		term.LabelSelector = merged(term.LabelSelector, pod.Labels, term.MatchLabelKeys, metav1.LabelSelectorOpIn)
	case d.Percent(8):
		term.MismatchLabelKeys = []string{versionLabel}
		term.LabelSelector = merged(
			term.LabelSelector,
			pod.Labels,
			term.MismatchLabelKeys,
			metav1.LabelSelectorOpNotIn,
		)
	}
	return term
}

// selector looks for the pod's own kind more often than not.
func (d Dice) selector(pod *corev1.Pod) *metav1.LabelSelector {
	switch d.IntN(12) {
	case 0:
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{
				Key:      appLabel,
				Operator: Pick(d, metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn),
				Values:   Some(d, 1, 2, apps...),
			},
		}}
	case 1:
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: versionLabel, Operator: Pick(d, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist)},
		}}
	case 2:
		return &metav1.LabelSelector{}
	case 3, 4, 5:
		return &metav1.LabelSelector{MatchLabels: map[string]string{appLabel: Pick(d, apps...)}}
	}
	return &metav1.LabelSelector{MatchLabels: map[string]string{appLabel: pod.Labels[appLabel]}}
}

// merged is what the API server makes of matchLabelKeys and mismatchLabelKeys when a pod is created.
func merged(
	s *metav1.LabelSelector,
	labels map[string]string,
	keys []string,
	op metav1.LabelSelectorOperator,
) *metav1.LabelSelector {
	out := s.DeepCopy()
	for _, key := range keys {
		if value, ok := labels[key]; ok {
			out.MatchExpressions = append(
				out.MatchExpressions,
				metav1.LabelSelectorRequirement{Key: key, Operator: op, Values: []string{value}},
			)
		}
	}
	return out
}
