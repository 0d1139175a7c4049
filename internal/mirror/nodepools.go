package mirror

import (
	"cmp"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror/cut"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// nodePools are the NodePools with what a cloud offers to each.
type nodePools struct {
	all     map[string]*pool
	dirty   map[string]struct{} // those that the sheet has not as they are now
	aliases karpenterv1.LabelAliases
}

// pool is one NodePool and what was made of it.
type pool struct {
	object *karpenterv1.NodePool
	offer  *translate.Offer // nil if nobody has asked yet
	shape  *shape.Pool      // nil if it must be made anew
}

func newNodePools(aliases karpenterv1.LabelAliases) nodePools {
	return nodePools{all: map[string]*pool{}, dirty: map[string]struct{}{}, aliases: aliases}
}

// offer is what a cloud offers to a pool; nil if there is no such pool, or nobody has asked.
func (n *nodePools) offer(name string) *translate.Offer {
	if p := n.all[name]; p != nil {
		return p.offer
	}
	return nil
}

// put reports whether the pool is new, and what the change may mean to those who plan.
func (n *nodePools) put(np *karpenterv1.NodePool) (isNew bool, change Change) {
	p := n.all[np.Name]
	if isNew = p == nil; isNew {
		p = &pool{}
		n.all[np.Name] = p
	}
	before := p.object
	p.object = np
	if before != nil && before.Generation == np.Generation && before.Generation != 0 &&
		translate.NotReady(before) == translate.NotReady(np) {
		return false, 0 // only counts in its status
	}
	n.dirty[np.Name] = struct{}{}
	p.shape = nil
	return isNew, Room
}

// drop reports whether there was such a pool.
func (n *nodePools) drop(name string) bool {
	if n.all[name] == nil {
		return false
	}
	delete(n.all, name)
	n.dirty[name] = struct{}{}
	return true
}

// setOffer reports whether that is another offer than before.
func (n *nodePools) setOffer(name string, offer *translate.Offer) bool {
	p := n.all[name]
	if p == nil || sameOffer(p.offer, offer) {
		return false
	}
	p.offer = offer
	n.dirty[name] = struct{}{}
	return true
}

// settle brings a sheet up to date.
func (n *nodePools) settle(sheet *cut.Sheet) {
	for name := range n.dirty {
		p := n.all[name]
		if p == nil {
			sheet.DropPool(name)
			continue
		}
		if p.shape == nil {
			// An error is in NotReady.
			p.shape, _ = translate.Pool(p.object, n.aliases)
			p.shape.NotReady = cmp.Or(p.shape.NotReady, translate.NotReady(p.object))
		}
		sheet.PutPool(name, p.shape, p.offer)
	}
	clear(n.dirty)
}

// sameOffer compares by identity: a cloud returns the same types until something changes.
func sameOffer(a, b *translate.Offer) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.NotReady != b.NotReady || len(a.Types) != len(b.Types) {
		return false
	}
	for i := range a.Types {
		if a.Types[i] != b.Types[i] {
			return false
		}
	}
	return true
}

// Pool finds the object of a NodePool; nil if there is none. It must not be changed.
func (m *Mirror) Pool(name string) *karpenterv1.NodePool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.pools.all[name]; p != nil {
		return p.object
	}
	return nil
}

// Pools lists all NodePools. They must not be changed.
func (m *Mirror) Pools() []*karpenterv1.NodePool {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*karpenterv1.NodePool, 0, len(m.pools.all))
	for _, p := range m.pools.all {
		out = append(out, p.object)
	}
	return out
}

// Offered is what a cloud last offered to a pool; nil if nobody has asked.
func (m *Mirror) Offered(pool string) *translate.Offer {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pools.offer(pool)
}

// Offer notes what a cloud offers to a NodePool. An equal Offer again changes nothing.
func (m *Mirror) Offer(name string, offer *translate.Offer) {
	m.mu.Lock()
	var change Change
	if m.pools.setOffer(name, offer) {
		m.rev++
		m.touchPool(name)
		change = Room
	}
	m.mu.Unlock()
	m.watch.tell(change)
}

// touchPool marks all nodes of a pool: their prices come from its offer.
func (p *picture) touchPool(name string) {
	for machine, at := range p.facts.All() {
		if at.Claim != nil && at.Pool() == name {
			p.dirty[machine] = struct{}{}
		}
	}
}
