package daemon

import (
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/overlay"
	"github.com/dovetail-sh/dovetail/internal/market"
)

// addOverlays adds what puts NodeOverlays into force, if the gate is open.
func (k *kit) addOverlays() error {
	if !k.config.Gates.NodeOverlay {
		return nil
	}
	k.overlay = market.NewOverlays()
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

// market is what can be bought, with the calls to the cloud counted for a controller.
func (k *kit) market(controller string) *market.Market {
	return market.New(k.cloudFor(controller), k.overlay)
}
