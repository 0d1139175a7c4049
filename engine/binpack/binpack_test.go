package binpack_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/binpack"
	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

// work is what a random cluster leaves to be packed.
func work(t *rapid.T) binpack.Work {
	s := enginetest.Snapshots().Draw(t, "cluster")
	table := feasible.Compile(&s, true)
	b := board.New(table, spread.New(table))
	b.SetLimits(limits.New(table, true))
	p := place.New(b, false, place.Way{})
	for class, c := range table.Classes {
		p.Assign(class, len(c.Pods))
	}
	w := binpack.Work{Table: table, Spread: b.Spread, Items: p.Items, Limits: b.Limits.Clone()}
	w.Effort = rapid.SampledFrom([]int{0, 3_000, 200_000}).Draw(t, "effort")
	if rapid.Bool().Draw(t, "frugal") {
		w.Frugal = make([]int, len(w.Items))
	}
	return w
}

func price(w binpack.Work, p *binpack.Packing) (sum float64) {
	for i := range p.Bins {
		sum += float64(p.Bins[i].Price(w.Table))
	}
	return sum
}

func TestEveryPodOfAnItemIsInABinOrLeft(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := work(t)
		p := binpack.Fill(w)
		have := make([]int, len(w.Items))
		for _, b := range p.Bins {
			for _, e := range b.Entries {
				have[e.Item] += e.Count
			}
		}
		for i, it := range w.Items {
			if have[i]+p.Left[i] != it.Count {
				t.Fatalf("item %d has %d pods, of which %d are in bins and %d left", i, it.Count, have[i], p.Left[i])
			}
		}
	})
}

// Whichever of its columns a bin is launched from, its pods have room there.
func TestEveryColumnOfABinHoldsItsPods(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := work(t)
		for n, b := range binpack.Fill(w).Bins {
			load := make([]int64, len(w.Table.Resources))
			volumes := map[feasible.Volume]bool{}
			for _, e := range b.Entries {
				c := w.Table.Classes[w.Items[e.Item].Class]
				for d, need := range c.Need {
					load[d] += need * int64(e.Count)
				}
				for _, v := range c.Shared {
					if !volumes[v] {
						volumes[v] = true
						load[v.Dim]++
					}
				}
			}
			if !b.Columns.Has(b.Column) {
				t.Fatalf("bin %d is planned for column %d, which is not among those that it keeps", n, b.Column)
			}
			for c := b.Columns.Next(0); c >= 0; c = b.Columns.Next(c + 1) {
				room := w.Table.Pools[b.Pool].Room(c)
				for d := range load {
					if load[d] != b.Load[d] {
						t.Fatalf(
							"bin %d is said to hold %d of %s, its pods take %d", n, b.Load[d], w.Table.Resources[d],
							load[d],
						)
					}
					if load[d] > max(room[d], 0) {
						t.Fatalf(
							"bin %d holds %d of %s, column %d has %d", n, load[d], w.Table.Resources[d], c, room[d],
						)
					}
				}
			}
		}
	})
}

func TestAPackingTakesWhatItsBinsTakeOfTheLimits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := work(t)
		before := w.Limits.Clone()
		p := binpack.Fill(w)
		for i := range p.Bins {
			b := &p.Bins[i]
			if before.Times(b.Pool, b.Column, b.Keeps) == 0 {
				t.Fatalf("bin %d of %d is beyond the limits", i, len(p.Bins))
			}
			before.Take(b.Pool, b.Column, b.Keeps, 1)
		}
		for pool := range w.Table.Pools {
			for c := range w.Table.Columns {
				if got, want := w.Limits.Machines(pool, c), before.Machines(pool, c); got != want {
					t.Fatalf(
						"the packing leaves room for %d machines of column %d, its bins leave room for %d", got, c,
						want,
					)
				}
			}
		}
	})
}

func TestNothingIsCheaperThanTheFloor(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := work(t)
		few, many := w, w
		few.Limits, many.Limits = w.Limits.Clone(), w.Limits.Clone()
		few.Effort, many.Effort = 0, 500_000
		floor := max(binpack.Fill(w).Floor, binpack.Fill(few).Floor)
		p := binpack.Fill(many)
		for _, n := range p.Left {
			if n > 0 {
				return
			}
		}
		if got := price(w, p); got < floor*(1-1e-9) {
			t.Fatalf("a packing costs %v, and none is said to cost less than %v", got, floor)
		}
	})
}

func TestEqualWorkIsPackedEqually(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := work(t)
		again := w
		again.Limits = w.Limits.Clone()
		p, q := binpack.Fill(w), binpack.Fill(again)
		if len(p.Bins) != len(q.Bins) || p.Steps != q.Steps || price(w, p) != price(w, q) || p.Floor != q.Floor {
			t.Fatalf(
				"once %d bins for %v in %d steps, then %d for %v in %d", len(p.Bins), price(w, p), p.Steps, len(q.Bins),
				price(w, q), q.Steps,
			)
		}
	})
}
