package census

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/component-helpers/resource"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Census counts.
type Census struct {
	Client  client.Reader
	Metrics *observe.Metrics
	Clock   clock.PassiveClock

	// Price is what a claim's machine costs, in dollars an hour; ok is false if nobody knows.
	Price func(claim *karpenterv1.NodeClaim) (dollars float64, ok bool)

	// Offered is what a cloud last offered to a pool, nil if nobody has asked. Without it the market is not counted.
	Offered func(pool string) *translate.Offer

	// Times knows of pods that wait; nil for a Census without.
	Times *Times

	// Aggregate leaves out the metrics that have a series for each node or pod.
	Aggregate bool

	// ByGroup gives the metrics of nodes one series for all nodes of a pool, zone and capacity type, instead of one
	// each.
	ByGroup bool

	offers   []*translate.Offer // that the market's gauges are of
	unpriced map[types.UID]bool // claims whose price could not be found, counted already
}

// Refresh sets all gauges anew. Calls must not overlap.
func (c *Census) Refresh(ctx context.Context) error {
	var nodes corev1.NodeList
	var pods corev1.PodList
	var pools karpenterv1.NodePoolList
	var claims karpenterv1.NodeClaimList
	for _, list := range []client.ObjectList{&nodes, &pods, &pools, &claims} {
		if err := c.Client.List(ctx, list); err != nil {
			return fmt.Errorf("listing %T: %w", list, err)
		}
	}
	now := c.Clock.Now()
	held := map[string]*holding{}
	for i := range pods.Items {
		add(held, &pods.Items[i])
	}
	c.cluster(nodes.Items, held)
	c.pools(pools.Items, claims.Items, nodes.Items, now)
	c.zones(pods.Items)
	c.market(pools.Items)
	if c.Aggregate {
		return nil
	}
	c.nodes(nodes.Items, held, now)
	c.pods(pods.Items, nodes.Items, now)
	if c.Times != nil {
		c.Times.set(now)
	}
	return nil
}

// holding is what the pods of one node ask for together.
type holding struct {
	requests, limits, daemonRequests, daemonLimits corev1.ResourceList
}

func add(held map[string]*holding, pod *corev1.Pod) {
	if pod.Spec.NodeName == "" || translate.Finished(pod) {
		return
	}
	h := held[pod.Spec.NodeName]
	if h == nil {
		h = &holding{corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}, corev1.ResourceList{}}
		held[pod.Spec.NodeName] = h
	}
	requests := resource.PodRequests(pod, resource.PodResourcesOptions{UseStatusResources: true})
	limits := resource.PodLimits(pod, resource.PodResourcesOptions{UseStatusResources: true})
	if translate.OfDaemonSet(pod) {
		sum(h.daemonRequests, requests)
		sum(h.daemonLimits, limits)
		return
	}
	sum(h.requests, requests)
	sum(h.limits, limits)
}

func sum(total, more corev1.ResourceList) {
	for name, q := range more {
		t := total[name]
		t.Add(q)
		total[name] = t
	}
}

// cluster sets what is counted over all nodes.
func (c *Census) cluster(nodes []corev1.Node, held map[string]*holding) {
	c.Metrics.Cluster.Nodes.WithLabelValues().Set(float64(len(nodes)))
	allocatable, used := corev1.ResourceList{}, corev1.ResourceList{}
	for i := range nodes {
		sum(allocatable, nodes[i].Status.Allocatable)
		if h := held[nodes[i].Name]; h != nil {
			sum(used, h.requests)
			sum(used, h.daemonRequests)
		}
	}
	c.Metrics.Cluster.Utilization.Reset()
	for name, have := range allocatable {
		if have.IsZero() {
			continue
		}
		u := used[name]
		c.Metrics.Cluster.Utilization.WithLabelValues(observe.ResourceLabel(name)).
			Set(u.AsApproximateFloat64() / have.AsApproximateFloat64() * 100)
	}
}

// miss counts, once, a claim whose price could not be found.
func (c *Census) miss(claim *karpenterv1.NodeClaim, pool string) {
	if c.unpriced[claim.UID] {
		return
	}
	if len(c.unpriced) >= rememberAtMost || c.unpriced == nil {
		c.unpriced = map[types.UID]bool{}
	}
	c.unpriced[claim.UID] = true
	c.Metrics.Pools.CostErrors.WithLabelValues(pool).Inc()
}

// rememberAtMost bounds what is remembered of claims; past it some may be counted again.
const rememberAtMost = 10_000

// reasons are those that budgets know.
var reasons = []karpenterv1.DisruptionReason{
	karpenterv1.DisruptionReasonEmpty, karpenterv1.DisruptionReasonDrifted, karpenterv1.DisruptionReasonUnderutilized,
	karpenterv1.DisruptionReasonUnhealthy,
}

// pools sets what is counted for each NodePool.
func (c *Census) pools(
	pools []karpenterv1.NodePool,
	claims []karpenterv1.NodeClaim,
	nodes []corev1.Node,
	now time.Time,
) {
	c.Metrics.Pools.Allowed.Reset()
	c.Metrics.Pools.Consuming.Reset()
	c.Metrics.Pools.Cost.Reset()
	leaving := map[string]bool{} // nodes that budgets count, by provider ID
	for i := range nodes {
		leaving[nodes[i].Spec.ProviderID] = !nodes[i].DeletionTimestamp.IsZero() || !condition.NodeReady(&nodes[i])
	}
	cost, size, consuming := map[string]float64{}, map[string]int{}, map[string]int{}
	for i := range claims {
		claim := &claims[i]
		pool := claim.Labels[karpenterv1.NodePoolLabelKey]
		if dollars, ok := c.Price(claim); ok {
			cost[pool] += dollars
		} else if condition.IsTrue(claim, karpenterv1.ConditionLaunched) {
			c.miss(claim, pool)
		}
		if !condition.IsTrue(claim, karpenterv1.ConditionInitialized) {
			continue
		}
		size[pool]++
		if !claim.DeletionTimestamp.IsZero() || leaving[claim.Status.ProviderID] ||
			condition.IsTrue(claim, karpenterv1.ConditionDisruptionReason) {
			consuming[pool]++
		}
	}
	for i := range pools {
		name := pools[i].Name
		c.Metrics.Pools.Cost.WithLabelValues(name).Set(cost[name])
		for _, reason := range reasons {
			allowed, err := pools[i].AllowedDisruptions(now, size[name], reason)
			if err != nil {
				allowed = 0
			}
			said := observe.SnakeCase(string(reason))
			c.Metrics.Pools.Allowed.WithLabelValues(name, said).Set(float64(allowed))
			c.Metrics.Pools.Consuming.WithLabelValues(name, said).Set(float64(consuming[name]))
		}
	}
}
