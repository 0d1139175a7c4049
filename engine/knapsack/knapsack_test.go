package knapsack

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// widest is more partial contents than the problems here have: nothing is dropped.
const widest = 1_000_000

// problems draws a machine and items, few enough to try everything.
func problems(t *rapid.T) (room []int64, items []Item) {
	upTo := func(n int64, what string) int64 { return rapid.Int64Range(0, n).Draw(t, what) }
	room = []int64{1 + upTo(39, "cpu"), 1 + upTo(39, "memory"), upTo(3, "disk"), 1 + upTo(7, "slots")}
	for i := range rapid.IntRange(1, 5).Draw(t, "items") {
		items = append(items, Item{
			Row: i, Most: rapid.IntRange(1, 4).Draw(t, "most"), Worth: rapid.Float64Range(1, 50).Draw(t, "worth"),
			Need: []int64{1 + upTo(11, "needs cpu"), upTo(12, "needs memory"), upTo(1, "needs disk"), 1},
		})
	}
	return room, items
}

func solve(room []int64, items []Item, floor float64, width int) (k *Solver, upper float64, found bool) {
	k = new(Solver)
	upper, found = k.Solve(room, slices.Clone(items), floor, width)
	return k, upper, found
}

func TestTheBestContentIsFoundIfNothingIsDropped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		room, items := problems(t)
		best := tryAll(items, room, 0)
		k, upper, found := solve(room, items, 0, widest)
		if found != (best > 0) || k.Value > best+1e-9 || k.Value*relTolerance < best {
			t.Fatalf("found %v, worth %v; the best is worth %v", found, k.Value, best)
		}
		if upper > best*relTolerance*(1+1e-9)+1e-9 {
			t.Fatalf("the bound is %v, but a full search knows that the best is %v", upper, best)
		}
	})
}

// Proofs rest on it.
func TestNoContentIsWorthMoreThanTheBound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		room, items := problems(t)
		best := tryAll(items, room, 0)
		floor := rapid.Float64Range(0, 100).Draw(t, "floor")
		width := rapid.SampledFrom([]int{1, 2, 5, widest}).Draw(t, "width")
		if _, upper, _ := solve(room, items, floor, width); upper < max(best, floor) {
			t.Fatalf("the bound is %v with width %d and floor %v, but %v is possible", upper, width, floor, best)
		}
		if upper := new(Solver).UpperBound(room, slices.Clone(items)); upper < best {
			t.Fatalf("the bound without a search is %v, but %v is possible", upper, best)
		}
	})
}

func TestTheContentFitsAndIsWorthWhatIsSaid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		room, items := problems(t)
		floor := rapid.Float64Range(0, 60).Draw(t, "floor")
		k, _, found := solve(room, items, floor, rapid.SampledFrom([]int{1, 3, widest}).Draw(t, "width"))
		if !found {
			return
		}
		worth, left := 0.0, slices.Clone(room)
		for i, n := range k.Best {
			if n > k.Items[i].Most {
				t.Fatalf("%d pods of item %d, of which there are %d", n, k.Items[i].Row, k.Items[i].Most)
			}
			worth += k.Items[i].Worth * float64(n)
			for d := range left {
				left[d] -= k.Items[i].Need[d] * int64(n)
			}
		}
		if slices.Min(left) < 0 {
			t.Fatalf("the content does not fit: %v is left of %v", left, room)
		}
		if worth <= floor || worth < k.Value-1e-9 || worth > k.Value+1e-9 {
			t.Fatalf("the content is worth %v, said to be worth %v, with a floor of %v", worth, k.Value, floor)
		}
	})
}

// What a Solver did before must not show.
func TestASolverMayBeUsedAgain(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var k Solver
		for range 3 {
			room, items := problems(t)
			width := rapid.SampledFrom([]int{1, 3, widest}).Draw(t, "width")
			fresh, want, _ := solve(room, items, 0, width)
			got, _ := k.Solve(room, slices.Clone(items), 0, width)
			if got != want || k.Value != fresh.Value || !slices.Equal(k.Best, fresh.Best) || k.Steps != fresh.Steps {
				t.Fatalf("used again: bound %v, content %v in %d steps; new: %v, %v in %d",
					got, k.Best, k.Steps, want, fresh.Best, fresh.Steps)
			}
		}
	})
}

func TestLargestMovesTheLargestToTheFront(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Float64Range(0, 9), 1, 40).Draw(t, "list")
		n := rapid.IntRange(1, len(list)).Draw(t, "n")
		want := slices.Clone(list)
		slices.Sort(want)
		want = want[len(want)-n:]
		least := largest(list, n)
		got := slices.Clone(list[:n])
		slices.Sort(got)
		if !slices.Equal(got, want) || least != want[0] {
			t.Fatalf("the %d largest are %v with least %v, want %v", n, got, least, want)
		}
	})
}

// tryAll is the most that any content is worth.
func tryAll(items []Item, room []int64, i int) float64 {
	if i == len(items) {
		return 0
	}
	best := 0.0
	left := slices.Clone(room)
	for n := 0; n <= items[i].Most; n++ {
		best = max(best, float64(n)*items[i].Worth+tryAll(items, left, i+1))
		for d := range left {
			if left[d] -= items[i].Need[d]; left[d] < 0 {
				return best
			}
		}
	}
	return best
}
