package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// register makes the node the claim's: finalizer, owner, labels, annotations and taints, and takes the unregistered
// taint off it, all in one write. A node that is to be kept for its plan gets another one in its place: pods that could
// come in between would take the room.
func (r *Reconciler) register(ctx context.Context, claim *karpenterv1.NodeClaim, node *corev1.Node) error {
	first := node.Labels[karpenterv1.NodeRegisteredLabelKey] != "true"
	if first && !hasUnregisteredTaint(node) {
		r.Events.Emitf(
			claim,
			observe.UnregisteredTaintMissing,
			"Node %s joined without the taint %s, so pods may have come before its own taints did; have the kubelet register with it.",
			node.Name,
			karpenterv1.UnregisteredTaintKey,
		)
	}
	before := node.DeepCopy()
	// On a Node that has lost its labels startup taints that are gone must not come back.
	adopted := first && (!condition.IsTrue(claim, karpenterv1.ConditionRegistered) || anew(claim, node))
	if adopted && r.Hold != nil && claim.Status.NodeName == "" && hasUnregisteredTaint(node) && r.Hold(claim.Name) {
		node.Spec.Taints = withTaints(node.Spec.Taints, []corev1.Taint{translate.PlannedTaint()})
	}
	adopt(claim, node, adopted)
	if reason, _ := obstacle(claim, node, r.Devices()); reason == "" {
		node.Labels[karpenterv1.NodeInitializedLabelKey] = "true" // it was ready before it was seen
	}
	if equality.Semantic.DeepEqual(before, node) {
		return nil // this was done before a restart; a write that changes nothing would only put the next one off
	}
	if err := r.Client.Patch(
		ctx,
		node,
		client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}),
	); err != nil {
		return fmt.Errorf("registering node %s with NodeClaim %s: %w", node.Name, claim.Name, err)
	}
	if first {
		r.Metrics.Nodes.Created.WithLabelValues(claim.Labels[karpenterv1.NodePoolLabelKey], claim.Labels[corev1.LabelTopologyZone]).
			Inc()
		logf.FromContext(ctx).
			Info(observe.SaidRegistered, observe.LogNode, node.Name, observe.LogProviderID, claim.Status.ProviderID)
	}
	return nil
}

// adopt changes a node into one of the claim's. The node's other labels and taints stay.
// Taints are put on the first time only: startup taints that are gone must not come back.
func adopt(claim *karpenterv1.NodeClaim, node *corev1.Node, first bool) {
	controllerutil.AddFinalizer(node, karpenterv1.TerminationFinalizer)
	node.OwnerReferences = ownedBy(claim, node.OwnerReferences)
	if node.Labels == nil {
		node.Labels = map[string]string{}
	}
	maps.Copy(node.Labels, claim.Labels)
	node.Labels[karpenterv1.NodeRegisteredLabelKey] = "true"
	if len(claim.Annotations) > 0 && node.Annotations == nil {
		node.Annotations = map[string]string{}
	}
	maps.Copy(node.Annotations, claim.Annotations)

	if first && node.Labels[karpenterv1.NodeDoNotSyncTaintsLabelKey] != "true" {
		node.Spec.Taints = withTaints(node.Spec.Taints, karpenterv1.CoreTaints(claim.Spec.Taints))
		node.Spec.Taints = withTaints(node.Spec.Taints, karpenterv1.CoreTaints(claim.Spec.StartupTaints))
	}
	unregistered := karpenterv1.UnregisteredTaint()
	node.Spec.Taints = slices.DeleteFunc(
		node.Spec.Taints,
		func(t corev1.Taint) bool { return t.MatchTaint(&unregistered) },
	)
}

func hasUnregisteredTaint(node *corev1.Node) bool {
	unregistered := karpenterv1.UnregisteredTaint()
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&unregistered) })
}

// ownedBy adds the claim to the owners, so that deleting the claim in the foreground waits
// for the node.
func ownedBy(claim *karpenterv1.NodeClaim, owners []metav1.OwnerReference) []metav1.OwnerReference {
	if slices.ContainsFunc(owners, func(o metav1.OwnerReference) bool { return o.UID == claim.UID }) {
		return owners
	}
	yes := true
	return append(owners, metav1.OwnerReference{
		APIVersion:         karpenterv1.GroupVersion.String(),
		Kind:               "NodeClaim",
		Name:               claim.Name,
		UID:                claim.UID,
		BlockOwnerDeletion: &yes,
	})
}

// withTaints adds those taints that are not there by key and effect.
func withTaints(have, add []corev1.Taint) []corev1.Taint {
	for _, taint := range add {
		if !slices.ContainsFunc(have, func(t corev1.Taint) bool { return t.MatchTaint(&taint) }) {
			have = append(have, taint)
		}
	}
	return have
}

// foretell puts onto a claim whose node was just registered what the next look at both would write, so that one write
// says it all. It returns whether the node is ready for pods.
func foretell(s sight) (ready bool) {
	node := &s.nodes[0]
	switch todo := next(s); {
	case todo.kind == rest && todo.open.Type != "":
		condition.Set(s.claim, s.now, todo.open)
	case todo.kind == initialize && node.Labels[karpenterv1.NodeInitializedLabelKey] == "true":
		return condition.True(s.claim, s.now, karpenterv1.ConditionInitialized)
	}
	return false
}

// markReady marks the node as ready for pods, unless it is marked.
func markReady(
	ctx context.Context,
	c client.Client,
	claim *karpenterv1.NodeClaim,
	node *corev1.Node,
) (labelled bool, err error) {
	if node.Labels[karpenterv1.NodeInitializedLabelKey] == "true" {
		return false, nil
	}
	before := node.DeepCopy()
	if node.Labels == nil {
		node.Labels = map[string]string{}
	}
	node.Labels[karpenterv1.NodeInitializedLabelKey] = "true"
	// A cache that is behind shows the node without a label that it has by now; that would be told once more.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := c.Patch(ctx, node, patch); err != nil {
		return false, fmt.Errorf("marking node %s of NodeClaim %s as initialized: %w", node.Name, claim.Name, err)
	}
	return true, nil
}

func sayInitialized(ctx context.Context, claim *karpenterv1.NodeClaim, node *corev1.Node) {
	logf.FromContext(ctx).
		Info(observe.SaidInitialized, observe.LogNode, node.Name, observe.LogProviderID, claim.Status.ProviderID,
			observe.LogAllocatable, node.Status.Allocatable)
}
