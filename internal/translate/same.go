package translate

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// sameSpec compares those fields of two pods that make their class, requests left out.
// It must look at everything that digest.spec looks at.
func sameSpec(a, b *corev1.PodSpec) bool {
	return priorityOf(a) == priorityOf(b) &&
		slices.EqualFunc(a.ResourceClaims, b.ResourceClaims, sameResourceClaim) &&
		a.HostNetwork == b.HostNetwork &&
		maps.Equal(a.NodeSelector, b.NodeSelector) &&
		slices.EqualFunc(a.Tolerations, b.Tolerations, sameToleration) &&
		equalBy(a.TopologySpreadConstraints, b.TopologySpreadConstraints, sameSpread) &&
		sameAffinity(a.Affinity, b.Affinity) &&
		samePorts(a, b)
}

// equalBy is slices.EqualFunc for large elements.
func equalBy[T any](a, b []T, same func(a, b *T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !same(&a[i], &b[i]) {
			return false
		}
	}
	return true
}

func equalAt[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

func sameResourceClaim(a, b corev1.PodResourceClaim) bool {
	return a.Name == b.Name && equalAt(a.ResourceClaimName, b.ResourceClaimName) &&
		equalAt(a.ResourceClaimTemplateName, b.ResourceClaimTemplateName)
}

func sameToleration(a, b corev1.Toleration) bool {
	return a.Key == b.Key && a.Operator == b.Operator && a.Value == b.Value && a.Effect == b.Effect
}

func sameSpread(a, b *corev1.TopologySpreadConstraint) bool {
	return a.TopologyKey == b.TopologyKey && a.MaxSkew == b.MaxSkew &&
		a.WhenUnsatisfiable == b.WhenUnsatisfiable &&
		sameSelector(a.LabelSelector, b.LabelSelector) &&
		equalAt(a.MinDomains, b.MinDomains) &&
		equalAt(a.NodeAffinityPolicy, b.NodeAffinityPolicy) &&
		equalAt(a.NodeTaintsPolicy, b.NodeTaintsPolicy) &&
		slices.Equal(a.MatchLabelKeys, b.MatchLabelKeys)
}

func sameSelector(a, b *metav1.LabelSelector) bool {
	if a == nil || b == nil {
		return a == b
	}
	return maps.Equal(a.MatchLabels, b.MatchLabels) &&
		equalBy(a.MatchExpressions, b.MatchExpressions, func(x, y *metav1.LabelSelectorRequirement) bool {
			return x.Key == y.Key && x.Operator == y.Operator && slices.Equal(x.Values, y.Values)
		})
}

func sameAffinity(a, b *corev1.Affinity) bool {
	if a == b {
		return true
	}
	if a == nil {
		a = &corev1.Affinity{}
	}
	if b == nil {
		b = &corev1.Affinity{}
	}
	return sameNodeAffinity(a.NodeAffinity, b.NodeAffinity) &&
		samePodAffinity(a.PodAffinity, b.PodAffinity) &&
		samePodAntiAffinity(a.PodAntiAffinity, b.PodAntiAffinity)
}

func sameNodeAffinity(a, b *corev1.NodeAffinity) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := a.RequiredDuringSchedulingIgnoredDuringExecution, b.RequiredDuringSchedulingIgnoredDuringExecution
	if (x == nil) != (y == nil) || x != nil && !equalBy(x.NodeSelectorTerms, y.NodeSelectorTerms, sameNodeTerm) {
		return false
	}
	return equalBy(
		a.PreferredDuringSchedulingIgnoredDuringExecution,
		b.PreferredDuringSchedulingIgnoredDuringExecution,
		func(x, y *corev1.PreferredSchedulingTerm) bool {
			return x.Weight == y.Weight && sameNodeTerm(&x.Preference, &y.Preference)
		},
	)
}

func sameNodeTerm(a, b *corev1.NodeSelectorTerm) bool {
	same := func(x, y *corev1.NodeSelectorRequirement) bool {
		return x.Key == y.Key && x.Operator == y.Operator && slices.Equal(x.Values, y.Values)
	}
	return equalBy(a.MatchExpressions, b.MatchExpressions, same) && equalBy(a.MatchFields, b.MatchFields, same)
}

func samePodAffinity(a, b *corev1.PodAffinity) bool {
	if a == nil || b == nil {
		return a == b
	}
	required := a.RequiredDuringSchedulingIgnoredDuringExecution
	preferred := a.PreferredDuringSchedulingIgnoredDuringExecution
	return equalBy(required, b.RequiredDuringSchedulingIgnoredDuringExecution, samePodTerm) &&
		equalBy(preferred, b.PreferredDuringSchedulingIgnoredDuringExecution, sameWeightedTerm)
}

// samePodAntiAffinity compares what has the same fields as affinity.
func samePodAntiAffinity(a, b *corev1.PodAntiAffinity) bool {
	return samePodAffinity((*corev1.PodAffinity)(a), (*corev1.PodAffinity)(b))
}

func sameWeightedTerm(a, b *corev1.WeightedPodAffinityTerm) bool {
	return a.Weight == b.Weight && samePodTerm(&a.PodAffinityTerm, &b.PodAffinityTerm)
}

func samePodTerm(a, b *corev1.PodAffinityTerm) bool {
	return a.TopologyKey == b.TopologyKey && slices.Equal(a.Namespaces, b.Namespaces) &&
		sameSelector(a.LabelSelector, b.LabelSelector) && sameSelector(a.NamespaceSelector, b.NamespaceSelector) &&
		slices.Equal(a.MatchLabelKeys, b.MatchLabelKeys) && slices.Equal(a.MismatchLabelKeys, b.MismatchLabelKeys)
}

func samePorts(a, b *corev1.PodSpec) bool {
	var ports []*corev1.ContainerPort
	eachHostPort(a, func(p *corev1.ContainerPort) { ports = append(ports, p) })
	same, i := true, 0
	eachHostPort(b, func(p *corev1.ContainerPort) {
		same = same && i < len(ports) && ports[i].HostPort == p.HostPort && ports[i].HostIP == p.HostIP &&
			ports[i].Protocol == p.Protocol && ports[i].ContainerPort == p.ContainerPort
		i++
	})
	return same && i == len(ports)
}
