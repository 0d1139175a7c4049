package simulate

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// survey answers what could hold a pod: what labels, taints, volumes and sizes say. Neighbours,
// limits and what else was planned are left aside, preferences too.
type survey struct {
	result *Result
	table  *feasible.Table
	placed map[shape.PodID]string // by the plan, on nodes that exist
	class  map[shape.PodID]*feasible.Class
}

func (r *Result) survey() *survey {
	s := &survey{
		result: r,
		table:  feasible.Compile(&r.Snapshot, false),
		placed: map[shape.PodID]string{},
		class:  map[shape.PodID]*feasible.Class{},
	}
	for _, p := range r.Decision.Place {
		s.placed[p.Pod] = p.Node
	}
	for i := range r.Decision.Open { // of static pools: those are nodes of the Snapshot
		for _, id := range r.Decision.Open[i].Pods {
			s.placed[id] = r.Decision.Open[i].ID
		}
	}
	for _, p := range r.Snapshot.Pods {
		if i := s.table.ClassOf(p.Class); i >= 0 {
			s.class[p.ID] = s.table.Classes[i]
		}
	}
	return s
}

// pod counts nodes and each pool's offerings by what they have against a pod.
func (s *survey) pod(id shape.PodID) explain.Tree {
	out := explain.Tree{Subject: string(id)}
	c := s.class[id]
	if c == nil {
		return out
	}
	if len(s.table.Nodes) > 0 {
		nodes := explain.Tree{Subject: "nodes", Noun: "nodes", Of: len(s.table.Nodes)}
		for i := range s.table.Nodes {
			if why, ok := s.onNode(c, &s.table.Nodes[i]); !ok {
				nodes.Add(why)
			}
		}
		nodes.Sort()
		out.Children = append(out.Children, nodes)
	}
	for _, p := range s.table.Pools {
		out.Children = append(out.Children, s.inPool(c, p))
	}
	return out
}

func (s *survey) onNode(c *feasible.Class, n *feasible.Node) (feasible.Reason, bool) {
	if n.Stage == shape.Leaving {
		return feasible.Reason{Kind: feasible.Leaving}, false
	}
	if why, ok := c.Where.WhyNode(n); !ok {
		return why, false
	}
	return s.table.Short(c.Need, n.Free, feasible.NoRoom)
}

func (s *survey) inPool(c *feasible.Class, p *feasible.Pool) explain.Tree {
	out := explain.Tree{Subject: "pool " + p.Name, Noun: "offerings"}
	whole := func(why feasible.Reason) explain.Tree {
		out.Groups = []explain.Group{{Count: 1, Reason: why}}
		return out
	}
	if p.NotReady != "" {
		return whole(feasible.Reason{Kind: feasible.NotReady, Want: p.NotReady})
	}
	if taint, ok := c.Where.Tolerates(p.Taints); !ok {
		return whole(feasible.TaintReason(taint))
	}
	for i := range s.table.Columns {
		if !s.table.InPool(i, p) {
			continue
		}
		out.Of++
		why, ok := s.table.WhyColumn(c.Where, p, i)
		if ok {
			why, ok = s.table.Short(c.Need, p.Room(i), feasible.TooSmall)
		}
		if ok && !s.table.Available.Has(i) {
			why, ok = s.table.Columns[i].Missing(), false
		}
		if !ok {
			out.Add(why)
		}
	}
	out.Sort()
	return out
}

// free is what is left on a node when the plan is done.
func (s *survey) free(n *feasible.Node) []int64 {
	out := slices.Clone(n.Free)
	for id, node := range s.placed {
		if c := s.class[id]; node == n.Name && c != nil {
			for d, need := range c.Need {
				out[d] -= need
			}
		}
	}
	return out
}

func (s *survey) left(n *shape.Node) []view.Resource {
	for i := range s.table.Nodes {
		if s.table.Nodes[i].Name == n.Name {
			return resources(n.Allocatable, s.table.Vector(s.free(&s.table.Nodes[i])))
		}
	}
	return resources(n.Allocatable, shape.Vector{})
}

// node counts pods that wait and are not planned on the node by what keeps them off.
func (s *survey) node(name string) explain.Tree {
	out := explain.Tree{Subject: "other pods that wait", Noun: "pods"}
	i := slices.IndexFunc(s.table.Nodes, func(n feasible.Node) bool { return n.Name == name })
	if i < 0 {
		return out
	}
	n := s.table.Nodes[i]
	n.Free = s.free(&n)
	for _, p := range s.result.Snapshot.Pods {
		c := s.class[p.ID]
		if s.placed[p.ID] == name || c == nil {
			continue
		}
		out.Of++
		if why, ok := s.onNode(c, &n); !ok {
			out.Add(why)
		}
	}
	out.Sort()
	return out
}
