package mirror

import (
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Change says what an event may mean to those who plan.
type Change = objects.Change

// What events may mean; see package objects.
const (
	Wanted    = objects.Wanted
	Room      = objects.Room
	Taken     = objects.Taken
	Confirmed = objects.Confirmed
)

// Put notes that an object is there, or has changed. The object must not be changed afterwards.
// Objects of kinds that do not matter are ignored.
func (m *Mirror) Put(object client.Object) {
	m.mu.Lock()
	change := m.put(object)
	m.absorb()
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
	m.absorb()
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
		p.book.Appeared(o.Name)
		return p.rejoined(p.facts.PutClaim(o))
	case *karpenterv1.NodePool:
		isNew, change := p.pools.put(o)
		if isNew {
			p.touchPool(o.Name)
		}
		return change
	case *storagev1.CSINode:
		return p.putCSINode(o.Name, o)
	}
	if change, ok := p.facts.Put(object); ok {
		return change
	}
	return p.devices.Change(object, true)
}

func (p *picture) drop(object client.Object) Change {
	switch o := object.(type) {
	case *corev1.Pod:
		return p.dropPod(translate.IDOf(o))
	case *corev1.Node:
		return p.dropNode(o.Name)
	case *karpenterv1.NodeClaim:
		p.book.Appeared(o.Name)
		return p.dropClaim(o.Name)
	case *karpenterv1.NodePool:
		if p.pools.drop(o.Name) {
			p.touchPool(o.Name)
		}
		return 0
	case *storagev1.CSINode:
		return p.putCSINode(o.Name, nil)
	}
	if change, ok := p.facts.Drop(object); ok {
		return change
	}
	return p.devices.Change(object, false)
}

func (p *picture) putCSINode(name string, csi *storagev1.CSINode) Change {
	if !p.facts.PutCSINode(name, csi) {
		return 0
	}
	p.dirty[name] = struct{}{}
	return Room
}

// absorb passes the views of pods that other objects have changed on to where the pods are.
func (p *picture) absorb() {
	p.facts.Changed(func(_ shape.PodID, pod *objects.Pod) {
		if pod.Place != "" {
			p.dirty[pod.Place] = struct{}{}
		}
		if p.sheet.Waits(pod.View.ID) {
			p.sheet.Wait(pod.Movable())
		}
	})
}
