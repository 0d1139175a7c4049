package sample

import (
	"math/rand/v2"
	"slices"
)

// Dice draw everything that is random in a cluster. Equal seeds draw equal clusters.
type Dice struct{ *rand.Rand }

// NewDice throws as the seed says.
func NewDice(seed uint64) Dice { return Dice{rand.New(rand.NewPCG(seed, 0xD07E7A11))} }

// Percent is true in so many of a hundred cases.
func (d Dice) Percent(n int) bool { return d.IntN(100) < n }

// Between is one of low to high, both included.
func (d Dice) Between(low, high int) int { return low + d.IntN(high-low+1) }

// Pick takes one.
func Pick[T any](d Dice, from ...T) T { return from[d.IntN(len(from))] }

// Some takes low to high different ones, in their order.
func Some[T any](d Dice, low, high int, from ...T) []T {
	high = min(high, len(from))
	at := d.Perm(len(from))[:d.Between(min(low, high), high)]
	slices.Sort(at)
	out := make([]T, len(at))
	for i, j := range at {
		out[i] = from[j]
	}
	return out
}
