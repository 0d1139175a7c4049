package oracle

import (
	"math/rand/v2"
	"slices"
)

// dice draw everything that is random in a cluster. Equal seeds draw equal clusters.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 0xD07E7A11))} }

// percent is true in so many of a hundred cases.
func (d dice) percent(n int) bool { return d.IntN(100) < n }

// between is one of low to high, both included.
func (d dice) between(low, high int) int { return low + d.IntN(high-low+1) }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// some takes low to high different ones, in their order.
func some[T any](d dice, low, high int, from ...T) []T {
	high = min(high, len(from))
	at := d.Perm(len(from))[:d.between(min(low, high), high)]
	slices.Sort(at)
	out := make([]T, len(at))
	for i, j := range at {
		out[i] = from[j]
	}
	return out
}
