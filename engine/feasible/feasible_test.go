package feasible_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func table(t *rapid.T) *feasible.Table {
	s := enginetest.Snapshots().Draw(t, "cluster")
	return feasible.Compile(&s, true)
}

func TestAsManyFitAsCanBeTakenOneByOne(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.IntRange(1, 5).Draw(t, "resources")
		amounts := func(from, upto int64, what string) []int64 {
			return rapid.SliceOfN(rapid.Int64Range(from, upto), d, d).Draw(t, what)
		}
		need, more, room, limit := amounts(
			0, 4, "need",
		), amounts(0, 2, "more"), amounts(-3, 20, "room"), rapid.IntRange(0, 9).Draw(t, "limit")
		first := make([]int64, d)
		for i := range first {
			first[i] = need[i] + more[i]
		}
		for name, got := range map[string]int{
			"Fits": feasible.Fits(need, room, limit), "FitsAfter": feasible.FitsAfter(first, need, room, limit),
		} {
			left, n := slices.Clone(room), 0
			for ; n < limit; n++ {
				takes := need
				if n == 0 && name == "FitsAfter" {
					takes = first
				}
				enough := true
				for i := range takes {
					enough = enough && (takes[i] == 0 || takes[i] <= left[i])
					left[i] -= takes[i]
				}
				if !enough {
					break
				}
			}
			if got != n {
				t.Fatalf("%s: %d of %v, the first %v, fit into %v; one by one %d do", name, got, need, first, room, n)
			}
		}
	})
}

// A column is refused with a reason or it is not refused.
func TestAColumnIsAnAlternativeIfNothingSpeaksAgainstIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tb := table(t)
		for i, c := range tb.Classes {
			for _, p := range tb.Pools {
				alts := tb.Alternatives(c.Where, p)
				if _, ok := c.Where.Tolerates(p.Taints); !ok && len(alts) > 0 {
					t.Fatalf("class %d does not tolerate the taints of %s, but may go to its nodes", i, p.Name)
				} else if !ok {
					continue
				}
				for column := range tb.Columns {
					among := slices.ContainsFunc(alts, func(a feasible.Alternative) bool {
						return a.Columns.Has(column)
					})
					why, ok := tb.WhyColumn(c.Where, p, column)
					if p.Columns.Has(column) && (ok != among || !ok && why.Kind == "") {
						t.Fatalf(
							"class %d, pool %s, column %d: among the alternatives %v, objection %v %+v", i, p.Name,
							column, among, !ok, why,
						)
					}
				}
			}
		}
	})
}

// The selector of a class is a set over labels: a column whose labels are all known is allowed if they satisfy it.
func TestAlternativesSatisfyTheNodeSelector(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tb := table(t)
		for i, c := range tb.Classes {
			for _, p := range tb.Pools {
				for _, alt := range tb.Alternatives(c.Where, p) {
					for column := alt.Columns.Next(0); column >= 0; column = alt.Columns.Next(column + 1) {
						for _, r := range c.NodeSelector {
							v, known := tb.Columns[column].Label(r.Key)
							if known && !v.Overlaps(require.Of(r)) {
								t.Fatalf("class %d wants %v, column %d has %v", i, r, column, v)
							}
						}
					}
				}
			}
		}
	})
}

func TestALadderSortsColumnsByWhatTheyTake(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tb := table(t)
		resource := rapid.SampledFrom([]string{shape.CPU, shape.Memory, shape.LimitNodes}).Draw(t, "resource")
		for _, p := range tb.Pools {
			ladder := tb.Ladder(p, resource)
			most := rapid.Int64Range(0, 10_000).Draw(t, "most")
			k := ladder.Upto(most)
			for column := p.Usable.Next(0); column >= 0; column = p.Usable.Next(column + 1) {
				takes := tb.Columns[column].Takes(resource)
				if within := k >= 0 && ladder[k].Columns.Has(column); within != (takes <= most) {
					t.Fatalf(
						"column %d takes %d of %s and is among those that take at most %d: %v", column, takes, resource,
						most, within,
					)
				}
			}
		}
	})
}

// Usable columns have room for all daemons, and Variety counts the values that are there.
func TestUsableColumnsAreAvailableAndHaveRoom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tb := table(t)
		for _, p := range tb.Pools {
			types := map[string]bool{}
			for column := p.Usable.Next(0); column >= 0; column = p.Usable.Next(column + 1) {
				if c := tb.Columns[column]; !c.Offering.Available || slices.Min(p.Room(column)) < 0 {
					t.Fatalf(
						"column %d of %s: available %v, room %v", column, p.Name, c.Offering.Available, p.Room(column),
					)
				}
				types[tb.Columns[column].Type.Name] = true
			}
			if got := tb.Variety(shape.LabelInstanceType, p.Usable); int(got) != len(types) {
				t.Fatalf("%s may buy %d types, Variety says %d", p.Name, len(types), got)
			}
		}
	})
}

// Types of last resort go where others hold the load, too.
func TestHoldingKeepsTheColumnsWithRoom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tb := table(t)
		load := make([]int64, len(tb.Resources))
		for d := range load {
			load[d] = rapid.Int64Range(0, 3).Draw(t, "load") * rapid.SampledFrom([]int64{
				0, 1, 1000, 1 << 30, math.MaxInt64 / 4,
			}).Draw(t, "unit")
		}
		for _, p := range tb.Pools {
			columns := p.Usable.Clone()
			p.Holding(load, columns)
			for column := p.Usable.Next(0); column >= 0; column = p.Usable.Next(column + 1) {
				holds, kept := feasible.Holds(load, p.Room(column)), columns.Has(column)
				spared := tb.Columns[column].Type.LastResort && columns.Any() // others hold it, too
				if kept && !holds || holds && !kept && !spared {
					t.Fatalf(
						"column %d has room %v for %v: kept %v, holds it %v", column, p.Room(column), load, kept, holds,
					)
				}
			}
		}
	})
}
