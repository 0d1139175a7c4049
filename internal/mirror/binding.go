package mirror

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Binding is what became of a pod that was planned.
type Binding struct {
	Pod     shape.PodID
	Pool    string // of the node that it was planned onto
	Planned string // that node, or its claim while it has not joined
	Node    string // where the pod was bound
	Why     Stray
}

// Stray is why a pod was bound elsewhere than planned, as far as it can be told from here.
type Stray string

const (
	// AsPlanned means that it was not.
	AsPlanned Stray = ""
	// NotJoined: its node has not joined yet, and there was room elsewhere.
	NotJoined Stray = "NotJoined"
	// NotOpen: its node has joined but does not take pods yet, and there was room elsewhere.
	NotOpen Stray = "NotOpen"
	// NotNominated: its node took pods, but the scheduler was not told, or an attempt had cleared it.
	NotNominated Stray = "NotNominated"
	// Refused: the scheduler was told, and yet has chosen otherwise.
	Refused Stray = "Refused"
)

// swap gives a pod that was bound to a node the place that was planned there for another of its class, which gets
// the place that is left over in return: which of them goes where makes no difference.
func (p *picture) swap(id shape.PodID, node string) {
	own, planned := p.nominated[id]
	slot := p.slotNamed(node)
	if !planned || slot == "" || p.slotNamed(own.target) == slot {
		return
	}
	for _, other := range podIDs(p.slots[slot].pods) {
		theirs, ok := p.nominated[other]
		if !ok || p.pods[other].view.Class != p.pods[id].view.Class {
			continue
		}
		p.unindex(p.pods[other])
		p.nominated[id], p.nominated[other] = theirs, own
		p.index(other, p.pods[other])
		p.place(other, p.pods[other])
		return
	}
}

// arrived notes that a pod was bound, onto a slot and maybe not where it was planned: others that were
// planned there may have to look for another place. Told is the node that the scheduler was last told of.
func (p *picture) arrived(id shape.PodID, told, slot, planned string) Change {
	if planned != "" {
		p.news = append(
			p.news,
			Binding{
				id,
				p.slots[planned].pool(),
				planned,
				p.pods[id].object.Spec.NodeName,
				p.stray(told, slot, planned),
			},
		)
	}
	if slot != "" && slot != planned && len(p.surplus(slot)) > 0 {
		return Wanted
	}
	return 0
}

func (p *picture) stray(told, slot, planned string) Stray {
	node := p.slots[planned].node
	switch {
	case slot == planned:
		return AsPlanned
	case node == nil:
		return NotJoined
	case hasTaint(node, karpenterv1.UnregisteredTaintKey), translate.Planned(node):
		return NotOpen
	case told != node.Name:
		return NotNominated
	}
	return Refused
}

func hasTaint(node *corev1.Node, key string) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
}
