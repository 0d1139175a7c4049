package refit

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// parts divides what the planner made of a set of nodes into moves that do not depend on each other: nodes whose pods
// share a new node belong together, all others go by themselves. Pods without a place leave their node out, and then
// whoever shares a new node with it.
func (f *fleet) parts(o *planned) (moves []Move, stuck map[int]Reason) {
	group := map[int]int{} // union-find over nodes that go
	var find func(int) int
	find = func(i int) int {
		if group[i] == i {
			return i
		}
		group[i] = find(group[i])
		return group[i]
	}
	for _, i := range o.set {
		group[i] = i
	}
	for k := range o.decision.Open {
		pods := o.decision.Open[k].Pods
		for _, id := range pods[1:] {
			group[find(o.home[id])] = find(o.home[pods[0]])
		}
	}
	stuck = map[int]Reason{}
	for k := range o.decision.Unplaced {
		u := &o.decision.Unplaced[k]
		i := find(o.home[u.Pod])
		if stuck[i].Kind == "" {
			stuck[i] = WithoutPlace(u)
		}
	}
	at := map[int]int{}
	for _, i := range o.set {
		root := find(i)
		if why := stuck[root]; why.Kind != "" {
			stuck[i] = why
			continue
		}
		k, ok := at[root]
		if !ok {
			k = len(moves)
			at[root] = k
			moves = append(moves, Move{})
		}
		moves[k].Remove = append(moves[k].Remove, f.snapshot.Nodes[i].Name)
	}
	for _, n := range o.decision.Open {
		if k, ok := at[find(o.home[n.Pods[0]])]; ok {
			moves[k].Open = append(moves[k].Open, n)
		}
	}
	for _, p := range o.decision.Place {
		if k, ok := at[find(o.home[p.Pod])]; ok {
			moves[k].Place = append(moves[k].Place, p)
		}
	}
	return moves, stuck
}

// order sorts the nodes of a move into the order of draining, the one that disturbs least first. When topology rules
// tie its pods, each node's pods must find their places while those after it still run; false if no order does that.
func (f *fleet) order(m *Move) bool {
	slices.SortFunc(m.Remove, func(a, b string) int {
		return cmp.Or(cmp.Compare(f.nodes[f.at[a]].disturbance, f.nodes[f.at[b]].disturbance), cmp.Compare(a, b))
	})
	if len(m.Remove) == 1 || !f.dependOnEachOther(m) {
		return true
	}
	m.InTurn = true
	return f.rehearse(m)
}

// dependOnEachOther reports whether any pod of a move has a rule about others, or others about it, or a volume to find
// that others may get.
func (f *fleet) dependOnEachOther(m *Move) bool {
	for _, name := range m.Remove {
		if f.unbound(f.at[name]) {
			return true
		}
		for _, pod := range f.snapshot.Nodes[f.at[name]].Pods {
			if pod.Role != shape.Movable {
				continue
			}
			c := f.class(pod.Class)
			if len(c.Spread)+len(c.Affinity)+len(c.HostPorts)+len(f.watched(pod.Class)) > 0 {
				return true
			}
		}
	}
	return false
}

// rehearse drains one node after the other on a copy of the fleet in which the new nodes are there. Pods go where the
// move has them go as far as that is allowed by then.
func (f *fleet) rehearse(m *Move) bool {
	s := f.snapshot
	s.Nodes, s.Profiles = slices.Clone(s.Nodes), slices.Clone(s.Profiles)
	homes := map[shape.PodID]string{}
	for _, p := range m.Place {
		homes[p.Pod] = p.Node
	}
	for i := range m.Open {
		s.Profiles = append(s.Profiles, f.profile(&m.Open[i]))
		n := f.ready(&m.Open[i], int32(len(s.Profiles)-1))
		s.Nodes = append(s.Nodes, n)
		for _, id := range m.Open[i].Pods {
			homes[id] = n.Name
		}
	}
	for _, name := range m.Remove {
		s.Nodes[f.at[name]] = closed(s.Nodes[f.at[name]])
	}
	todo := slices.Clone(m.Remove)
	var done []string
	for len(todo) > 0 {
		k := slices.IndexFunc(todo, func(name string) bool { return f.drains(&s, name, homes) })
		if k < 0 {
			return false
		}
		done = append(done, todo[k])
		todo = slices.Delete(todo, k, k+1)
	}
	m.Remove = done
	return true
}

// drains gives a node's pods places on the others if they all have one.
func (f *fleet) drains(s *shape.Snapshot, name string, homes map[shape.PodID]string) bool {
	at := f.at[name]
	try := *s
	try.Pods = nil
	try.Nodes = slices.Clone(s.Nodes)
	pods := map[shape.PodID]shape.Pod{}
	try.Nodes[at] = emptied(s.Nodes[at], func(pod shape.Pod) {
		pods[pod.ID] = pod
		pod.Home = homes[pod.ID]
		try.Pods = append(try.Pods, pod)
	})
	slices.SortFunc(try.Pods, func(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) })
	policy := f.policy.Plan
	policy.Effort = 0
	d := f.planner.Plan(try, policy)
	if len(d.Open)+len(d.Unplaced) > 0 {
		return false
	}
	for _, p := range d.Place {
		pod := pods[p.Pod]
		pod.From = ""
		i := slices.IndexFunc(try.Nodes, func(n *shape.Node) bool { return n.Name == p.Node })
		try.Nodes[i] = f.joined(try.Nodes[i], []shape.Pod{pod})
	}
	try.Pods = nil
	*s = try
	return true
}
