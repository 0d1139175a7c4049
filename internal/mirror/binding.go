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
	own, planned := p.book.Target(id)
	machine := p.facts.Named(node)
	if !planned || machine == "" || p.facts.Named(own) == machine {
		return
	}
	for other := range p.held[machine] {
		if _, ok := p.book.Target(other); !ok || other == id ||
			p.facts.Pods[other].View.Class != p.facts.Pods[id].View.Class {
			continue
		}
		p.book.Swap(id, other)
		p.place(other, p.facts.Pods[other])
		return
	}
}

// arrived notes that a pod was bound, onto a machine and maybe not where it was planned: others that were
// planned there may have to look for another place. Told is the node that the scheduler was last told of.
func (p *picture) arrived(id shape.PodID, told, machine, planned string) Change {
	if planned != "" {
		at := p.facts.Machine(planned)
		p.news = append(p.news, Binding{
			Pod:     id,
			Pool:    at.Pool(),
			Planned: planned,
			Node:    p.facts.Pods[id].Object.Spec.NodeName,
			Why:     stray(at.Node, told, machine == planned),
		})
	}
	if machine != "" && machine != planned && len(p.surplus(machine)) > 0 {
		return Wanted
	}
	return 0
}

func stray(planned *corev1.Node, told string, asPlanned bool) Stray {
	switch {
	case asPlanned:
		return AsPlanned
	case planned == nil:
		return NotJoined
	case hasTaint(planned, karpenterv1.UnregisteredTaintKey), translate.Planned(planned):
		return NotOpen
	case told != planned.Name:
		return NotNominated
	}
	return Refused
}

func hasTaint(node *corev1.Node, key string) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
}
