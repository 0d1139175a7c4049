package mirror

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/mirror/objects"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

func (p *picture) putPod(object *corev1.Pod) Change {
	id := translate.IDOf(object)
	if translate.Finished(object) {
		return p.dropPod(id)
	}
	told, before := "", "" // what the scheduler was told last, and where the pod held room
	if old := p.facts.Pods[id]; old != nil {
		told, before = old.Object.Status.NominatedNodeName, old.Place
		if old.Object.UID != object.UID {
			p.refused.forget(id) // another pod of the same name
			p.book.Cancel(id)
		}
	}
	var planned string
	if object.Spec.NodeName != "" {
		p.refused.forget(id)
		p.swap(id, object.Spec.NodeName)
		target, _ := p.book.Target(id)
		sent, _ := p.book.Sent(id)
		planned = p.facts.Named(cmp.Or(sent, target))
		p.book.Cancel(id)
	}
	pod := p.facts.PutPod(object)
	change := p.place(id, pod)
	if object.Spec.NodeName != "" && (before != pod.Place || planned != "") {
		change |= p.arrived(id, told, pod.Place, planned)
	}
	return change
}

func (p *picture) dropPod(id shape.PodID) Change {
	pod := p.facts.Pods[id]
	if pod == nil {
		return 0
	}
	p.refused.forget(id)
	p.book.Cancel(id)
	p.facts.DropPod(id)
	p.placed(id)
	if pod.Place == "" {
		return 0
	}
	p.leave(id, pod)
	return Room
}

// surplus lists the pods that were planned onto a machine but for which others have left no room: the least
// important and latest first.
func (p *picture) surplus(name string) []shape.PodID {
	view := p.sheet.View(name)
	if p.book.Planned() == 0 || view.Node == nil {
		return nil
	}
	classes := p.facts.Interner.Classes()
	var sum shape.Vector
	var planned []shape.Pod
	for id := range p.held[name] {
		sp := p.facts.Pods[id].View.Pod
		sum = sum.Add(classes[sp.Class].Requests)
		if _, ok := p.book.Target(id); ok {
			planned = append(planned, sp)
		}
	}
	if len(planned) == 0 || sum.Fits(view.Allocatable) {
		return nil
	}
	slices.SortFunc(planned, func(a, b shape.Pod) int {
		return cmp.Or(
			cmp.Compare(classes[a.Class].Priority, classes[b.Class].Priority),
			b.Created.Compare(a.Created),
			cmp.Compare(b.ID, a.ID),
		)
	})
	var out []shape.PodID
	for _, sp := range planned {
		if sum.Fits(view.Allocatable) {
			break
		}
		sum = sum.Sub(classes[sp.Class].Requests)
		out = append(out, sp.ID)
	}
	return out
}

// place puts a pod where it belongs now.
func (p *picture) place(id shape.PodID, pod *objects.Pod) Change {
	at := p.placeOf(id, pod)
	if pod.Place != "" && pod.Place != at {
		p.leave(id, pod)
	}
	if at == "" {
		return p.placeNowhere(id, pod)
	}
	p.placed(id)
	var change Change
	if pod.Place == "" {
		pod.Place = at
		p.held.Add(at, id)
		if !p.virtual.has(id) && len(p.virtual) > 0 {
			change |= Taken
		}
	}
	p.dirty[at] = struct{}{}
	if p.facts.Machine(at).Leaving() {
		change |= Wanted
	}
	return change
}

// placeNowhere has a pod wait for a place, unless it needs none.
func (p *picture) placeNowhere(id shape.PodID, pod *objects.Pod) (change Change) {
	switch {
	case translate.Provisionable(pod.Object):
		change = p.refused.refuse(id, originOf(pod.Object), p.sheet.Waits(id))
		p.sheet.Wait(pod.Movable())
	case translate.Waiting(pod.Object):
		change = p.refused.queue(id, originOf(pod.Object))
		p.sheet.Wait(pod.Movable())
	default:
		p.placed(id)
	}
	return change
}

// placed notes that a pod does not wait for a place any more.
func (p *picture) placed(id shape.PodID) {
	if p.sheet.Waits(id) {
		p.sheet.Placed(id)
		p.refused.settle(id)
	}
}

// placeOf is the machine on which a pod holds room, empty for none.
func (p *picture) placeOf(id shape.PodID, pod *objects.Pod) string {
	if name := pod.Object.Spec.NodeName; name != "" {
		if p.facts.Node(name) == nil {
			return ""
		}
		return name
	}
	if node, _ := p.book.Sent(id); p.facts.Node(node) != nil {
		return node // it may be bound there already
	}
	if pod.Object.DeletionTimestamp != nil {
		return ""
	}
	target, _ := p.book.Target(id)
	for _, name := range []string{pod.Object.Status.NominatedNodeName, target} {
		if at := p.facts.Named(name); at != "" && !p.facts.Machine(at).Leaving() {
			return at
		}
	}
	return ""
}

func (p *picture) leave(id shape.PodID, pod *objects.Pod) {
	p.held.Remove(pod.Place, id)
	p.dirty[pod.Place] = struct{}{}
	pod.Place = ""
}

// replace puts all pods that name a node or claim, or are promised to it, where they belong now.
func (p *picture) replace(name string) (change Change) {
	for _, ids := range [][]shape.PodID{p.facts.Naming(name), p.book.Toward(name)} {
		for _, id := range ids {
			if pod := p.facts.Pods[id]; pod != nil {
				change |= p.place(id, pod)
			}
		}
	}
	return change
}
