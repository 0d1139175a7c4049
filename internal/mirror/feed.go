package mirror

import (
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Change says what an event may mean to those who plan.
type Change uint8

const (
	// Wanted means that a pod needs a place that needed none before.
	Wanted Change = 1 << iota
	// Room means that pods for which there was no room may find some now.
	Room
	// Taken means that a pod has come to a node: room that buffers counted on may be gone.
	Taken
	// Confirmed means that kube-scheduler has refused a pod that could be planned before, with others of its owner. To
	// those who have done so it is no news.
	Confirmed
)

// Put notes that an object is there, or has changed. The object must not be changed afterwards.
// Objects of kinds that do not matter are ignored.
func (m *Mirror) Put(object client.Object) {
	m.mu.Lock()
	change := m.put(object)
	m.rev++
	news := m.news
	m.news = nil
	m.mu.Unlock()
	m.watch.tell(change)
	if m.bound != nil {
		for _, n := range news {
			m.bound(n)
		}
	}
}

// Drop notes that an object is gone.
func (m *Mirror) Drop(object client.Object) {
	m.mu.Lock()
	change := m.drop(object)
	m.rev++
	m.mu.Unlock()
	m.watch.tell(change)
}

func (p *picture) put(object client.Object) Change {
	switch o := object.(type) {
	case *corev1.Pod:
		return p.putPod(o)
	case *corev1.Node:
		return p.putNode(o)
	case *karpenterv1.NodeClaim:
		delete(p.expected, o.Name)
		return p.putClaim(o)
	case *karpenterv1.NodePool:
		return p.putPool(o)
	case *appsv1.DaemonSet:
		p.putDaemonSet(o)
		return Room
	case *corev1.Namespace:
		return p.putNamespace(o.Name, o.Labels, true)
	case *corev1.LimitRange:
		p.world.PutLimitRange(o)
		p.stale.daemons = true
	case *nodev1.RuntimeClass:
		p.world.PutRuntimeClass(o)
		p.stale.daemons = true
	case *corev1.PersistentVolumeClaim:
		p.putVolumeClaim(keyOf(o), o)
		return Room
	case *corev1.PersistentVolume:
		p.putVolume(o.Name, o)
		return Room
	case *storagev1.StorageClass:
		p.world.StorageClasses[o.Name] = o
		p.stale.volumes = true
		return Room
	case *storagev1.CSINode:
		return p.putCSINode(o.Name, o)
	case *corev1.Service:
		p.putService(o)
	case *appsv1.ReplicaSet, *appsv1.StatefulSet, *corev1.ReplicationController:
		p.putWorkload(o)
	default:
		return p.devices.change(object, true)
	}
	return 0
}

func (p *picture) drop(object client.Object) Change {
	switch o := object.(type) {
	case *corev1.Pod:
		return p.dropPod(translate.IDOf(o))
	case *corev1.Node:
		return p.dropNode(o.Name)
	case *karpenterv1.NodeClaim:
		delete(p.expected, o.Name)
		return p.dropClaim(o.Name)
	case *karpenterv1.NodePool:
		if pool := p.pools[o.Name]; pool != nil {
			delete(p.pools, o.Name)
			p.stale.pools, p.stale.types = true, true
			p.touchPool(o.Name)
		}
	case *appsv1.DaemonSet:
		delete(p.daemonSets, keyOf(o))
		p.stale.daemons = true
		return Room
	case *corev1.Namespace:
		return p.putNamespace(o.Name, nil, false)
	case *corev1.LimitRange:
		delete(p.world.LimitRanges[o.Namespace], o.Name)
		p.stale.daemons = true
	case *nodev1.RuntimeClass:
		delete(p.world.RuntimeClasses, o.Name)
		p.stale.daemons = true
	case *corev1.PersistentVolumeClaim:
		p.putVolumeClaim(keyOf(o), nil)
	case *corev1.PersistentVolume:
		p.putVolume(o.Name, nil)
	case *storagev1.StorageClass:
		delete(p.world.StorageClasses, o.Name)
		p.stale.volumes = true
	case *storagev1.CSINode:
		return p.putCSINode(o.Name, nil)
	case *corev1.Service:
		delete(p.world.Services[o.Namespace], o.Name)
		p.stale.classes = p.stale.classes || len(p.world.Defaults) > 0
	case *appsv1.ReplicaSet, *appsv1.StatefulSet, *corev1.ReplicationController:
		if name, _, ok := translate.WorkloadOf(o); ok {
			delete(p.world.Workloads, name)
			p.stale.classes = p.stale.classes || len(p.world.Defaults) > 0
		}
	default:
		return p.devices.change(object, false)
	}
	return 0
}

func (p *picture) putService(s *corev1.Service) {
	old, known := p.world.Services[s.Namespace][s.Name]
	p.world.PutService(s)
	if !known || !maps.Equal(old, s.Spec.Selector) {
		p.respread(&metav1.LabelSelector{MatchLabels: s.Spec.Selector})
	}
}

func (p *picture) putWorkload(o client.Object) {
	name, selector, ok := translate.WorkloadOf(o)
	if !ok {
		return
	}
	old, known := p.world.Workloads[name]
	p.world.Workloads[name] = selector
	if !known || !apiequality.Semantic.DeepEqual(old, selector) {
		p.respread(selector)
	}
}

// respread notes that default spread constraints may follow from another selector now.
func (p *picture) respread(selector *metav1.LabelSelector) {
	if len(p.world.Defaults) == 0 {
		return
	}
	p.in.ObserveDefaults(selector)
	p.stale.classes = true
}

func keyOf(o client.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
}

func (p *picture) putPool(np *karpenterv1.NodePool) Change {
	old := p.pools[np.Name]
	if old == nil {
		old = &pool{}
		p.pools[np.Name] = old
		p.touchPool(np.Name)
	}
	before := old.object
	old.object = np
	if before != nil && before.Generation == np.Generation && before.Generation != 0 &&
		translate.NotReady(before) == translate.NotReady(np) {
		return 0 // only counts in its status
	}
	p.stale.pools = true
	old.shape = nil
	return Room
}

// Offer notes what a cloud offers to a NodePool. An equal Offer again changes nothing.
func (m *Mirror) Offer(name string, offer *translate.Offer) {
	m.mu.Lock()
	change := m.setOffer(name, offer)
	m.mu.Unlock()
	m.watch.tell(change)
}

func (p *picture) setOffer(name string, offer *translate.Offer) Change {
	pl := p.pools[name]
	if pl == nil || sameOffer(pl.offer, offer) {
		return 0
	}
	pl.offer = offer
	p.stale.pools, p.stale.types = true, true
	p.rev++
	p.touchPool(name)
	return Room
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

// touchPool marks all nodes of a pool: their prices come from its offer.
func (p *picture) touchPool(name string) {
	for slot, s := range p.slots {
		if s.claim != nil && s.claim.Labels[karpenterv1.NodePoolLabelKey] == name {
			p.dirtySlots[slot] = struct{}{}
		}
	}
}

func (p *picture) putDaemonSet(ds *appsv1.DaemonSet) {
	key := keyOf(ds)
	old := p.daemonSets[key]
	p.daemonSets[key] = ds
	if old != nil && old.Generation == ds.Generation && old.Generation != 0 {
		return // only counts in its status
	}
	if p.in.Observe(&ds.Spec.Template.Spec) {
		p.stale.classes = true
	}
	p.stale.daemons = true
}

func (p *picture) putNamespace(name string, labels map[string]string, exists bool) Change {
	old, known := p.world.Namespaces[name]
	if known == exists && maps.Equal(old, labels) {
		return 0
	}
	if exists {
		p.world.Namespaces[name] = labels
	} else {
		delete(p.world.Namespaces, name)
	}
	if p.in.SelectsNamespaces() {
		p.in.Reset()
		p.stale.classes = true
	}
	return Room
}

func (p *picture) putVolumeClaim(key types.NamespacedName, pvc *corev1.PersistentVolumeClaim) {
	if old := p.world.Claims[key]; old != nil && old.Spec.VolumeName != "" {
		removeFrom(p.claimsByVolume, old.Spec.VolumeName, key)
	}
	if pvc == nil {
		delete(p.world.Claims, key)
	} else {
		p.world.Claims[key] = pvc
		if pvc.Spec.VolumeName != "" {
			addTo(p.claimsByVolume, pvc.Spec.VolumeName, key)
		}
	}
	p.retranslateUsers(key)
}

func (p *picture) putVolume(name string, pv *corev1.PersistentVolume) {
	old := p.world.Volumes[name]
	moved := old == nil || pv == nil || translate.DiskOf(old) != translate.DiskOf(pv)
	shares := old != nil && p.world.Shares(old)
	if pv == nil {
		p.world.DropVolume(name)
	} else {
		p.world.PutVolume(pv)
		shares = shares || p.world.Shares(pv)
	}
	// A volume that is free, or was, may be any claim's. One that shares its disk, or did, matters to the other
	// volume's pods.
	if moved && shares || old != nil && old.Spec.ClaimRef == nil || pv != nil && pv.Spec.ClaimRef == nil {
		p.stale.volumes = true
		return
	}
	for key := range p.claimsByVolume[name] {
		p.retranslateUsers(key)
	}
	for _, v := range [2]*corev1.PersistentVolume{old, pv} {
		if v != nil {
			p.retranslateUsers(types.NamespacedName{Namespace: v.Spec.ClaimRef.Namespace, Name: v.Spec.ClaimRef.Name})
		}
	}
}

func (p *picture) retranslateUsers(key types.NamespacedName) {
	for id := range p.users[key] {
		p.retranslate(p.pods[id])
	}
}

func (p *picture) putCSINode(name string, csi *storagev1.CSINode) Change {
	old := p.csiNodes[name]
	if csi == nil {
		delete(p.csiNodes, name)
	} else {
		p.csiNodes[name] = csi
	}
	if old != nil && csi != nil && apiequality.Semantic.DeepEqual(old.Spec, csi.Spec) {
		return 0
	}
	p.dirtySlots[name] = struct{}{}
	return Room
}

func addTo[K, V comparable](index map[K]map[V]struct{}, key K, value V) {
	set := index[key]
	if set == nil {
		set = map[V]struct{}{}
		index[key] = set
	}
	set[value] = struct{}{}
}

func removeFrom[K, V comparable](index map[K]map[V]struct{}, key K, value V) {
	set := index[key]
	delete(set, value)
	if len(set) == 0 {
		delete(index, key)
	}
}

// podIDs lists a set of pods.
func podIDs(set map[shape.PodID]struct{}) []shape.PodID {
	out := make([]shape.PodID, 0, len(set))
	for id := range set {
		out = append(out, id)
	}
	return out
}
