package aws

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// memoryBook holds how much memory nodes really have, by type and image: the least that any
// of them had. EC2 tells only the nominal size, of which firmware and kernel take a share
// that differs. The zero memoryBook is empty.
type memoryBook struct {
	mu       sync.RWMutex // guards the fields below
	seen     map[memoryKey]int64
	revision uint64 // +1 on every change
}

type memoryKey struct{ instanceType, imageID string }

// of is what nodes of the type and image had, in bytes; 0 if none has joined yet.
func (b *memoryBook) of(instanceType, imageID string) int64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.seen[memoryKey{instanceType, imageID}]
}

func (b *memoryBook) changes() uint64 {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.revision
}

// note takes down what one node has.
func (b *memoryBook) note(instanceType, imageID string, bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := memoryKey{instanceType, imageID}
	if old, ok := b.seen[key]; ok && old <= bytes {
		return
	}
	if b.seen == nil {
		b.seen = map[memoryKey]int64{}
	}
	b.seen[key] = bytes
	b.revision++
}

// learnMemory reads off the cluster's nodes how much memory they have. Nodes that run stay
// after a restart, so what was learned is learned again.
func (c *catalogue) learnMemory(ctx context.Context) error {
	claims := &karpenterv1.NodeClaimList{}
	if err := c.client.List(ctx, claims); err != nil {
		return fmt.Errorf("listing NodeClaims to learn from their nodes: %w", err)
	}
	for i := range claims.Items {
		if err := c.learnFrom(ctx, &claims.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *catalogue) learnFrom(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	ref, instanceType := claim.Spec.NodeClassRef, claim.Labels[corev1.LabelInstanceTypeStable]
	if ref == nil || ref.Group != awsv1.Group || instanceType == "" || claim.Status.ImageID == "" ||
		claim.Status.NodeName == "" {
		return nil
	}
	if !condition.IsTrue(claim, karpenterv1.ConditionRegistered) {
		return nil
	}
	node := &corev1.Node{}
	err := c.client.Get(ctx, client.ObjectKey{Name: claim.Status.NodeName}, node)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("getting node %s to learn its memory: %w", claim.Status.NodeName, err)
	}
	if bytes := node.Status.Capacity.Memory().Value(); bytes > 0 {
		c.memory.note(instanceType, claim.Status.ImageID, bytes)
	}
	return nil
}
