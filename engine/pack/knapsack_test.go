package pack

import (
	"testing"

	"pgregory.net/rapid"
)

// TestKnapsackBoundHolds compares the search with trying everything.
func TestKnapsackBoundHolds(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		room := []int64{rapid.Int64Range(1, 40).Draw(t, "cpu"), rapid.Int64Range(1, 40).Draw(t, "memory"), 0, rapid.Int64Range(1, 8).Draw(t, "pods")}
		var items []loot
		for i := range rapid.IntRange(1, 5).Draw(t, "items") {
			items = append(items, loot{row: i, most: rapid.IntRange(1, 4).Draw(t, "most"), worth: float64(rapid.IntRange(1, 50).Draw(t, "worth")),
				need: []int64{rapid.Int64Range(1, 12).Draw(t, "needs cpu"), rapid.Int64Range(0, 12).Draw(t, "needs memory"), 0, 1}})
		}
		best := tryAll(items, room, 0)
		limit := rapid.SampledFrom([]int{1, 5, 1_000_000}).Draw(t, "limit")
		var k knapsack
		upper, found := k.solve(room, append([]loot(nil), items...), 0, limit)
		if upper < best {
			t.Fatalf("upper bound %v, but %v is possible", upper, best)
		}
		if limit > 1000 && found && k.value*closeEnough < best {
			t.Fatalf("a finished search found %v, the best is %v", k.value, best)
		}
		sum, left := 0.0, append([]int64(nil), room...)
		for i, n := range k.best {
			sum += k.items[i].worth * float64(n)
			for d := range left {
				left[d] -= k.items[i].need[d] * int64(n)
			}
		}
		for d := range left {
			if left[d] < 0 {
				t.Fatalf("the content found does not fit: %v left", left)
			}
		}
		if found && sum < k.value-1e-9 {
			t.Fatalf("the content found is worth %v, not %v", sum, k.value)
		}
	})
}

// tryAll is the most that any content is worth.
func tryAll(items []loot, room []int64, i int) float64 {
	if i == len(items) {
		return 0
	}
	best := 0.0
	left := append([]int64(nil), room...)
	for n := 0; n <= items[i].most; n++ {
		best = max(best, float64(n)*items[i].worth+tryAll(items, left, i+1))
		for d := range left {
			if left[d] -= items[i].need[d]; left[d] < 0 {
				return best
			}
		}
	}
	return best
}
