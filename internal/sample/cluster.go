package sample

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Cluster is one that has no nodes yet.
type Cluster struct {
	Seed    uint64
	Types   []*shape.InstanceType
	Pools   []*karpenterv1.NodePool
	Daemons []*appsv1.DaemonSet
	Pods    []*corev1.Pod // to be placed
}

// NewCluster draws one with up to so many pods of each workload.
func NewCluster(seed uint64, pods int) *Cluster {
	d := NewDice(seed)
	c := &Cluster{Seed: seed}
	for i := range d.Between(2, 6) {
		c.Types = append(c.Types, d.InstanceType(i))
	}
	for i := range d.Between(1, 3) {
		c.Pools = append(c.Pools, d.Pool(i))
	}
	for i := range d.IntN(3) {
		c.Daemons = append(c.Daemons, d.DaemonSet(i))
	}
	for i := range d.Between(1, 6) {
		t := d.Template()
		for j := range d.IntN(pods + 1) {
			c.Pods = append(c.Pods, Replica(t, fmt.Sprintf("new-%d-%d", i, j)))
		}
	}
	if d.Percent(30) {
		d.Limit(Pick(d, c.Pools...))
	}
	if d.Percent(25) {
		d.Reserve(Pick(d, c.Types...))
	}
	if d.Percent(20) {
		d.Breadth(Pick(d, c.Pools...))
	}
	if d.Percent(20) {
		p := Pick(d, c.Pools...)
		p.Spec.Template.Spec.StartupTaints = append(
			p.Spec.Template.Spec.StartupTaints,
			karpenterv1.Taint{Key: "example.com/starting", Effect: corev1.TaintEffectNoSchedule},
		)
	}
	return c
}

// Objects is the cluster as an API server would hand it out.
func (c *Cluster) Objects() translate.Objects {
	o := Storage()
	o.NodePools, o.DaemonSets, o.Pods, o.TrustPools = c.Pools, c.Daemons, c.Pods, true
	o.Offers = map[string]*translate.Offer{}
	offer := translate.NewOffer(c.Types, "")
	for _, p := range c.Pools {
		o.Offers[p.Name] = offer
	}
	return o
}
