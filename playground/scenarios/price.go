package scenarios

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// bound is the price in dollars an hour that no fleet for the story's pods can go below, as the planner proves it for
// the same pods on an empty cluster, at the cloud's prices of this moment. best is what its own plan costs.
func (s *stage) bound(ctx context.Context) (bound, best float64, err error) {
	objects, err := s.everything(ctx)
	if err != nil {
		return 0, 0, err
	}
	snapshot, problems := translate.Snapshot(objects, time.Now())
	if len(problems) > 0 {
		return 0, 0, fmt.Errorf("translating the cluster: %w", problems[0])
	}
	d := engine.Plan(snapshot, engine.DefaultPolicy())
	if len(d.Unplaced) > 0 {
		return 0, 0, fmt.Errorf("%d of the story's running pods have no place in a plan from nothing", len(d.Unplaced))
	}
	return d.Bound.Float(), d.Price.Float(), nil
}

// everything is the cluster, with its pods on no node and without its nodes: what a plan from nothing begins with.
func (s *stage) everything(ctx context.Context) (translate.Objects, error) {
	var o translate.Objects
	var pods corev1.PodList
	var pools karpenterv1.NodePoolList
	err := errors.Join(s.cluster.List(ctx, &pods), s.cluster.List(ctx, &pools), s.surroundings(ctx, &o))
	if err != nil {
		return o, fmt.Errorf("listing the cluster: %w", err)
	}
	for i := range pods.Items {
		if p := &pods.Items[i]; !ofDaemonSet(p) && !translate.Finished(p) && p.DeletionTimestamp == nil {
			p = p.DeepCopy()
			p.Spec.NodeName, p.Status = "", corev1.PodStatus{Phase: corev1.PodPending}
			o.Pods = append(o.Pods, p)
		}
	}
	o.TrustPools = true
	return o, s.market(ctx, pools.Items, &o)
}

// surroundings are the objects beside pods that scheduling looks at.
func (s *stage) surroundings(ctx context.Context, o *translate.Objects) error {
	var daemons appsv1.DaemonSetList
	var namespaces corev1.NamespaceList
	var claims corev1.PersistentVolumeClaimList
	var volumes corev1.PersistentVolumeList
	var classes storagev1.StorageClassList
	var ranges corev1.LimitRangeList
	for _, list := range []client.ObjectList{&daemons, &namespaces, &claims, &volumes, &classes, &ranges} {
		if err := s.cluster.List(ctx, list); err != nil {
			return err
		}
	}
	o.DaemonSets, o.Namespaces = pointers(daemons.Items), pointers(namespaces.Items)
	o.Claims, o.Volumes, o.StorageClasses = pointers(claims.Items), pointers(volumes.Items), pointers(classes.Items)
	o.LimitRanges = pointers(ranges.Items)
	return nil
}

func pointers[T any](items []T) []*T {
	out := make([]*T, len(items))
	for i := range items {
		out[i] = &items[i]
	}
	return out
}

// market fills in what each pool that grows with its pods can buy, overlays applied.
func (s *stage) market(ctx context.Context, pools []karpenterv1.NodePool, o *translate.Objects) error {
	o.Offers = map[string]*translate.Offer{}
	var stocks []translate.Stock
	for i := range pools {
		np := &pools[i]
		if np.Spec.Replicas != nil {
			continue // its nodes are there whatever the pods need
		}
		types, err := s.cloud.InstanceTypes(ctx, *np.Spec.Template.Spec.NodeClassRef)
		if err != nil {
			return fmt.Errorf("asking what NodePool %s can buy: %w", np.Name, err)
		}
		o.NodePools = append(o.NodePools, np)
		o.Offers[np.Name] = translate.NewOffer(types, "")
		stocks = append(stocks, translate.Stock{Pool: np, Types: types})
	}
	var list karpenterv1alpha1.NodeOverlayList
	if err := s.cluster.List(ctx, &list); err != nil {
		return fmt.Errorf("listing node overlays: %w", err)
	}
	var overlays []translate.Overlay
	for i := range list.Items {
		overlay, err := translate.ReadOverlay(&list.Items[i], awsv1.LabelRules())
		if err != nil {
			return fmt.Errorf("NodeOverlay %s: %w", list.Items[i].Name, err)
		}
		overlays = append(overlays, overlay)
	}
	hold, _ := translate.Settle(overlays, stocks)
	for _, stock := range stocks {
		o.Offers[stock.Pool.Name] = translate.OverlayTypes(hold, stock.Pool, stock.Types).Offer("")
	}
	return nil
}

// spending is what the machines cost now, in dollars an hour.
func (s *stage) spending(ctx context.Context) (float64, error) {
	status, err := s.account.Status(ctx)
	if err != nil {
		return 0, fmt.Errorf("reading the simulated account: %w", err)
	}
	var sum int64
	for _, m := range status.Instances {
		if m.State == "running" || m.State == "pending" {
			sum += m.Price
		}
	}
	return float64(sum) / 1e6, nil
}
