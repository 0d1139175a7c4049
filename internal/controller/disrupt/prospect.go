package disrupt

import (
	"cmp"
	"slices"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// prospect is what becomes of the cluster when some nodes go: where their pods would go.
type prospect struct {
	decision engine.Decision
	fates    map[string]fate     // by name of the node that goes
	wanted   map[string]struct{} // nodes that pods would go to
}

// fate is what becomes of the pods of one node that goes. If nothing is set, they all have a
// place on nodes that are ready.
type fate struct {
	waits bool     // some would go to nodes that are on their way
	opens []string // IDs of new nodes that some would need
	stuck string   // why one of them has no place, one sentence
}

func (f fate) ready() bool { return !f.waits && len(f.opens) == 0 && f.stuck == "" }

// foresee plans only the pods of the nodes that go, as if those were going already. Pods
// that are pending anyway do not count: they are planned by themselves, and their room is taken.
//
// Nodes that are unwelcome take nothing, except those made since began, when the first of the moves
// began: they were made for these pods. The zero time is no such move.
func foresee(s shape.Snapshot, leaving []string, began time.Time, p engine.Policy) prospect {
	goes := map[string]bool{}
	for _, name := range leaving {
		goes[name] = true
	}
	home := map[shape.PodID]string{}
	stage := map[string]shape.Stage{}
	s.Pods, s.Nodes = nil, slices.Clone(s.Nodes)
	for i, n := range s.Nodes {
		stage[n.Name] = n.Stage
		switch {
		case goes[n.Name]:
			s.Nodes[i] = emptied(n, func(pod shape.Pod) {
				home[pod.ID] = n.Name
				pod.From = n.Name
				s.Pods = append(s.Pods, pod)
			})
		case n.Unwelcome && (began.IsZero() || n.Created.Before(began)):
			s.Nodes[i] = closed(n)
		}
	}
	slices.SortFunc(s.Pods, func(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) })

	out := prospect{decision: engine.Plan(s, p), fates: map[string]fate{}, wanted: map[string]struct{}{}}
	for _, place := range out.decision.Place {
		out.wanted[place.Node] = struct{}{}
		if stage[place.Node] < shape.Ready {
			out.change(home[place.Pod], func(f *fate) { f.waits = true })
		}
	}
	for _, n := range out.decision.Open {
		for _, pod := range n.Pods {
			out.change(home[pod], func(f *fate) {
				if !slices.Contains(f.opens, n.ID) {
					f.opens = append(f.opens, n.ID)
				}
			})
		}
	}
	for _, u := range out.decision.Unplaced {
		out.change(home[u.Pod], func(f *fate) { f.stuck = cmp.Or(f.stuck, u.Why.Sentence()) })
	}
	return out
}

func (p *prospect) change(node string, how func(*fate)) {
	f := p.fates[node]
	how(&f)
	p.fates[node] = f
}

// emptied is a node that goes: its pods that can move are given to moved, and nothing comes. Pinned pods
// move too: whether they may is not asked here.
func emptied(n *shape.Node, moved func(shape.Pod)) *shape.Node {
	out := closed(n)
	out.Pods, out.Requested = nil, nil
	for _, pod := range n.Pods {
		if pod.Role == shape.Movable || pod.Role == shape.Pinned {
			pod.Role = shape.Movable
			moved(pod)
			continue
		}
		out.Pods = append(out.Pods, pod)
	}
	return out
}

// closed is a node that nothing new is placed on.
func closed(n *shape.Node) *shape.Node {
	out := *n
	out.Stage = shape.Leaving
	return &out
}

// opened are the new nodes with these IDs, and what they cost.
func (p prospect) opened(ids []string) (nodes []engine.NewNode, price shape.Money) {
	for _, n := range p.decision.Open {
		if slices.Contains(ids, n.ID) {
			nodes = append(nodes, n)
			price += n.Price
		}
	}
	return nodes, price
}
