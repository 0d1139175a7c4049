package bitset_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/bitset"
)

// What is asked of a part of a set agrees with asking every member.
func TestPartsOfSets(t *testing.T) {
	t.Parallel()
	const n = 200
	member := rapid.SliceOf(rapid.IntRange(0, n-1))
	rapid.Check(t, func(t *rapid.T) {
		s, o := bitset.New(n), bitset.New(n)
		for _, i := range member.Draw(t, "both") {
			s.Add(i)
			o.Add(i)
		}
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 2).Draw(t, "one") {
			s.Add(i)
		}
		at := rapid.OneOf(rapid.IntRange(0, n-1), rapid.SampledFrom([]int{0, 63, 64, 127, 128})).Draw(t, "at")
		below, equal := 0, true
		for i := range n {
			if i < at && s.Has(i) {
				below++
			}
			equal = equal && (i < at || s.Has(i) == o.Has(i))
		}
		if got := s.CountBelow(at); got != below {
			t.Errorf("%d members below %d, want %d", got, at, below)
		}
		if got := s.EqualFrom(at, o); got != equal {
			t.Errorf("equal from %d on: %v, want %v", at, got, equal)
		}
	})
}
