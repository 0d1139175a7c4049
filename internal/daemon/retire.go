package daemon

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// retire begins the deletion of a claim.
func (k *kit) retire(ctx context.Context, claim *karpenterv1.NodeClaim, _ string) error {
	if !claim.DeletionTimestamp.IsZero() {
		return nil
	}
	return client.IgnoreNotFound(k.client.Delete(ctx, claim, client.Preconditions{UID: &claim.UID}))
}
