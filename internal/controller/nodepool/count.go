package nodepool

import (
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// resourceNodes counts machines in status.resources and in limits.
const resourceNodes corev1.ResourceName = "nodes"

// always are counted though a pool has none of them: who looks at an empty pool sees 0, not nothing.
var always = []corev1.ResourceName{
	corev1.ResourceCPU,
	corev1.ResourceMemory,
	corev1.ResourcePods,
	corev1.ResourceEphemeralStorage,
}

// count adds up what the pool's nodes have. A claim whose node has not joined counts with what it is expected to be,
// and a node that carries the pool's label counts without a claim, too: limits are about both.
func count(pool *karpenterv1.NodePool, claims []karpenterv1.NodeClaim, nodes []corev1.Node) {
	total := corev1.ResourceList{}
	for _, name := range always {
		total[name] = resource.MustParse("0")
	}
	add := func(have corev1.ResourceList) {
		for name, q := range have {
			sum := total[name]
			sum.Add(q)
			total[name] = sum
		}
	}
	byID := map[string]*corev1.Node{}
	for i := range nodes {
		byID[nodes[i].Spec.ProviderID] = &nodes[i]
	}
	claimed := map[*corev1.Node]bool{}
	for i := range claims {
		have := claims[i].Status.Capacity
		if node := byID[claims[i].Status.ProviderID]; node != nil && claims[i].Status.ProviderID != "" {
			have = node.Status.Capacity
			claimed[node] = true
		}
		add(have)
	}
	number := int64(len(claims))
	for i := range nodes {
		if !claimed[&nodes[i]] {
			add(nodes[i].Status.Capacity)
			number++
		}
	}
	quantity := total[resourceNodes]
	quantity.Set(number)
	total[resourceNodes] = quantity
	pool.Status.Resources = total
	pool.Status.Nodes = &number
}

// publish sets the gauges of a pool, and ends those of resources that it has no more.
func (r *Reconciler) publish(pool *karpenterv1.NodePool) {
	now := published{usage: pool.Status.Resources, limits: pool.Spec.Limits}
	was := r.published[pool.Name]
	r.published[pool.Name] = now
	set(r.Metrics.Pools.Usage, pool.Name, was.usage, now.usage)
	set(r.Metrics.Pools.Limit, pool.Name, was.limits, now.limits)
}

func set(gauge *prometheus.GaugeVec, pool string, was, now corev1.ResourceList) {
	for name, q := range now {
		gauge.WithLabelValues(observe.ResourceLabel(name), pool).Set(q.AsApproximateFloat64())
	}
	for name := range was {
		if _, still := now[name]; !still {
			gauge.DeleteLabelValues(observe.ResourceLabel(name), pool)
		}
	}
}

// forget drops the gauges of a pool that is gone.
func (r *Reconciler) forget(pool string) {
	of := prometheus.Labels{"nodepool": pool}
	r.Metrics.Pools.Usage.DeletePartialMatch(of)
	r.Metrics.Pools.Limit.DeletePartialMatch(of)
	delete(r.published, pool)
}
