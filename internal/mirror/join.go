package mirror

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

func (p *picture) putNode(n *corev1.Node) Change {
	old := p.nodes[n.Name]
	p.nodes[n.Name] = n
	if translate.Planned(n) {
		p.reserved[n.Name] = struct{}{}
	} else {
		delete(p.reserved, n.Name)
	}
	if old != nil && sameNode(old, n) {
		if s := p.slots[n.Name]; s != nil {
			s.node = n
		}
		return 0 // a heartbeat
	}
	if old != nil && old.Spec.ProviderID != n.Spec.ProviderID {
		p.unlink(p.nodesByID, old.Spec.ProviderID, n.Name)
	}
	p.link(p.nodesByID, n.Spec.ProviderID, n.Name)
	ids := []string{n.Spec.ProviderID}
	if old != nil {
		ids = append(ids, old.Spec.ProviderID)
	}
	return p.rejoin(n.Name, ids...) | Room
}

func (p *picture) dropNode(name string) Change {
	old := p.nodes[name]
	if old == nil {
		return 0
	}
	delete(p.nodes, name)
	delete(p.reserved, name)
	p.unlink(p.nodesByID, old.Spec.ProviderID, name)
	change := p.rejoin(name, old.Spec.ProviderID) | Room
	p.denominate(name)
	return change
}

func (p *picture) putClaim(c *karpenterv1.NodeClaim) Change {
	old := p.claims[c.Name]
	p.claims[c.Name] = c
	if old != nil && old.Status.ProviderID != c.Status.ProviderID {
		p.unlink(p.claimsByID, old.Status.ProviderID, c.Name)
	}
	p.link(p.claimsByID, c.Status.ProviderID, c.Name)
	ids := []string{c.Status.ProviderID}
	if old != nil {
		ids = append(ids, old.Status.ProviderID)
	}
	return p.rejoin(c.Name, ids...)
}

func (p *picture) dropClaim(name string) Change {
	old := p.claims[name]
	if old == nil {
		return 0
	}
	delete(p.claims, name)
	p.unlink(p.claimsByID, old.Status.ProviderID, name)
	change := p.rejoin(name, old.Status.ProviderID) | Room
	p.denominate(name)
	return change
}

func (p *picture) link(index map[string]names, id, name string) {
	if id == "" {
		return
	}
	if index[id] == nil {
		index[id] = names{}
	}
	index[id][name] = struct{}{}
}

func (p *picture) unlink(index map[string]names, id, name string) {
	delete(index[id], name)
	if len(index[id]) == 0 {
		delete(index, id)
	}
}

// sameNode compares what a Snapshot holds of a node; the rest are heartbeats.
func sameNode(a, b *corev1.Node) bool {
	return a.Spec.ProviderID == b.Spec.ProviderID && a.Spec.Unschedulable == b.Spec.Unschedulable &&
		(a.DeletionTimestamp == nil) == (b.DeletionTimestamp == nil) &&
		a.CreationTimestamp.Equal(&b.CreationTimestamp) &&
		maps.Equal(a.Labels, b.Labels) &&
		a.Annotations[karpenterv1.DoNotDisruptAnnotationKey] == b.Annotations[karpenterv1.DoNotDisruptAnnotationKey] &&
		slices.EqualFunc(a.Spec.Taints, b.Spec.Taints, func(x, y corev1.Taint) bool {
			return x.Key == y.Key && x.Value == y.Value && x.Effect == y.Effect
		}) &&
		sameAmounts(a.Status.Allocatable, b.Status.Allocatable) && sameAmounts(a.Status.Capacity, b.Status.Capacity)
}

func sameAmounts(a, b corev1.ResourceList) bool {
	if len(a) != len(b) {
		return false
	}
	for name, q := range a {
		other, ok := b[name]
		if !ok || q.Cmp(other) != 0 {
			return false
		}
	}
	return true
}

// rejoin works out anew which nodes and claims make one slot, for all that have one of the machines,
// and for the node and the claim of one name.
func (p *picture) rejoin(name string, ids ...string) (change Change) {
	touched := names{name: {}}
	claims := names{name: {}}
	for _, id := range ids {
		maps.Copy(touched, p.nodesByID[id])
		maps.Copy(claims, p.claimsByID[id])
	}
	// Claims first leave their old slots, so that no two are in one at any time.
	for claim := range claims {
		if old, ok := p.slotOf[claim]; ok {
			delete(p.slotOf, claim)
			p.slots[old].claim = nil
			touched[old] = struct{}{}
		}
	}
	for n := range touched {
		if p.nodes[n] != nil {
			p.slot(n).node = p.nodes[n]
		} else if s := p.slots[n]; s != nil {
			s.node = nil
		}
	}
	for claim := range claims {
		if c := p.claims[claim]; c != nil {
			slot := p.slotOfClaim(c)
			p.slot(slot).claim = c
			p.slotOf[claim] = slot
			touched[slot] = struct{}{}
		}
	}
	for slot := range touched {
		p.dirtySlots[slot] = struct{}{}
		if s := p.slots[slot]; s != nil && s.node == nil && s.claim == nil {
			change |= p.closeSlot(slot)
		}
	}
	maps.Copy(touched, claims)
	for slot := range touched {
		if s := p.slots[slot]; s != nil && s.claim != nil {
			change |= p.replace(s.claim.Name)
		}
		change |= p.replace(slot)
	}
	return change
}

// slotOfClaim is where a claim belongs: with the node of its machine if there is one, else by itself.
func (p *picture) slotOfClaim(c *karpenterv1.NodeClaim) string {
	if id := c.Status.ProviderID; id != "" && p.claimsByID[id].first() == c.Name {
		if node := p.nodesByID[id].first(); node != "" {
			return node
		}
	}
	if p.nodes[c.Name] != nil {
		return translate.ClaimOnlyName(c.Name)
	}
	return c.Name
}

func (p *picture) slot(name string) *slot {
	s := p.slots[name]
	if s == nil {
		s = &slot{pods: map[shape.PodID]struct{}{}}
		p.slots[name] = s
	}
	return s
}

// closeSlot removes a slot of which nothing is left. Its pods are placed anew by rejoin.
func (p *picture) closeSlot(name string) (change Change) {
	s := p.slots[name]
	for id := range s.pods {
		p.pods[id].slot = ""
	}
	p.count(s, -1)
	p.undisplace(s)
	delete(p.slots, name)
	for id := range s.pods {
		change |= p.place(id, p.pods[id])
	}
	return change
}

// leaving slots take no pods.
func (s *slot) leaving() bool {
	return s.node != nil && s.node.DeletionTimestamp != nil || s.claim != nil && s.claim.DeletionTimestamp != nil ||
		s.node == nil && s.claim != nil && translate.Gone(s.claim)
}

// count adds a slot, or takes it away, from what its pool uses.
func (p *picture) count(s *slot, times int64) {
	if s.view.Node == nil || s.view.CountsIn == "" {
		return
	}
	u := p.used[s.view.CountsIn]
	u.nodes += times
	u.sum = u.sum.Add(s.view.Capacity.Times(times))
	p.used[s.view.CountsIn] = u
	p.stale.pools = true
}

// undisplace takes back the pods that a leaving slot had put up for placing.
func (p *picture) undisplace(s *slot) {
	for _, d := range s.view.Displaced {
		if have, ok := p.loose[d.ID]; ok && have.From == d.From {
			p.loosen(d.ID, nil)
		}
	}
}
