package nodepool

import (
	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// resourceNodes counts machines in status.resources and in limits.
const resourceNodes corev1.ResourceName = "nodes"

// count adds up what the pool's nodes have. A claim whose node has not joined counts with what it is expected to be.
func count(pool *karpenterv1.NodePool, claims []karpenterv1.NodeClaim, nodes []corev1.Node) {
	byID := map[string]*corev1.Node{}
	for i := range nodes {
		byID[nodes[i].Spec.ProviderID] = &nodes[i]
	}
	total := corev1.ResourceList{}
	for i := range claims {
		have := claims[i].Status.Capacity
		if node := byID[claims[i].Status.ProviderID]; node != nil && claims[i].Status.ProviderID != "" {
			have = node.Status.Capacity
		}
		for name, q := range have {
			sum := total[name]
			sum.Add(q)
			total[name] = sum
		}
	}
	number := int64(len(claims))
	quantity := total[resourceNodes]
	quantity.Set(number)
	total[resourceNodes] = quantity
	pool.Status.Resources = total
	pool.Status.Nodes = &number
}

// publish sets the gauges of a pool.
func (r *Reconciler) publish(pool *karpenterv1.NodePool) {
	for name, q := range pool.Status.Resources {
		r.Metrics.Pools.Usage.WithLabelValues(string(name), pool.Name).Set(q.AsApproximateFloat64())
	}
	for name, q := range pool.Spec.Limits {
		r.Metrics.Pools.Limit.WithLabelValues(string(name), pool.Name).Set(q.AsApproximateFloat64())
	}
}

// forget drops the gauges of a pool that is gone.
func (r *Reconciler) forget(pool string) {
	of := prometheus.Labels{"nodepool": pool}
	r.Metrics.Pools.Usage.DeletePartialMatch(of)
	r.Metrics.Pools.Limit.DeletePartialMatch(of)
}
