package nodepool

import (
	"context"
	"fmt"
	"maps"

	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// stamp is annotations by which drift is seen, and the key of the one that says how the others were worked out.
type stamp struct {
	annotations map[string]string
	version     string
}

func stampOf(pool *karpenterv1.NodePool) stamp {
	return stamp{
		annotations: map[string]string{
			karpenterv1.NodePoolHashAnnotationKey:        pool.Hash(),
			karpenterv1.NodePoolHashVersionAnnotationKey: karpenterv1.NodePoolHashVersion,
		},
		version: karpenterv1.NodePoolHashVersionAnnotationKey,
	}
}

// outdates reports whether annotations have a stamp of another version.
func (s stamp) outdates(annotations map[string]string) bool {
	version, ok := annotations[s.version]
	return ok && version != s.annotations[s.version]
}

// sign writes the template's hash on the pool. Claims whose hash is of another version get the new one first: a crash
// in between repeats that, and never makes a node drift.
func (r *Reconciler) sign(ctx context.Context, pool *karpenterv1.NodePool, claims []karpenterv1.NodeClaim) error {
	now := stampOf(pool)
	if err := r.renewAll(ctx, claims, now); err != nil {
		return err
	}
	if has(pool.Annotations, now.annotations) {
		return nil
	}
	before := pool.DeepCopy()
	pool.Annotations = merged(pool.Annotations, now.annotations)
	if err := r.Client.Patch(ctx, pool, client.MergeFrom(before)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("stamping NodePool %s: %w", pool.Name, err)
	}
	return nil
}

// renewAll renews the stamps of another version. A claim may have an old one where its pool has not, when a controller
// of another version made it during a rolling update; left alone it could never drift.
func (r *Reconciler) renewAll(ctx context.Context, claims []karpenterv1.NodeClaim, now stamp) error {
	for i := range claims {
		if now.outdates(claims[i].Annotations) {
			if err := r.renew(ctx, &claims[i], now); err != nil {
				return err
			}
		}
	}
	return nil
}

// ofClass are the claims that were made from the class which the pool refers to now.
func ofClass(claims []karpenterv1.NodeClaim, ref *karpenterv1.NodeClassReference) []karpenterv1.NodeClaim {
	var out []karpenterv1.NodeClaim
	for _, c := range claims {
		if c.Spec.NodeClassRef != nil && *c.Spec.NodeClassRef == *ref {
			out = append(out, c)
		}
	}
	return out
}

func (r *Reconciler) renew(ctx context.Context, claim *karpenterv1.NodeClaim, now stamp) error {
	before := claim.DeepCopy()
	want := now.annotations
	if isDrifted(claim) {
		// A claim that has drifted already must not be forgiven by a new way of hashing.
		want = map[string]string{now.version: now.annotations[now.version]}
	}
	claim.Annotations = merged(claim.Annotations, want)
	// The lock keeps a cache that lags from forgiving a template that changed since.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := client.IgnoreNotFound(r.Client.Patch(ctx, claim, patch)); err != nil {
		return fmt.Errorf("stamping NodeClaim %s: %w", claim.Name, err)
	}
	return nil
}

func has(annotations, want map[string]string) bool {
	for key, value := range want {
		if annotations[key] != value {
			return false
		}
	}
	return true
}

func merged(a, b map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}
