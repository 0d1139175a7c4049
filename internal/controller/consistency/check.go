package consistency

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// leastPercent of the capacity and of the room for pods that a claim expects, the node must have.
const leastPercent = 90

// problems lists what contradicts between a claim and its initialized node, in an order that holds still.
func problems(claim *karpenterv1.NodeClaim, node *corev1.Node) []string {
	var out []string
	names := make([]corev1.ResourceName, 0, len(claim.Status.Capacity))
	for name := range claim.Status.Capacity {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		expected, found := claim.Status.Capacity[name], node.Status.Capacity[name]
		if expected.IsZero() || !certain(name, claim) {
			continue
		}
		if percent(found, expected) < leastPercent {
			out = append(
				out,
				fmt.Sprintf(
					"expected %s of %s, the node has %s (%.0f%%)",
					expected.String(),
					name,
					found.String(),
					percent(found, expected),
				),
			)
		}
	}
	for _, name := range told {
		expected, found := claim.Status.Allocatable[name], node.Status.Allocatable[name]
		if !expected.IsZero() && percent(found, expected) < leastPercent &&
			percent(node.Status.Capacity[name], claim.Status.Capacity[name]) >= leastPercent {
			out = append(
				out,
				fmt.Sprintf(
					"expected %s of %s for pods, the node has %s (%.0f%%)",
					expected.String(),
					name,
					found.String(),
					percent(found, expected),
				),
			)
		}
	}
	for _, taint := range karpenterv1.CoreTaints(claim.Spec.Taints) {
		if !slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&taint) }) {
			out = append(out, fmt.Sprintf("expected taint %s, the node lacks it", taint.ToString()))
		}
	}
	return out
}

// told are the resources of which every kubelet says how much it leaves to pods.
var told = []corev1.ResourceName{
	corev1.ResourceCPU,
	corev1.ResourceEphemeralStorage,
	corev1.ResourceMemory,
	corev1.ResourcePods,
}

// percent is what was found of what was expected; nothing expected is found.
func percent(found, expected resource.Quantity) float64 {
	if expected.IsZero() {
		return 100
	}
	return found.AsApproximateFloat64() / expected.AsApproximateFloat64() * 100
}

// certain reports whether a node must have a resource. Devices that nobody on the node asked for may have no plugin
// in this cluster that would register them.
func certain(name corev1.ResourceName, claim *karpenterv1.NodeClaim) bool {
	switch name {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods, corev1.ResourceEphemeralStorage:
		return true
	}
	_, requested := claim.Spec.Resources.Requests[name]
	return requested
}
