package mirror

import (
	"cmp"
	"maps"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// settle brings everything that was made of objects up to date with them.
func (p *picture) settle(now time.Time, nomination time.Duration) {
	p.expire(now)
	if len(p.in.Classes()) > p.compactAt {
		p.stale.everything = true
	}
	if p.stale.everything {
		p.intern()
	}
	if p.stale.classes {
		for _, rec := range p.pods {
			p.retranslate(rec)
		}
		p.stale.daemons = true
	} else if p.stale.volumes {
		for key := range p.users {
			p.retranslateUsers(key)
		}
	} else {
		for key := range p.stale.users {
			p.retranslateUsers(key)
		}
	}
	if p.stale.daemons {
		p.settleDaemons()
	}
	if p.stale.types {
		p.settleTypes()
	}
	p.settleSlots(now, nomination)
	if p.stale.pools {
		p.settlePools()
	}
	p.settleLoose()
	p.stale = stale{}
}

// intern begins a new table of classes, without those that no pod has any more.
func (p *picture) intern() {
	p.in = translate.NewInterner(&p.world)
	for _, rec := range p.pods {
		p.in.Observe(&rec.object.Spec)
	}
	for _, ds := range p.daemonSets {
		p.in.Observe(&ds.Spec.Template.Spec)
	}
	for _, services := range p.world.Services {
		for _, selector := range services {
			p.in.ObserveDefaults(&metav1.LabelSelector{MatchLabels: selector})
		}
	}
	for _, selector := range p.world.Workloads {
		p.in.ObserveDefaults(selector)
	}
	for _, rec := range p.pods {
		p.retranslate(rec)
	}
	for name := range p.slots {
		p.dirtySlots[name] = struct{}{}
	}
	p.stale.daemons, p.stale.classes = true, false
	p.compactAt = 2*len(p.in.Classes()) + compactSlack
}

func (p *picture) settleDaemons() {
	sorted := slices.SortedFunc(maps.Values(p.daemonSets), func(a, b *appsv1.DaemonSet) int {
		return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	index := make(map[types.NamespacedName]int32, len(sorted))
	p.daemons = make([]shape.DaemonSet, 0, len(sorted))
	for _, ds := range sorted {
		pod, err := p.world.DaemonPod(ds)
		if err != nil {
			continue // it has no pods: the server refuses them
		}
		class, _ := p.in.Class(pod) // an error is in the class
		index[types.NamespacedName{Namespace: ds.Namespace, Name: ds.Name}] = int32(len(p.daemons))
		p.daemons = append(p.daemons, shape.DaemonSet{Name: ds.Namespace + "/" + ds.Name, Class: class})
	}
	if maps.Equal(index, p.daemon) {
		return
	}
	p.daemon = index
	for name := range p.slots {
		p.dirtySlots[name] = struct{}{}
	}
}

func (p *picture) settleTypes() {
	var table translate.TypeTable
	for _, name := range slices.Sorted(maps.Keys(p.pools)) {
		p.pools[name].types = table.Add(p.pools[name].offer)
	}
	p.cutTypes = table.Types
	p.stale.pools = true
}

func (p *picture) settlePools() {
	p.cutPools = make([]*shape.Pool, 0, len(p.pools))
	for _, name := range slices.Sorted(maps.Keys(p.pools)) {
		pl := p.pools[name]
		if pl.shape == nil {
			// An error is in NotReady.
			pl.shape, _ = translate.Pool(pl.object, p.world.Aliases)
			pl.shape.NotReady = cmp.Or(pl.shape.NotReady, translate.NotReady(pl.object))
		}
		u := p.used[name]
		out := translate.WithUse(pl.shape, u.nodes, u.sum, pl.types)
		out.NotReady = cmp.Or(out.NotReady, pl.offer.Trouble())
		p.cutPools = append(p.cutPools, out)
	}
}

// settleSlots makes the nodes anew that changed.
func (p *picture) settleSlots(now time.Time, nomination time.Duration) {
	if len(p.dirtySlots) == 0 {
		if p.cutNodes == nil {
			p.cutNodes = []*shape.Node{}
		}
		return
	}
	if len(p.nominated) > 0 {
		p.settleSurplus()
	}
	dirty := slices.Sorted(maps.Keys(p.dirtySlots))
	clear(p.dirtySlots)
	for _, name := range dirty {
		if s := p.slots[name]; s != nil {
			p.settleSlot(name, s, now, nomination)
		}
	}
	p.cutNodes = splice(
		p.cutNodes,
		dirty,
		func(n **shape.Node) string { return (*n).Name },
		func(name string) (*shape.Node, bool) {
			s := p.slots[name]
			if s == nil {
				return nil, false
			}
			return s.view.Node, true
		},
	)
}

// settleSurplus has pods planned again whose place others have taken.
func (p *picture) settleSurplus() {
	for _, name := range slices.Sorted(maps.Keys(p.dirtySlots)) {
		if p.slots[name] == nil {
			continue
		}
		for _, id := range p.surplus(name) {
			p.cancel(id)
		}
	}
}

func (p *picture) settleSlot(name string, s *slot, now time.Time, nomination time.Duration) {
	p.count(s, -1)
	p.undisplace(s)
	parts := translate.NodeParts{Name: name, Node: s.node, Claim: s.claim, CSI: p.csiNodes[name], Daemons: p.daemon}
	if s.node == nil {
		parts.CSI = nil
	}
	if s.claim != nil {
		if pl := p.pools[s.claim.Labels[karpenterv1.NodePoolLabelKey]]; pl != nil {
			parts.Offer = pl.offer
		}
	}
	parts.Pods = make([]translate.PodView, 0, len(s.pods))
	for id := range s.pods {
		parts.Pods = append(parts.Pods, judged(p.pods[id].view, now))
	}
	s.view = p.in.Node(parts)
	p.count(s, 1)
	for _, d := range s.view.Displaced {
		p.loose[d.ID] = d
		p.needy[d.ID] = struct{}{}
		p.dirtyLoose[d.ID] = struct{}{}
	}
	if s.view.Stage != shape.Ready || len(p.nominated) == 0 {
		return
	}
	for id := range s.pods {
		_, virtual := p.virtual[id]
		if n, ok := p.nominated[id]; ok && n.until.IsZero() && !virtual {
			n.until = now.Add(nomination)
			p.nominated[id] = n
			p.timer(n.until)
		}
	}
}

// judged is the view with a hold that has ended taken away.
func judged(v translate.PodView, now time.Time) translate.PodView {
	if v.Until.IsZero() || now.Before(v.Until) {
		return v
	}
	v.Held = false
	if v.Role == shape.Pinned {
		v.Role = shape.Movable
	}
	return v
}

func (p *picture) settleLoose() {
	if len(p.dirtyLoose) == 0 {
		if p.cutPods == nil {
			p.cutPods = []shape.Pod{}
		}
		return
	}
	dirty := slices.Sorted(maps.Keys(p.dirtyLoose))
	clear(p.dirtyLoose)
	p.cutPods = splice(
		p.cutPods,
		dirty,
		func(sp *shape.Pod) shape.PodID { return sp.ID },
		func(id shape.PodID) (shape.Pod, bool) {
			sp, ok := p.loose[id]
			return sp, ok
		},
	)
}

// splice is a new slice: base, which ascends by key, with those elements replaced, added or removed whose
// keys are in changed, which ascends too. Base itself is shared with Snapshots and stays as it is.
func splice[T any, K cmp.Ordered](base []T, changed []K, key func(*T) K, now func(K) (T, bool)) []T {
	out := make([]T, 0, len(base)+len(changed))
	for _, k := range changed {
		at, found := slices.BinarySearchFunc(base, k, func(e T, k K) int { return cmp.Compare(key(&e), k) })
		out = append(out, base[:at]...)
		if found {
			at++
		}
		base = base[at:]
		if e, ok := now(k); ok {
			out = append(out, e)
		}
	}
	return append(out, base...)
}
