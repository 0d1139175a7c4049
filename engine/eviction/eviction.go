// Package eviction orders pods that leave a node.
//
// Kube-scheduler places what it sees first, on the emptiest node that it may take. Were that the pods that go anywhere,
// they would take the room that there is for those which do not. So first come pods that few nodes suit by what they
// require, and of those the larger ones. Drains keep this order (internal/controller/terminate), and moves are found by
// it (engine/refit): a move that holds in another order would leave pods over.
package eviction

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Demand is how few nodes suit a pod.
type Demand int

const (
	Anywhere  Demand = iota
	Somewhere        // its selector, its affinity or its volumes decide
	Exactly          // where others are, or are not, decides
)

// Rank is a pod's place in the order.
type Rank struct {
	Demand Demand
	Size   int64 // see Size
}

// Compare is negative if a pod of rank a leaves before one of rank b.
func Compare(a, b Rank) int {
	return cmp.Or(cmp.Compare(b.Demand, a.Demand), cmp.Compare(b.Size, a.Size))
}

// RankOf is the rank of pods of a class. Wishes do not count: who cannot have them goes elsewhere.
func RankOf(c *shape.Class) Rank {
	return Rank{Demand: demandOf(c), Size: Size(c.Requests)}
}

func demandOf(c *shape.Class) Demand {
	switch {
	case slices.ContainsFunc(c.Spread, func(s shape.Spread) bool { return s.Hard }),
		slices.ContainsFunc(c.Affinity, func(t shape.PodTerm) bool { return t.Weight == 0 }):
		return Exactly
	case c.NoNode, len(c.NodeSelector)+len(c.NodeTerms)+len(c.VolumeTerms)+len(c.Attach)+len(c.Bindings) > 0:
		return Somewhere
	}
	return Anywhere
}

// memoryShift makes bytes of memory comparable with thousandths of a core: a core weighs as much as 4 GiB, which is
// what a machine for general use has for each of its cores.
const memoryShift = 22

// Size weighs what a pod asks for, in thousandths of a core: its cores or its memory, whichever is more.
func Size(v shape.Vector) int64 { return max(v.CPU, v.Memory>>memoryShift) }
