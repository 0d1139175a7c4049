package provision

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Headroom is what a plan says of one CapacityBuffer.
type Headroom struct {
	Ready int    // pods that fit on nodes that are ready
	New   int    // pods that need nodes that are on their way, or are bought now
	Short int    // pods for which there is no room
	Why   string // of the first of Short, one sentence
}

// unseat takes the stand-ins of buffers off their nodes and plans them anew, after all others: real pods may take their
// room, and what a plan of before knew is no reason for where they are now. Those on a node that is marked to go stay
// until it does: whoever gives it up sees to their room.
func unseat(s shape.Snapshot) shape.Snapshot {
	s.Nodes = slices.Clone(s.Nodes)
	s.Pods = slices.Clone(s.Pods)
	for i, n := range s.Nodes {
		if n.Stage != shape.Leaving && !marked(s.Profiles[n.Profile]) &&
			slices.ContainsFunc(n.Pods, func(p shape.Pod) bool { return s.Classes[p.Class].Buffer }) {
			s.Nodes[i] = without(s.Classes, n, &s.Pods)
		}
	}
	slices.SortFunc(s.Pods, func(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

func marked(p *shape.Profile) bool {
	return slices.ContainsFunc(p.Taints, func(t shape.Taint) bool { return t.Key == karpenterv1.DisruptedTaintKey })
}

// without is a node with its stand-ins moved to another list.
func without(classes []*shape.Class, n *shape.Node, to *[]shape.Pod) *shape.Node {
	out := *n
	out.Pods = make([]shape.Pod, 0, len(n.Pods))
	var sum shape.Vector
	for _, p := range n.Pods {
		if classes[p.Class].Buffer {
			p.Role, p.From = shape.Movable, ""
			*to = append(*to, p)
			continue
		}
		sum = sum.Add(classes[p.Class].Requests)
		out.Pods = append(out.Pods, p)
	}
	out.Requested = &sum
	return &out
}

// headroom sorts a decision by buffer. seats are the nodes that exist and will hold stand-ins; those that were not
// planned because their node is marked keep theirs.
func (p *Provisioner) headroom(
	s shape.Snapshot,
	virtual map[shape.PodID]bool,
	d engine.Decision,
) (seats map[shape.PodID]string, reports map[types.NamespacedName]Headroom) {
	seats, reports = map[shape.PodID]string{}, map[types.NamespacedName]Headroom{}
	change := func(id shape.PodID, how func(*Headroom)) bool {
		pod := p.Mirror.Pod(id)
		if pod == nil || !translate.Virtual(pod) {
			return false
		}
		name := translate.BufferOf(pod)
		h := reports[name]
		how(&h)
		reports[name] = h
		return true
	}
	stage := make(map[string]shape.Stage, len(s.Nodes))
	for _, n := range s.Nodes {
		stage[n.Name] = n.Stage
		for _, pod := range n.Pods {
			if s.Classes[pod.Class].Buffer && change(pod.ID, func(h *Headroom) { h.Ready++ }) {
				seats[pod.ID] = n.Name
			}
		}
	}
	for _, place := range d.Place {
		if virtual[place.Pod] && change(place.Pod, func(h *Headroom) {
			if stage[place.Node] == shape.Ready {
				h.Ready++
			} else {
				h.New++
			}
		}) {
			seats[place.Pod] = place.Node
		}
	}
	for _, n := range d.Open {
		for _, id := range n.Pods {
			if virtual[id] {
				change(id, func(h *Headroom) { h.New++ })
			}
		}
	}
	for _, u := range d.Unplaced {
		if virtual[u.Pod] {
			change(u.Pod, func(h *Headroom) {
				h.Short++
				h.Why = cmp.Or(h.Why, u.Why.Sentence())
			})
		}
	}
	return seats, reports
}

// virtuals are the stand-ins among the pods that are to be placed.
func virtuals(s shape.Snapshot) map[shape.PodID]bool {
	out := map[shape.PodID]bool{}
	for _, pod := range s.Pods {
		if s.Classes[pod.Class].Buffer {
			out[pod.ID] = true
		}
	}
	return out
}

// actual is a decision without what it says of stand-ins.
func actual(d engine.Decision, virtual map[shape.PodID]bool) engine.Decision {
	if len(virtual) == 0 {
		return d
	}
	d.Place = slices.DeleteFunc(slices.Clone(d.Place), func(p engine.Placement) bool { return virtual[p.Pod] })
	d.Unplaced = slices.DeleteFunc(slices.Clone(d.Unplaced), func(u engine.Unplaced) bool { return virtual[u.Pod] })
	d.Open = slices.Clone(d.Open)
	for i := range d.Open {
		d.Open[i].Pods = slices.DeleteFunc(
			slices.Clone(d.Open[i].Pods),
			func(id shape.PodID) bool { return virtual[id] },
		)
	}
	return d
}
