package place

import (
	"maps"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// PlaceSeen puts pods where a plan before this one saw them, as far as there is still room and rules allow it, and says
// by class how many that are. What was planned together fits together, in no order that nodes are filled in by
// themselves.
func (a *Placer) PlaceSeen() (placed []int) {
	t := a.board.Table
	placed = make([]int, len(t.Classes))
	s := t.Snapshot()
	if !slices.ContainsFunc(s.Pods, func(pod shape.Pod) bool { return pod.Home != "" }) {
		return placed
	}
	at := make(map[string]int, 2*len(t.Nodes))
	for node := range t.Nodes {
		at[t.Nodes[node].Claim] = node
	}
	for node := range t.Nodes {
		at[t.Nodes[node].Name] = node
	}
	for class := range t.Classes {
		want := seenOn(t.Classes[class], s.Pods, at)
		for _, node := range slices.Sorted(maps.Keys(want)) {
			left := want[node]
			for variant := class; variant >= 0 && left > 0; variant = int(t.Classes[variant].Next) {
				left -= a.placeOn(node, variant, left)
			}
			placed[class] += want[node] - left
		}
	}
	return placed
}

// seenOn is how many pods of a class were seen on which node; at finds nodes by name and by claim.
func seenOn(c *feasible.Class, pods []shape.Pod, at map[string]int) map[int]int {
	want := map[int]int{}
	for _, i := range c.Pods {
		if node, there := at[pods[i].Home]; there && pods[i].Home != "" {
			want[node]++
		}
	}
	return want
}

// placeOn puts up to n pods of a class on a node, and says how many it took.
func (a *Placer) placeOn(node, class, n int) int {
	b := a.board
	if b.Table.Classes[class].Refused != "" || !b.Allows(node, class) {
		return 0
	}
	if n = b.Room(node, class, n); n == 0 || !b.Spread.Classes[class].Domains {
		if n > 0 {
			b.Place(node, class, n)
		}
		return n
	}
	a.setUniverse(class)
	var domains []int32
	for done := range n {
		domains = b.Spread.NodeCell(b.Spread.Classes[class].Keys, node, domains)
		if _, ok := b.Spread.CellAllows(class, domains); !ok || b.Room(node, class, 1) == 0 {
			return done
		}
		b.Place(node, class, 1)
	}
	return n
}
