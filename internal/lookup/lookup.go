// Package lookup finds objects in the daemon's cache by what they refer to: nodes and
// claims by their machine, pods by their node.
//
// It only reads. The indexes must be added, with Index, before the cache starts. Slim is what the cache keeps of
// objects.
package lookup

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Names of the indexes.
const (
	nodeProviderID  = "spec.providerID"
	claimProviderID = "status.providerID"
	claimMachine    = "status.providerID/machine"
	claimNode       = "status.nodeName"
	podNode         = "spec.nodeName"
	attachmentNode  = "spec.nodeName"
)

// Indexed is one index.
type Indexed struct {
	Object client.Object
	Field  string
	Values client.IndexerFunc
}

// Indexes are all that this package needs. Tests give them to a fake client.
func Indexes() []Indexed {
	return []Indexed{
		{
			&corev1.Node{},
			nodeProviderID,
			func(o client.Object) []string { return one(o.(*corev1.Node).Spec.ProviderID) },
		},
		{
			&karpenterv1.NodeClaim{},
			claimProviderID,
			func(o client.Object) []string { return one(o.(*karpenterv1.NodeClaim).Status.ProviderID) },
		},
		{
			&karpenterv1.NodeClaim{},
			claimMachine,
			func(o client.Object) []string { return one(machineIn(o.(*karpenterv1.NodeClaim).Status.ProviderID)) },
		},
		{
			&karpenterv1.NodeClaim{},
			claimNode,
			func(o client.Object) []string { return one(o.(*karpenterv1.NodeClaim).Status.NodeName) },
		},
		{&corev1.Pod{}, podNode, func(o client.Object) []string { return one(o.(*corev1.Pod).Spec.NodeName) }},
		{
			&storagev1.VolumeAttachment{},
			attachmentNode,
			func(o client.Object) []string { return one(o.(*storagev1.VolumeAttachment).Spec.NodeName) },
		},
	}
}

// machineIn is the last part of a provider ID.
func machineIn(providerID string) string { return providerID[strings.LastIndex(providerID, "/")+1:] }

func one(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// Index adds the indexes to a cache.
func Index(ctx context.Context, to client.FieldIndexer) error {
	for _, i := range Indexes() {
		if err := to.IndexField(ctx, i.Object, i.Field, i.Values); err != nil {
			return fmt.Errorf("indexing %T by %s: %w", i.Object, i.Field, err)
		}
	}
	return nil
}

// Nodes are the nodes of a machine: one, or none before it joins, or more if something is wrong.
func Nodes(ctx context.Context, c client.Reader, providerID string) ([]corev1.Node, error) {
	if providerID == "" {
		return nil, nil
	}
	var list corev1.NodeList
	if err := c.List(ctx, &list, client.MatchingFields{nodeProviderID: providerID}); err != nil {
		return nil, fmt.Errorf("listing nodes of machine %s: %w", providerID, err)
	}
	return list.Items, nil
}

// Claim is the claim of a machine, or nil. Of several the oldest is it.
func Claim(ctx context.Context, c client.Reader, providerID string) (*karpenterv1.NodeClaim, error) {
	if providerID == "" {
		return nil, nil
	}
	return oldest(ctx, c, client.MatchingFields{claimProviderID: providerID})
}

// ClaimOfMachine is the claim of a machine that is known by the last part of its provider ID, as in "i-0123" of
// "aws:///us-east-1a/i-0123", or nil. Of several the oldest is it.
func ClaimOfMachine(ctx context.Context, c client.Reader, machine string) (*karpenterv1.NodeClaim, error) {
	if machine == "" {
		return nil, nil
	}
	return oldest(ctx, c, client.MatchingFields{claimMachine: machine})
}

// ClaimOfNode is the claim that a node of this name has registered with, or nil. Of several the oldest is it.
func ClaimOfNode(ctx context.Context, c client.Reader, node string) (*karpenterv1.NodeClaim, error) {
	if node == "" {
		return nil, nil
	}
	return oldest(ctx, c, client.MatchingFields{claimNode: node})
}

func oldest(ctx context.Context, c client.Reader, of client.MatchingFields) (*karpenterv1.NodeClaim, error) {
	var list karpenterv1.NodeClaimList
	if err := c.List(ctx, &list, of); err != nil {
		return nil, fmt.Errorf("listing claims by %v: %w", of, err)
	}
	var oldest *karpenterv1.NodeClaim
	for i := range list.Items {
		claim := &list.Items[i]
		if oldest == nil || claim.CreationTimestamp.Before(&oldest.CreationTimestamp) {
			oldest = claim
		}
	}
	return oldest, nil
}

// Pods are the pods that are bound to a node, finished ones included.
func Pods(ctx context.Context, c client.Reader, node string) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := c.List(ctx, &list, client.MatchingFields{podNode: node}); err != nil {
		return nil, fmt.Errorf("listing pods of node %s: %w", node, err)
	}
	return list.Items, nil
}

// Attachments are the volumes that are attached to a node, or are being attached.
func Attachments(ctx context.Context, c client.Reader, node string) ([]storagev1.VolumeAttachment, error) {
	var list storagev1.VolumeAttachmentList
	if err := c.List(ctx, &list, client.MatchingFields{attachmentNode: node}); err != nil {
		return nil, fmt.Errorf("listing volume attachments of node %s: %w", node, err)
	}
	return list.Items, nil
}
