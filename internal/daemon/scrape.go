package daemon

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/controller/census"
	"github.com/dovetail-sh/dovetail/internal/controller/transition"
)

// gauges brings the metrics that describe a state up to date when somebody reads them.
type gauges struct {
	kit      *kit
	census   *census.Census
	observer *transition.Observer

	mu sync.Mutex // held while the gauges are set anew and read
	// unsynced is since when the cluster has not been seen whole; zero once it has.
	unsynced time.Time
}

// addObservers adds what turns changes into events and metrics, and what counts.
func (k *kit) addObservers(ctx context.Context) (*gauges, error) {
	observer := &transition.Observer{Deps: transition.Deps{
		Events: k.events, Metrics: k.metrics.Status, Clock: k.clock, Scheme: k.manager.GetScheme(), Active: k.active,
	}}
	kinds := append([]client.Object{&karpenterv1.NodeClaim{}, &karpenterv1.NodePool{}}, k.classes...)
	if k.config.Gates.CapacityBuffer {
		kinds = append(kinds, &autoscalingv1beta1.CapacityBuffer{})
	}
	pods, err := k.manager.GetCache().GetInformer(ctx, &corev1.Pod{})
	if err != nil {
		return nil, err
	}
	k.times = census.NewTimes(k.metrics.Pods, k.clock, k.active)
	_, err = pods.AddEventHandler(k.times)
	counts := &census.Census{
		Client: k.client, Metrics: k.metrics, Clock: k.clock, Price: k.price, Times: k.times,
		Aggregate: k.config.DisableObservability, ByGroup: k.config.AggregateNodes,
	}
	if k.config.Cloud == config.CloudAWS {
		counts.Offered = k.mirror.Offered // others have a list that does not change
	}
	return &gauges{
			kit:      k,
			observer: observer,
			unsynced: k.clock.Now(),
			census:   counts,
		}, errors.Join(
			err,
			observer.Follow(ctx, k.manager.GetCache(), kinds...),
		)
}

// price is what a claim's machine costs, in dollars an hour.
func (k *kit) price(claim *karpenterv1.NodeClaim) (dollars float64, ok bool) {
	offer := k.mirror.Offered(claim.Labels[karpenterv1.NodePoolLabelKey])
	if offer == nil {
		return 0, false
	}
	price := offer.Price(claim.Labels)
	return price.Float(), price > 0
}

// fresh serves next after the gauges were set anew. Two readers wait for each other: a
// gauge that is being set anew would be missing from what the other reads.
func (g *gauges) fresh(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if err := g.refresh(r.Context()); err != nil {
			g.kit.log.V(1).Info("counting for the metrics", "error", err.Error())
		}
		next.ServeHTTP(w, r)
	})
}

func (g *gauges) refresh(ctx context.Context) error {
	synced, now := g.kit.mirror.Synced(), g.kit.clock.Now()
	state := g.kit.metrics.Cluster
	if synced {
		g.unsynced = time.Time{}
		state.Synced.WithLabelValues().Set(1)
		state.Unsynced.WithLabelValues().Set(0)
	} else {
		state.Synced.WithLabelValues().Set(0)
		state.Unsynced.WithLabelValues().Set(now.Sub(g.unsynced).Seconds())
		return nil // a count of half a cluster misleads
	}
	g.kit.metrics.Scheduler.Unfinished.WithLabelValues("provisioner", "").Set(g.kit.planner.Unfinished().Seconds())
	lists := []client.ObjectList{&karpenterv1.NodePoolList{}}
	if !g.kit.config.DisableObservability {
		lists = append(lists, &karpenterv1.NodeClaimList{})
	}
	return errors.Join(
		g.census.Refresh(ctx),
		g.observer.Refresh(ctx, g.kit.client, append(lists, listsOf(g.kit.config)...)...),
	)
}
