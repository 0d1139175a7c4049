package place_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// placer is one for a random cluster.
func placer(t *rapid.T) (*board.Board, *place.Placer) {
	s := enginetest.Snapshots().Draw(t, "cluster")
	table := feasible.Compile(&s, true)
	b := board.New(table, spread.New(table))
	b.SetLimits(limits.New(table, true))
	return b, place.New(b, rapid.Bool().Draw(t, "level"), place.Way{})
}

// itemsOf is how many pods of a class, in all its variants, are in items.
func itemsOf(b *board.Board, p *place.Placer, class int) (n int) {
	for _, it := range p.Items {
		if int(b.Table.Classes[it.Class].Base) == class {
			n += it.Count
		}
	}
	return n
}

func TestAPodIsOnANodeOrInAnItemOrLeft(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, p := placer(t)
		for class, c := range b.Table.Classes {
			since := b.Begin()
			left := p.Assign(class, len(c.Pods))
			placed := 0
			for _, m := range b.Moves(since) {
				placed += int(m.Count)
			}
			if got := placed + itemsOf(b, p, class) + left; got != len(c.Pods) {
				t.Fatalf("of %d pods of class %d so many are on nodes, in items, left: %d, %d, %d",
					len(c.Pods), class, placed, itemsOf(b, p, class), left)
			}
		}
	})
}

func TestNoNodeIsOverfilled(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, p := placer(t)
		for class, c := range b.Table.Classes {
			p.Assign(class, len(c.Pods))
		}
		for node := range b.Table.Nodes {
			for d, n := range b.Free(node) {
				if n < min(b.Table.Nodes[node].Free[d], 0) {
					t.Fatalf(
						"node %s has %d of %s left, it had %d", b.Table.Nodes[node].Name, n, b.Table.Resources[d],
						b.Table.Nodes[node].Free[d],
					)
				}
			}
		}
	})
}

// Room that is there costs nothing.
func TestNodesAreOpenedOnlyWhenExistingOnesAreFull(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, p := placer(t)
		for class, c := range b.Table.Classes {
			if len(b.Spread.Classes[class].Rules) > 0 || c.Refused != "" {
				continue // rules may keep pods off nodes with room
			}
			p.Assign(class, len(c.Pods))
			inItems := slices.ContainsFunc(p.Items, func(it board.Item) bool { return it.Class == class })
			for node := range b.Table.Nodes {
				if inItems && b.Allows(node, class) && b.Room(node, class, 1) > 0 {
					t.Fatalf(
						"pods of class %d are to have a new node, but %s has room", class, b.Table.Nodes[node].Name,
					)
				}
			}
		}
	})
}

func TestAScopeHasWhatAlternativesAndPoolAllow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, _ := placer(t)
		for _, c := range b.Table.Classes {
			scope := place.NewScope(b.Table, place.ScopeKey{Where: c.Where})
			for p, pool := range b.Table.Pools {
				for column := range b.Table.Columns {
					allowed := pool.Usable.Has(column) &&
						slices.ContainsFunc(b.Table.Alternatives(c.Where, pool), func(a feasible.Alternative) bool {
							return a.Columns.Has(column) && pool.FreeLeft(a.Free)
						})
					if scope.Has(p, column) != allowed {
						t.Fatalf(
							"column %d of pool %s is in the scope: %v, want %v", column, pool.Name, !allowed, allowed,
						)
					}
				}
			}
		}
	})
}
