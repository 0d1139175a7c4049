package nominate

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// move is a pod that goes to another node than it was planned onto.
type move struct {
	pod shape.PodID
	to  string // a claim
}

// source is where a pod comes from: the position of a node that opens, or more than that for one that opens later.
type source struct {
	pod shape.PodID
	at  int
}

// fill moves pods forward into the room that is left on nodes that open, in this order, until none of those that are
// planned onto later ones fits any more. The scheduler would put them there by itself while their own node is still
// closed; said beforehand, it is part of the plan, and what is planned there already is taken account of. Pods whose
// neighbours matter stay where they were planned.
//
// Planned are the pods of each claim; claims of which opening knows nothing open later.
func fill(s shape.Snapshot, opening []string, planned map[string][]shape.PodID) []move {
	at := make(map[string]int, len(opening))
	for i, claim := range opening {
		at[claim] = i
	}
	from := map[shape.PodID]source{}
	for claim, pods := range planned {
		i, opens := at[claim]
		if !opens {
			i = len(opening)
		}
		for _, id := range pods {
			from[id] = source{id, i}
		}
	}
	s.Pods = nil
	nodes := make([]*shape.Node, 0, len(opening))
	anti := slices.ContainsFunc(s.Classes, repels)
	for _, n := range s.Nodes {
		for _, p := range n.Pods {
			if _, ok := from[p.ID]; ok && loner(s.Classes[p.Class], anti) {
				s.Pods = append(s.Pods, p)
			}
		}
		if _, opens := at[n.Claim]; opens {
			nodes = append(nodes, n)
		}
	}
	if len(s.Pods) == 0 {
		return nil
	}
	s.Nodes, s.Pools, s.Types = nodes, nil, nil
	t := feasible.Compile(&s, false)
	slices.SortFunc(t.Nodes, func(a, b feasible.Node) int { return cmp.Compare(at[a.Claim], at[b.Claim]) })
	return forward(t, from)
}

// forward fills one node after the other, with the largest pods first and those from the last node first.
func forward(t *feasible.Table, from map[shape.PodID]source) (moves []move) {
	waiting := make([][]source, len(t.Classes))
	for i, c := range t.Classes {
		for _, p := range c.Pods {
			waiting[i] = append(waiting[i], from[t.Snapshot().Pods[p].ID])
		}
		slices.SortFunc(waiting[i], func(a, b source) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.pod, b.pod)) })
	}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		for _, k := range bySize(t, n) {
			c := t.Classes[k]
			if !c.Where.AllowsNode(n) {
				continue
			}
			for w := waiting[k]; len(w) > 0 && w[len(w)-1].at > i && feasible.Holds(c.Need, n.Free); w = waiting[k] {
				last := w[len(w)-1]
				waiting[k] = w[:len(w)-1]
				moves = append(moves, move{last.pod, n.Claim})
				shift(n.Free, c.Need, -1)
				if last.at < len(t.Nodes) {
					shift(t.Nodes[last.at].Free, c.Need, 1)
				}
			}
		}
	}
	return moves
}

// bySize are the positions of classes, those first that take the largest part of what is left on a node.
func bySize(t *feasible.Table, n *feasible.Node) []int {
	share := make([]float64, len(t.Classes))
	order := make([]int, len(t.Classes))
	for k, c := range t.Classes {
		order[k] = k
		for d, need := range c.Need {
			if need > 0 && n.Free[d] > 0 {
				share[k] = max(share[k], float64(need)/float64(n.Free[d]))
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(share[b], share[a]) })
	return order
}

func shift(room, by []int64, times int64) {
	for d := range by {
		room[d] += times * by[d]
	}
}

// loner is a class whose pods may go to any node with room that its labels and taints allow, whoever is there.
func loner(c *shape.Class, anti bool) bool {
	return len(c.Spread) == 0 && len(c.Affinity) == 0 && len(c.PreferredNodes) == 0 && len(c.HostPorts) == 0 &&
		len(c.VolumeTerms) == 0 && len(c.Attach) == 0 && (!anti || len(c.Labels) == 0)
}

// repels is a class that keeps pods with some labels away.
func repels(c *shape.Class) bool {
	return slices.ContainsFunc(c.Affinity, func(t shape.PodTerm) bool { return t.Anti && t.Weight == 0 })
}
