package daemon

import (
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/dovetail-sh/dovetail/internal/known"
	"github.com/dovetail-sh/dovetail/internal/serve"
	"github.com/dovetail-sh/dovetail/provider"
)

// known serves what this controller knows to those who may see nodes and pods.
func (k *kit) known() (http.Handler, error) {
	kube, err := kubernetes.NewForConfig(k.manager.GetConfig())
	if err != nil {
		return nil, fmt.Errorf("preparing to ask who calls: %w", err)
	}
	pricesAt := func() time.Time { return time.Time{} }
	if p, ok := k.cloud.(provider.Priced); ok {
		pricesAt = p.PricesAt
	}
	giveUp := k.config.Lifecycle.Launch
	if giveUp == 0 {
		giveUp = time.Hour // as lifecycle has it
	}
	return serve.Guard(kube, serve.Viewer(), known.New(known.Deps{
		Client: k.client, Snapshot: k.mirror.Snapshot, Told: k.planner.Told, Retry: k.alive.Launching,
		GiveUp: giveUp, PricesAt: pricesAt, Clock: k.clock,
	})), nil
}
