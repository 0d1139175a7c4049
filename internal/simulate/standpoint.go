package simulate

import (
	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Snapshot is the cluster as the planner is handed it. What is wrong with objects Plan tells.
func (p *Prepared) Snapshot() shape.Snapshot {
	snapshot, _ := translate.Snapshot(p.objects, p.input.Now)
	return snapshot
}

// Offer is what a NodePool is sold; nil for one that is not given.
func (p *Prepared) Offer(pool string) *translate.Offer { return p.objects.Offers[pool] }

// Anew is the same workload on none of the NodePools' nodes: all pods that a plan may move wait. Plan of it says what
// the cheapest fleet would be, and what no fleet can go below.
func (p *Prepared) Anew() *Prepared {
	out := &Prepared{objects: p.objects, input: p.input, consolidating: true}
	out.objects.Nodes, out.objects.NodeClaims, out.objects.Pods = nil, nil, nil
	out.objects.Nominated = nil
	pools := map[string]bool{}
	for _, np := range p.objects.NodePools {
		pools[np.Name] = np.Spec.Replicas == nil
	}
	gone := map[string]bool{}
	for _, n := range p.objects.Nodes {
		if gone[n.Name] = pools[n.Labels[karpenterv1.NodePoolLabelKey]]; !gone[n.Name] {
			out.objects.Nodes = append(out.objects.Nodes, n)
		}
	}
	for _, c := range p.objects.NodeClaims {
		if !pools[c.Labels[karpenterv1.NodePoolLabelKey]] {
			out.objects.NodeClaims = append(out.objects.NodeClaims, c)
		}
	}
	for _, pod := range p.objects.Pods {
		if waiting, stays := Homeless(pod, gone); stays {
			out.objects.Pods = append(out.objects.Pods, waiting)
		}
	}
	return out
}

// Homeless is a pod once these nodes are gone, and whether there still is such a pod.
func Homeless(pod *corev1.Pod, gone map[string]bool) (*corev1.Pod, bool) {
	if !gone[pod.Spec.NodeName] {
		return pod, true
	}
	if translate.Finished(pod) || translate.BoundByOwner(pod) {
		return nil, false
	}
	pod = pod.DeepCopy()
	pod.Spec.NodeName, pod.Status, pod.DeletionTimestamp = "", corev1.PodStatus{}, nil
	return pod, true
}

// With is a cluster after a change to a copy of its Set. The change replaces what it touches: objects and lists that
// are there are the original's.
func (p *Prepared) With(change func(*manifest.Set)) (*Prepared, error) {
	set := *p.input.Set
	change(&set)
	in := p.input
	in.Set = &set
	return Prepare(in)
}
