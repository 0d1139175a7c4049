package board_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// empty is the board of a random cluster with something to be placed.
func empty(t *rapid.T) *board.Board {
	s := enginetest.Snapshots().Draw(t, "cluster")
	table := feasible.Compile(&s, true)
	b := board.New(table, spread.New(table))
	b.SetLimits(limits.New(table, true))
	return b
}

// shown is everything that a board shows.
func shown(b *board.Board) string {
	var out strings.Builder
	for node := range b.Table.Nodes {
		fmt.Fprintln(&out, "free", node, b.Free(node))
		for class := range b.Table.Classes {
			fmt.Fprint(&out, " ", b.First(node, class), b.Room(node, class, 3))
		}
	}
	for i := range b.Spread.Tallies {
		t := &b.Spread.Tallies[i]
		fmt.Fprintln(&out, "tally", i, t.Count, t.Total, t.Here, t.Nodes)
	}
	for p, pool := range b.Table.Pools {
		for c := pool.Usable.Next(0); c >= 0; c = pool.Usable.Next(c + 1) {
			fmt.Fprint(&out, " ", b.Limits.Machines(p, c))
		}
	}
	fmt.Fprintf(&out, "\n%+v\n%+v\n%v\n%v\n", b.Items, b.Bins, b.Stuck, b.Moves(0))
	return out.String()
}

// steps are the changes that a board knows: each makes one for n pods of a class, if it can.
var steps = []func(t *rapid.T, b *board.Board, class, n int){
	func(t *rapid.T, b *board.Board, class, n int) {
		if len(b.Table.Nodes) > 0 {
			b.Place(rapid.IntRange(0, len(b.Table.Nodes)-1).Draw(t, "node"), class, n)
		}
	},
	func(t *rapid.T, b *board.Board, _, n int) {
		if moves := b.Moves(0); len(moves) > 0 {
			m := rapid.SampledFrom(moves).Draw(t, "move")
			b.TakeBack(m, min(n, max(int(m.Count), 0)))
		}
	},
	func(_ *rapid.T, b *board.Board, class, n int) { b.Send(class, nil, n) },
	func(t *rapid.T, b *board.Board, class, n int) {
		if cells := b.Spread.Cells(b.Spread.Classes[class].Keys); len(cells) > 0 {
			cell := rapid.SampledFrom(cells).Draw(t, "cell")
			b.OpenCell(cell)
			b.Send(class, cell, n)
		}
	},
	func(_ *rapid.T, b *board.Board, class, n int) { b.Settle(class, n) },
	func(_ *rapid.T, b *board.Board, class, n int) { b.SetStuck(class, n) },
	func(_ *rapid.T, b *board.Board, class, n int) {
		b.AddItems(board.Item{Class: class, Count: n})
		bin := board.Bin{Load: []int64{1, 2}, Entries: []board.Entry{{Item: len(b.Items) - 1, Count: n}}}
		if bin.Column = b.Table.Pools[0].Usable.Next(0); bin.Column >= 0 {
			b.AddBins(bin)
			b.Use(&bin, 1)
		}
	},
	func(t *rapid.T, b *board.Board, _, n int) {
		if len(b.Bins) > 0 {
			bin := b.Change(rapid.IntRange(0, len(b.Bins)-1).Draw(t, "bin"))
			bin.Load[0] += int64(n)
			bin.Entries[0].Count += n
			bin.Entries = append(bin.Entries, board.Entry{Item: 0, Count: n})
		}
	},
	func(_ *rapid.T, b *board.Board, _, _ int) {
		if len(b.Bins) > 0 {
			b.SetBins(slices.Clone(b.Bins[:len(b.Bins)-1]))
		}
	},
	func(_ *rapid.T, b *board.Board, _, _ int) { b.SetLimits(b.Limits.Clone()) },
}

// step makes one change at random.
func step(t *rapid.T, b *board.Board) {
	class := rapid.IntRange(0, len(b.Table.Classes)-1).Draw(t, "class")
	rapid.SampledFrom(steps).Draw(t, "change")(t, b, class, rapid.IntRange(1, 3).Draw(t, "pods"))
}

func TestRollbackRestoresTheBoardExactly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := empty(t)
		if len(b.Table.Classes) == 0 || len(b.Table.Pools) == 0 {
			return
		}
		var marks []board.Mark
		var before []string
		for range rapid.IntRange(1, 4).Draw(t, "what-ifs in each other") {
			marks, before = append(marks, b.Begin()), append(before, shown(b))
			for range rapid.IntRange(0, 6).Draw(t, "changes") {
				step(t, b)
			}
		}
		for i := len(marks) - 1; i >= 0; i-- {
			b.Rollback(marks[i])
			if after := shown(b); after != before[i] {
				t.Fatalf("what-if %d, rolled back, leaves\n%s\nbefore it was\n%s", i, after, before[i])
			}
		}
	})
}

func TestWhatIsTakenBackIsNoLongerAmongTheMoves(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b := empty(t)
		if len(b.Table.Classes) == 0 || len(b.Table.Nodes) == 0 {
			return
		}
		free := slices.Clone(b.Free(0))
		b.Place(0, 0, 3)
		since := b.Begin()
		b.Place(0, 0, 2)
		b.TakeBack(b.Moves(0)[0], 3)
		b.TakeBack(b.Moves(since)[0], 1)
		if m := b.Moves(0); len(m) != 2 || m[0].Count != 0 || m[1].Count != 1 {
			t.Fatalf("three pods and two were placed, three and one taken back; the moves are %v", m)
		}
		b.TakeBack(b.Moves(since)[0], 1)
		if !slices.Equal(b.Free(0), free) {
			t.Fatalf("all was taken back, but %v is free instead of %v", b.Free(0), free)
		}
	})
}
