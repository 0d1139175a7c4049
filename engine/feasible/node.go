package feasible

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/fanout"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

var bare = &shape.Profile{}

// leastNodes is from how many nodes on it pays to have another processor read them.
const leastNodes = 500

// buildNodes works out what is left on each node.
func (cp *compiler) buildNodes() {
	s := cp.t.snapshot
	d := len(cp.t.Resources)
	cp.t.Nodes = make([]Node, len(s.Nodes))
	free := make([]int64, len(s.Nodes)*d)
	spans := fanout.Spans(len(s.Nodes), leastNodes)
	fanout.Each(len(spans), func(part int) {
		for i := spans[part].From; i < spans[part].Upto; i++ {
			n, node := s.Nodes[i], &cp.t.Nodes[i]
			*node = Node{Node: n, Profile: bare, Free: free[i*d : i*d+d : i*d+d]}
			if n.Profile >= 0 && int(n.Profile) < len(s.Profiles) {
				node.Profile = s.Profiles[n.Profile]
			}
			cp.t.add(node.Free, &n.Allocatable, 1)
			cp.t.slots(node.Free, n.Attachable)
			cp.takeUp(node)
		}
	})
	if !slices.IsSortedFunc(cp.t.Nodes, compareNodes) { // mostly they are
		slices.SortFunc(cp.t.Nodes, compareNodes)
	}
	if cp.t.attaches {
		for i := range cp.t.Nodes {
			cp.attach(i)
		}
	}
	cp.expectDaemons()
}

// takeUp takes what a node's pods ask for off its room.
func (cp *compiler) takeUp(n *Node) {
	if n.Requested != nil {
		cp.t.add(n.Free, n.Requested, -1)
		return
	}
	classes := cp.t.snapshot.Classes
	for k := range n.Pods {
		if c := n.Pods[k].Class; c >= 0 && int(c) < len(classes) {
			cp.t.add(n.Free, &classes[c].Requests, -1)
		}
	}
}

func compareNodes(a, b Node) int {
	if c := cmp.Compare(readiness(a.Node), readiness(b.Node)); c != 0 {
		return c
	}
	return cmp.Compare(a.Name, b.Name)
}

// readiness orders nodes: those that can run a pod at once come first.
func readiness(n *shape.Node) int {
	if n.Stage == shape.Ready {
		return 0
	}
	return 1
}
