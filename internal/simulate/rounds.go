package simulate

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// carryOut makes the cluster what it is when all that was begun is done: nodes that wait for a budget have had their
// turn as well. Nodes that took pods are taken to be quiet again.
func (p *Prepared) carryOut(s *standing, r *reading, expired []string) {
	homes, gone := map[shape.PodID]string{}, map[string]bool{}
	for _, name := range expired {
		gone[name] = true
	}
	for _, d := range r.outlook.Go {
		if !begins(d) {
			continue
		}
		for _, name := range slices.Concat(d.Now, d.Later) {
			gone[name] = true
		}
		for _, place := range d.Move.Place {
			homes[place.Pod] = place.Node
		}
		for _, n := range d.Move.Open {
			s.open(n)
			for _, pod := range n.Pods {
				homes[pod] = n.ID
			}
		}
	}
	maps.Copy(homes, p.homesOf(expired))
	s.nodes = slices.DeleteFunc(s.nodes, func(n *corev1.Node) bool { return gone[n.Name] })
	s.claims = slices.DeleteFunc(s.claims, func(c *karpenterv1.NodeClaim) bool { return gone[c.Status.NodeName] })
	for id, at := range p.objects.Nominated {
		if home := homes[id]; gone[at] && home != "" {
			p.objects.Nominated[id] = home
		}
	}
	s.rehouse(homes, gone)
	p.hand(s)
}

// homesOf are where a plan has the pods of nodes that expire.
func (p *Prepared) homesOf(expired []string) map[shape.PodID]string {
	out := map[shape.PodID]string{}
	for _, pod := range p.objects.Pods {
		if slices.Contains(expired, pod.Spec.NodeName) {
			out[translate.IDOf(pod)] = p.objects.Nominated[translate.IDOf(pod)]
		}
	}
	return out
}

// rehouse moves pods off nodes that are gone. Those that have no other home were of the node, as DaemonSets' are, or
// wait.
func (s *standing) rehouse(homes map[shape.PodID]string, gone map[string]bool) {
	var out []*corev1.Pod
	for _, pod := range s.pods {
		if !gone[pod.Spec.NodeName] {
			out = append(out, pod)
			continue
		}
		if home := homes[translate.IDOf(pod)]; home != "" {
			pod = pod.DeepCopy()
			pod.Spec.NodeName = home
			out = append(out, pod)
		}
	}
	s.pods = out
}

// open adds a node that was bought for a move, as it is once it has settled.
func (s *standing) open(n engine.NewNode) {
	pool, offer := s.pools[n.Pool], s.offers[n.Pool]
	if pool == nil || len(n.Options) == 0 {
		return
	}
	first := n.Options[0]
	it := offer.Type(first.Type)
	if it == nil {
		return
	}
	i := slices.IndexFunc(it.Offerings, func(o shape.Offering) bool {
		return o.Zone == first.Zone && o.CapacityType == first.CapacityType && o.Reservation == first.Reservation
	})
	if i < 0 {
		return
	}
	bought := provider.Candidate{Type: it, Offering: &it.Offerings[i]}
	claim := translate.NodeClaim(pool, n, nil)
	claim.Name, claim.GenerateName = n.ID, "" // of no known age
	maps.Copy(claim.Labels, bought.Labels())
	claim.Status.Capacity = provider.ResourceListOf(it.Capacity)
	claim.Status.Allocatable = provider.ResourceListOf(bought.Allocatable())
	for _, name := range []string{karpenterv1.ConditionLaunched, karpenterv1.ConditionRegistered,
		karpenterv1.ConditionInitialized} {
		condition.True(claim, s.now.AddDate(-1, 0, 0), name)
	}
	node := &corev1.Node{}
	node.Name, node.Labels = n.ID, map[string]string{corev1.LabelHostname: n.ID}
	for _, t := range claim.Spec.Taints {
		node.Spec.Taints = append(node.Spec.Taints, corev1.Taint(t))
	}
	node.Status.Capacity, node.Status.Allocatable = claim.Status.Capacity, claim.Status.Allocatable
	s.nodes, s.claims = append(s.nodes, node), append(s.claims, claim)
	s.join(node, claim)
	s.age(claim)
}
