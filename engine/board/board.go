// Package board is what is where while a plan is being made.
//
// It holds what is left on existing nodes and how many pods are where, and it is the
// only thing that changes during planning. Every change is written to a log, so a
// what-if is begin, try, and roll back in as many steps as were changes. The board
// checks room and counts; it does not choose.
package board

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Board is the state of one plan.
type Board struct {
	Table  *feasible.Table
	Spread *spread.State

	free []int64 // by node and resource
	dims int
	log  []Move

	attached map[[2]int32]int32 // pods of this plan by node and shared volume
}

// Move is so many pods of one class put on an existing node.
type Move struct {
	Node  int32 // index into Table.Nodes
	Class int32 // index into Table.Classes
	Count int32
}

// New is the board before anything is placed.
func New(t *feasible.Table, s *spread.State) *Board {
	b := &Board{Table: t, Spread: s, dims: len(t.Resources), attached: map[[2]int32]int32{}}
	b.free = make([]int64, len(t.Nodes)*b.dims)
	for i := range t.Nodes {
		copy(b.free[i*b.dims:], t.Nodes[i].Free)
	}
	return b
}

// Free is what is left on a node. It must not be written to.
func (b *Board) Free(node int) []int64 { return b.free[node*b.dims : (node+1)*b.dims] }

// First is what the next pod of a class takes from a node: what it asks for, and slots for those volumes that it
// shares with others and that are not attached there yet. It must not be written to.
func (b *Board) First(node, class int) []int64 {
	c := b.Table.Classes[class]
	if len(c.Shared) == 0 {
		return c.Need
	}
	first := slices.Clone(c.Need)
	for _, v := range c.Shared {
		if !b.has(node, v) {
			first[v.Dim]++
		}
	}
	return first
}

func (b *Board) has(node int, v feasible.Volume) bool {
	at := [2]int32{int32(node), v.ID}
	return b.Table.Attached[at] || b.attached[at] > 0
}

// Allows reports whether a node may take pods of the class as far as it itself says.
func (b *Board) Allows(node, class int) bool {
	n := &b.Table.Nodes[node]
	return n.Stage != shape.Leaving && b.Table.Classes[class].Where.AllowsNode(n)
}

// Room is how many more pods of a class fit on a node by resources and hostname rules, at most limit.
// Whether the node's labels, taints and domains suit is not looked at.
func (b *Board) Room(node, class, limit int) int {
	n := b.Fits(node, class, limit)
	if n == 0 || !b.Spread.Classes[class].Hosts {
		return n
	}
	return b.Spread.HostRoom(class, func(tally int32) int32 { return b.Spread.Tallies[tally].Count[node] }, n)
}

// Fits is Room by resources alone.
func (b *Board) Fits(node, class, limit int) int {
	need, free := b.Table.Classes[class].Need, b.Free(node)
	return feasible.FitsAfter(b.First(node, class), need, free, limit)
}

// Place puts pods on a node, whether they fit or not.
func (b *Board) Place(node, class, count int) {
	b.move(node, class, count)
	b.log = append(b.log, Move{int32(node), int32(class), int32(count)})
}

// Take takes pods off a node again, whether the board put them there or not. The log has it as a negative count.
func (b *Board) Take(node, class, count int) { b.Place(node, class, -count) }

func (b *Board) move(node, class, count int) {
	free := b.Free(node)
	for d, need := range b.Table.Classes[class].Need {
		free[d] -= need * int64(count)
	}
	for _, v := range b.Table.Classes[class].Shared {
		before := b.has(node, v)
		b.attached[[2]int32{int32(node), v.ID}] += int32(count)
		switch after := b.has(node, v); {
		case after && !before:
			free[v.Dim]--
		case before && !after:
			free[v.Dim]++
		}
	}
	for _, tally := range b.Spread.Classes[class].Adds {
		b.Spread.Add(tally, node, int32(count))
	}
}

// Moves lists what was placed, in order. It must not be written to.
func (b *Board) Moves() []Move { return b.log }

// Mark is a point to come back to.
type Mark int

// Begin marks the present state.
func (b *Board) Begin() Mark { return Mark(len(b.log)) }

// Rollback undoes everything since the mark.
func (b *Board) Rollback(m Mark) {
	for i := len(b.log) - 1; i >= int(m); i-- {
		move := b.log[i]
		b.move(int(move.Node), int(move.Class), -int(move.Count))
	}
	b.log = b.log[:m]
}

// TakeBack takes n pods of one move off their node out of order; the move stays in the log.
func (b *Board) TakeBack(i, n int) {
	m := &b.log[i]
	b.move(int(m.Node), int(m.Class), -n)
	m.Count -= int32(n)
}
