// Package market answers what a NodePool or a NodeClaim can buy now: the instance types that the cloud sells to its
// node class, with the NodeOverlays that hold applied. Whoever plans, launches, replaces or judges nodes asks here, so
// all of them see the same types at the same prices. It remembers what overlays made of a list of types and nothing
// else; what the cloud sells is cached by the cloud.
package market

import (
	"context"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// seller is the part of a cloud that says what can be bought.
type seller interface {
	InstanceTypes(ctx context.Context, ref karpenterv1.NodeClassReference) ([]*shape.InstanceType, error)
}

// Market is what can be bought from one cloud. It is safe for concurrent use.
type Market struct {
	cloud    seller
	overlays *Overlays
}

// New makes a Market. Markets that share overlays give equal answers; each may count its calls to the cloud apart.
func New(cloud seller, overlays *Overlays) *Market { return &Market{cloud: cloud, overlays: overlays} }

// ForPool lists what a NodePool can buy. Errors are those of the cloud, such as provider.ErrClassNotReady, and
// ErrUnevaluated.
func (m *Market) ForPool(ctx context.Context, pool *karpenterv1.NodePool) ([]*shape.InstanceType, error) {
	out, err := m.ask(ctx, *pool.Spec.Template.Spec.NodeClassRef, pool)
	return out.Types, err
}

// ForClaim lists what a NodeClaim can buy. Its node class counts, which its NodePool may have left since; pool is nil
// if the claim has none, and then no overlay applies. Errors are those of ForPool.
func (m *Market) ForClaim(
	ctx context.Context, claim *karpenterv1.NodeClaim, pool *karpenterv1.NodePool,
) ([]*shape.InstanceType, error) {
	out, err := m.ask(ctx, *claim.Spec.NodeClassRef, pool)
	return out.Types, err
}

// ask is the only place where overlays meet what the cloud sells.
func (m *Market) ask(
	ctx context.Context, ref karpenterv1.NodeClassReference, pool *karpenterv1.NodePool,
) (translate.Overlaid, error) {
	types, err := m.cloud.InstanceTypes(ctx, ref)
	if err != nil {
		return translate.Overlaid{}, err
	}
	return m.overlays.apply(pool, types)
}
