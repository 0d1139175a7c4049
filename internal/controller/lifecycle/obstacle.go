package lifecycle

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// obstacle is why a registered node is not ready for pods: a reason of the Initialized
// condition and one sentence, or nothing.
func obstacle(claim *karpenterv1.NodeClaim, node *corev1.Node, w *devices.World) (reason, message string) {
	if !condition.NodeReady(node) {
		return karpenterv1.ReasonNodeNotReady, fmt.Sprintf("Node %s is not Ready.", node.Name)
	}
	for _, taint := range karpenterv1.CoreTaints(claim.Spec.StartupTaints) {
		if slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&taint) }) {
			return karpenterv1.ReasonStartupTaintsExist, fmt.Sprintf(
				"Startup taint %s is still on node %s.",
				taint.ToString(),
				node.Name,
			)
		}
	}
	for _, taint := range node.Spec.Taints {
		if ephemeral(taint) {
			return karpenterv1.ReasonKnownEphemeralTaintsExist, fmt.Sprintf(
				"Taint %s is still on node %s.",
				taint.ToString(),
				node.Name,
			)
		}
	}
	if name, missing := unregistered(claim, node, w); missing {
		return karpenterv1.ReasonResourceNotRegistered, fmt.Sprintf(
			"Node %s has no %s yet, which the claim requests.",
			node.Name,
			name,
		)
	}
	return unpublished(claim, node, w)
}

// unpublished says which driver of devices that were planned has still to publish them.
func unpublished(claim *karpenterv1.NodeClaim, node *corev1.Node, w *devices.World) (reason, message string) {
	text := claim.Annotations[karpenterv1.DRADriversAnnotationKey]
	if w == nil || text == "" {
		return "", ""
	}
	for _, driver := range w.Missing(strings.Split(text, ","), node.Name) {
		return karpenterv1.ReasonDRADriverPoolsNotPublished, fmt.Sprintf(
			"DRA driver %q has not published a complete resource pool", driver)
	}
	return "", ""
}

// readinessPrefix is the domain of taints that a node carries until some component of it is ready.
const readinessPrefix = "readiness.k8s.io/"

// ephemeral taints go by themselves when a node has started.
func ephemeral(t corev1.Taint) bool {
	switch t.Key {
	case corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable:
		return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
	case "node.cloudprovider.kubernetes.io/uninitialized", karpenterv1.UnregisteredTaintKey:
		return true
	}
	return strings.HasPrefix(t.Key, readinessPrefix)
}

// unregistered finds a resource that the claim asks for and the node does not have at all:
// its device plugin is still to come. What drivers of dynamic resources serve no node ever has. The first by name, so
// that the message holds still.
func unregistered(claim *karpenterv1.NodeClaim, node *corev1.Node, w *devices.World) (
	name corev1.ResourceName, missing bool,
) {
	for asked, quantity := range claim.Spec.Resources.Requests {
		have := node.Status.Allocatable[asked]
		if quantity.IsZero() || !have.IsZero() || w != nil && w.Serves(asked) {
			continue
		}
		if !missing || asked < name {
			name, missing = asked, true
		}
	}
	return name, missing
}
