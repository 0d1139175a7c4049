// Package board is what is where while a plan is being made.
//
// It holds what is left on existing nodes, how many pods are where, and the nodes that are to be opened, and it is the
// only thing of a plan that changes while the plan is being made. Every change goes through a method and into one log,
// so that a what-if is Begin, try, and Rollback in as many steps as were changes. The board checks room and counts; it
// does not choose.
package board

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// Board is the state of one plan. Its fields are for reading: what changes them is methods. Not safe for concurrent
// use.
//
// Invariants: free is what the Table's nodes have free, less what the log places there; what Spread counts is what it
// counted in the beginning, and what the log places, sends and settles; every Entry of Bins refers to one of Items.
type Board struct {
	Table  *feasible.Table
	Spread *spread.State

	Limits *limits.Budgets // what the pools may still grow by; nil where no nodes are opened
	Items  []Item          // pods that need new nodes
	Bins   []Bin           // the new nodes; Entries refer to Items
	Stuck  []int           // by class: pods without a place

	free []int64 // by node and resource
	dims int
	log  []change

	attached map[[2]int32]int32 // pods of this plan by node and shared volume
}

// Move is so many pods of one class put on an existing node; fewer than none were taken off it.
type Move struct {
	Node  int32 // index into Table.Nodes
	Class int32 // index into Table.Classes
	Count int32
}

// change is an entry of the log. The common ones are values: a large plan makes a hundred thousand of them.
type change struct {
	Move
	kind kind
	of   int32        // taken back: the entry that placed them
	cell *spread.Cell // sent, opened
	undo func()       // other
}

type kind uint8

const (
	placed    kind = iota // Count pods of Class on Node
	takenBack             // Count pods of those that entry of placed
	sent                  // Count pods of Class to cell, nil for anywhere
	opened                // a node in cell
	settled               // Count pods of Class on nodes that take no more
	other
)

// New is the board before anything is placed, without limits.
func New(t *feasible.Table, s *spread.State) *Board {
	b := &Board{
		Table: t, Spread: s, dims: len(t.Resources), attached: map[[2]int32]int32{},
		Stuck: make([]int, len(t.Classes)),
	}
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
	return b.Spread.HostRoom(class, node, n)
}

// Fits is Room by resources alone.
func (b *Board) Fits(node, class, limit int) int {
	need, free := b.Table.Classes[class].Need, b.Free(node)
	return feasible.FitsAfter(b.First(node, class), need, free, limit)
}

// Place puts pods on a node, whether they fit or not.
func (b *Board) Place(node, class, count int) {
	b.move(node, class, count)
	b.log = append(b.log, change{Move: Move{int32(node), int32(class), int32(count)}})
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

// Placed is a Move with what TakeBack calls it by.
type Placed struct {
	Move
	at int32 // in the log
}

// Moves lists what was placed on existing nodes since a mark, in order, less what was taken back of it.
func (b *Board) Moves(since Mark) []Placed {
	out := make([]Placed, 0, len(b.log)-int(since))
	back := false
	for i, c := range b.log[since:] {
		if c.kind == placed {
			out = append(out, Placed{c.Move, int32(since) + int32(i)})
		}
		back = back || c.kind == takenBack
	}
	for _, c := range b.log[since:] {
		if !back || c.kind != takenBack {
			continue
		}
		i, found := slices.BinarySearchFunc(out, c.of, func(p Placed, of int32) int { return int(p.at - of) })
		if found {
			out[i].Count -= c.Count
		}
	}
	return out
}

// TakeBack takes n pods of one move off their node again.
func (b *Board) TakeBack(p Placed, n int) {
	b.move(int(p.Node), int(p.Class), -n)
	b.log = append(b.log, change{Move: Move{p.Node, p.Class, int32(n)}, kind: takenBack, of: p.at})
}

// Send counts n pods of a class as sent to a cell, nil for any; fewer than none are no longer counted.
func (b *Board) Send(class int, cell *spread.Cell, n int) {
	send(b, class, cell, int32(n))
	b.log = append(b.log, change{Move: Move{Class: int32(class), Count: int32(n)}, kind: sent, cell: cell})
}

func send(b *Board, class int, cell *spread.Cell, n int32) {
	if cell != nil {
		b.Spread.Enter(class, b.Table, cell, n)
	} else {
		b.Spread.EnterHosts(class, n)
	}
}

// OpenCell counts a node that is going to be opened in a cell.
func (b *Board) OpenCell(cell *spread.Cell) {
	b.Spread.Open(cell)
	b.log = append(b.log, change{kind: opened, cell: cell})
}

// Settle counts n pods of a class as being on new nodes that take no more pods; fewer than none no longer are.
func (b *Board) Settle(class, n int) {
	b.Spread.Close(class, n)
	b.log = append(b.log, change{Move: Move{Class: int32(class), Count: int32(n)}, kind: settled})
}

// do logs a change that was made, with what undoes it.
func (b *Board) do(undo func()) { b.log = append(b.log, change{kind: other, undo: undo}) }

// AddItems adds items, which bins may refer to then.
func (b *Board) AddItems(items ...Item) {
	before := b.Items
	b.Items = append(b.Items, items...)
	b.do(func() { b.Items = before })
}

// KeepItems drops all but the first n items. No bin may refer to the others.
func (b *Board) KeepItems(n int) {
	before := b.Items
	b.Items = b.Items[:n]
	b.do(func() { b.Items = before })
}

// SetBins makes a list the new nodes. The list before must not be written to then, except for bins that were told to
// Change.
func (b *Board) SetBins(bins []Bin) {
	before := b.Bins
	b.Bins = bins
	b.do(func() { b.Bins = before })
}

// AddBins adds new nodes.
func (b *Board) AddBins(bins ...Bin) { b.SetBins(append(b.Bins, bins...)) }

// Change is one of the new nodes, to be changed in place.
func (b *Board) Change(bin int) *Bin {
	at := &b.Bins[bin]
	before := *at
	at.Load, at.Entries = slices.Clone(at.Load), slices.Clone(at.Entries) // lists of before share what there was
	b.do(func() { *at = before })
	return at
}

// SetLimits makes budgets those of the plan, as a packing left them.
func (b *Board) SetLimits(l *limits.Budgets) {
	before := b.Limits
	b.Limits = l
	b.do(func() { b.Limits = before })
}

// Use has so many machines of a bin take of the limits what they keep; fewer than none give it back.
func (b *Board) Use(bin *Bin, machines int) {
	l, pool, column, keeps := b.Limits, bin.Pool, bin.Column, bin.Keeps
	l.Take(pool, column, keeps, machines)
	b.do(func() { l.Take(pool, column, keeps, -machines) })
}

// SetStuck says how many pods of a class have no place.
func (b *Board) SetStuck(class, n int) {
	before := b.Stuck[class]
	b.Stuck[class] = n
	b.do(func() { b.Stuck[class] = before })
}

// Mark is a point to come back to.
type Mark int

// Begin marks the present state.
func (b *Board) Begin() Mark { return Mark(len(b.log)) }

// Rollback undoes everything since the mark.
func (b *Board) Rollback(m Mark) {
	for i := len(b.log) - 1; i >= int(m); i-- {
		b.log[i].takeBack(b)
	}
	clear(b.log[m:])
	b.log = b.log[:m]
}

// takeBack undoes a change.
func (c *change) takeBack(b *Board) {
	switch c.kind {
	case placed:
		b.move(int(c.Node), int(c.Class), -int(c.Count))
	case takenBack:
		b.move(int(c.Node), int(c.Class), int(c.Count))
	case sent:
		send(b, int(c.Class), c.cell, -c.Count)
	case opened:
		b.Spread.Unopen(c.cell)
	case settled:
		b.Spread.Close(int(c.Class), -int(c.Count))
	case other:
		c.undo()
	}
}
