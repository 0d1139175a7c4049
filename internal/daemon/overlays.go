package daemon

import (
	"context"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/overlay"
	"github.com/dovetail-sh/dovetail/provider"
)

// addOverlays adds what puts NodeOverlays into force, if the gate is open.
func (k *kit) addOverlays() error {
	if !k.config.Gates.NodeOverlay {
		return nil
	}
	k.overlay = overlay.NewStore()
	r, err := overlay.New(overlay.Deps{
		Client:  k.client,
		Cloud:   k.cloudFor("nodeoverlay.controller"),
		Clock:   k.clock,
		Store:   k.overlay,
		Changed: k.batch.Nudge,
		Rules:   []karpenterv1.LabelRules{k.cloud.LabelRules()},
	})
	if err != nil {
		return err
	}
	return r.Register(k.manager, k.classes...)
}

// overlaid are types with the pool's overlays applied.
func (k *kit) overlaid(pool *karpenterv1.NodePool, types []*shape.InstanceType) ([]*shape.InstanceType, error) {
	out, err := k.overlay.Apply(pool, types)
	return out.Types, err
}

// sold is what a cloud sells to a pool, with overlays applied.
func (k *kit) sold(cloud provider.Cloud) func(context.Context, *karpenterv1.NodePool) ([]*shape.InstanceType, error) {
	return func(ctx context.Context, pool *karpenterv1.NodePool) ([]*shape.InstanceType, error) {
		types, err := cloud.InstanceTypes(ctx, *pool.Spec.Template.Spec.NodeClassRef)
		if err != nil {
			return nil, err
		}
		return k.overlaid(pool, types)
	}
}
