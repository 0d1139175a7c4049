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
	c := &cutter{picture: p, now: now, nomination: nomination}
	c.classes()
	if p.stale.daemons {
		c.settleDaemons()
	}
	if p.stale.types {
		c.settleTypes()
	}
	c.settleSlots()
	if p.stale.pools {
		c.settlePools()
	}
	c.settleLoose()
	p.stale = stale{}
}

// cutter makes the lists of a Snapshot anew as far as they are stale, from objects and promises as they are at one
// moment. It changes nothing of those, but that nominations to a node begin to end once the node is ready.
type cutter struct {
	*picture
	now        time.Time
	nomination time.Duration // for how long a pod's place on a ready node is kept
}

// classes brings the classes of pods up to date.
func (c *cutter) classes() {
	if len(c.in.Classes()) > c.compactAt {
		c.stale.everything = true
	}
	if c.stale.everything {
		c.intern()
	}
	switch {
	case c.stale.classes:
		for _, rec := range c.pods {
			c.retranslate(rec)
		}
		c.stale.daemons = true
	case c.stale.volumes:
		for key := range c.users {
			c.retranslateUsers(key)
		}
	default:
		for key := range c.stale.users {
			c.retranslateUsers(key)
		}
	}
}

// intern begins a new table of classes, without those that no pod has any more.
func (c *cutter) intern() {
	c.in = translate.NewInterner(&c.world)
	for _, rec := range c.pods {
		c.in.Observe(&rec.object.Spec)
	}
	for _, ds := range c.daemonSets {
		c.in.Observe(&ds.Spec.Template.Spec)
	}
	for _, services := range c.world.Services {
		for _, selector := range services {
			c.in.ObserveDefaults(&metav1.LabelSelector{MatchLabels: selector})
		}
	}
	for _, selector := range c.world.Workloads {
		c.in.ObserveDefaults(selector)
	}
	for _, rec := range c.pods {
		c.retranslate(rec)
	}
	for name := range c.slots {
		c.dirtySlots[name] = struct{}{}
	}
	c.stale.daemons, c.stale.classes = true, false
	c.compactAt = 2*len(c.in.Classes()) + compactSlack
}

func (c *cutter) settleDaemons() {
	sorted := slices.SortedFunc(maps.Values(c.daemonSets), func(a, b *appsv1.DaemonSet) int {
		return cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name)
	})
	index := make(map[types.NamespacedName]int32, len(sorted))
	c.daemons = make([]shape.DaemonSet, 0, len(sorted))
	for _, ds := range sorted {
		pod, err := c.world.DaemonPod(ds)
		if err != nil {
			continue // it has no pods: the server refuses them
		}
		class, _ := c.in.Class(pod) // an error is in the class
		index[types.NamespacedName{Namespace: ds.Namespace, Name: ds.Name}] = int32(len(c.daemons))
		c.daemons = append(c.daemons, shape.DaemonSet{Name: ds.Namespace + "/" + ds.Name, Class: class})
	}
	if maps.Equal(index, c.daemon) {
		return
	}
	c.daemon = index
	for name := range c.slots {
		c.dirtySlots[name] = struct{}{}
	}
}

func (c *cutter) settleTypes() {
	var table translate.TypeTable
	for _, name := range slices.Sorted(maps.Keys(c.pools)) {
		c.pools[name].types = table.Add(c.pools[name].offer)
	}
	c.cutTypes = table.Types
	c.stale.pools = true
}

func (c *cutter) settlePools() {
	c.cutPools = make([]*shape.Pool, 0, len(c.pools))
	for _, name := range slices.Sorted(maps.Keys(c.pools)) {
		pl := c.pools[name]
		if pl.shape == nil {
			// An error is in NotReady.
			pl.shape, _ = translate.Pool(pl.object, c.world.Aliases)
			pl.shape.NotReady = cmp.Or(pl.shape.NotReady, translate.NotReady(pl.object))
		}
		u := c.used[name]
		out := translate.WithUse(pl.shape, u.nodes, u.sum, pl.types)
		out.NotReady = cmp.Or(out.NotReady, pl.offer.Trouble())
		c.cutPools = append(c.cutPools, out)
	}
}

// settleSlots makes the nodes anew that changed.
func (c *cutter) settleSlots() {
	if len(c.dirtySlots) == 0 {
		if c.cutNodes == nil {
			c.cutNodes = []*shape.Node{}
		}
		return
	}
	if len(c.nominated) > 0 {
		c.settleSurplus()
	}
	dirty := slices.Sorted(maps.Keys(c.dirtySlots))
	clear(c.dirtySlots)
	for _, name := range dirty {
		if s := c.slots[name]; s != nil {
			c.settleSlot(name, s)
		}
	}
	c.cutNodes = splice(
		c.cutNodes,
		dirty,
		func(n **shape.Node) string { return (*n).Name },
		func(name string) (*shape.Node, bool) {
			s := c.slots[name]
			if s == nil {
				return nil, false
			}
			return s.view.Node, true
		},
	)
}

// settleSurplus has pods planned again whose place others have taken.
func (c *cutter) settleSurplus() {
	for _, name := range slices.Sorted(maps.Keys(c.dirtySlots)) {
		if c.slots[name] == nil {
			continue
		}
		for _, id := range c.surplus(name) {
			c.cancel(id)
		}
	}
}

func (c *cutter) settleSlot(name string, s *slot) {
	c.count(s, -1)
	c.undisplace(s)
	parts := translate.NodeParts{Name: name, Node: s.node, Claim: s.claim, CSI: c.csiNodes[name], Daemons: c.daemon}
	if s.node == nil {
		parts.CSI = nil
	}
	if s.claim != nil {
		if pl := c.pools[s.claim.Labels[karpenterv1.NodePoolLabelKey]]; pl != nil {
			parts.Offer = pl.offer
		}
	}
	parts.Pods = make([]translate.PodView, 0, len(s.pods))
	for id := range s.pods {
		parts.Pods = append(parts.Pods, judged(c.pods[id].view, c.now))
	}
	s.view = c.in.Node(parts)
	c.count(s, 1)
	for _, d := range s.view.Displaced {
		c.loose[d.ID] = d
		c.refused.displace(d.ID)
		c.dirtyLoose[d.ID] = struct{}{}
	}
	if s.view.Stage != shape.Ready || len(c.nominated) == 0 {
		return
	}
	for id := range s.pods {
		_, virtual := c.virtual[id]
		if n, ok := c.nominated[id]; ok && n.until.IsZero() && !virtual {
			n.until = c.now.Add(c.nomination)
			c.nominated[id] = n
			c.timer(n.until)
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

func (c *cutter) settleLoose() {
	if len(c.dirtyLoose) == 0 {
		if c.cutPods == nil {
			c.cutPods = []shape.Pod{}
		}
		return
	}
	dirty := slices.Sorted(maps.Keys(c.dirtyLoose))
	clear(c.dirtyLoose)
	c.cutPods = splice(
		c.cutPods,
		dirty,
		func(sp *shape.Pod) shape.PodID { return sp.ID },
		func(id shape.PodID) (shape.Pod, bool) {
			sp, ok := c.loose[id]
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
