package consistency

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// leastPercent of the capacity that a claim expects, the node must have.
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
		if percent := found.AsApproximateFloat64() / expected.AsApproximateFloat64() * 100; percent < leastPercent {
			out = append(out, fmt.Sprintf("expected %s of %s, the node has %s (%.0f%%)", expected.String(), name, found.String(), percent))
		}
	}
	for _, taint := range karpenterv1.CoreTaints(claim.Spec.Taints) {
		if !slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&taint) }) {
			out = append(out, fmt.Sprintf("expected taint %s, the node lacks it", taint.ToString()))
		}
	}
	return out
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
