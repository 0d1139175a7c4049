// Package bitset is a fixed-size set of small integers, for columns of offerings.
//
// It does what the planner needs and no more. Sets that are combined have the same
// length; nothing here allocates except New, Clone and And.
package bitset

import (
	"math/bits"
	"slices"
)

// Set is a set of integers from 0 up to 64 times its length.
type Set []uint64

// New is an empty set with room for n integers.
func New(n int) Set { return make(Set, (n+63)/64) }

// Full is the set of 0 to n-1.
func Full(n int) Set {
	s := New(n)
	for i := range s {
		s[i] = ^uint64(0)
	}
	if r := n % 64; r != 0 {
		s[len(s)-1] = 1<<r - 1
	}
	return s
}

// Clone is a copy.
func (s Set) Clone() Set { return append(Set(nil), s...) }

// Add puts i into the set.
func (s Set) Add(i int) { s[i>>6] |= 1 << (i & 63) }

// Has reports whether i is in the set.
func (s Set) Has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// And is a new set of what is in both.
func (s Set) And(t Set) Set {
	out := make(Set, len(s))
	for i := range s {
		out[i] = s[i] & t[i]
	}
	return out
}

// Keep drops what is not in t.
func (s Set) Keep(t Set) {
	for i := range s {
		s[i] &= t[i]
	}
}

// Join adds what is in t.
func (s Set) Join(t Set) {
	for i := range s {
		s[i] |= t[i]
	}
}

// Drop removes what is in t.
func (s Set) Drop(t Set) {
	for i := range s {
		s[i] &^= t[i]
	}
}

// Meets reports whether s and t share a member.
func (s Set) Meets(t Set) bool {
	for i := range s {
		if s[i]&t[i] != 0 {
			return true
		}
	}
	return false
}

// MeetsBeyond reports whether s has a member that t has not.
func (s Set) MeetsBeyond(t Set) bool {
	for i := range s {
		if s[i]&^t[i] != 0 {
			return true
		}
	}
	return false
}

// Equal reports whether both have the same members.
func (s Set) Equal(t Set) bool {
	for i := range s {
		if s[i] != t[i] {
			return false
		}
	}
	return true
}

// Any reports whether the set has a member.
func (s Set) Any() bool {
	for _, w := range s {
		if w != 0 {
			return true
		}
	}
	return false
}

// Count is the number of members.
func (s Set) Count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// Next is the first member from i on, or -1.
func (s Set) Next(i int) int {
	w := i >> 6
	if w >= len(s) {
		return -1
	}
	if rest := s[w] >> (i & 63); rest != 0 {
		return i + bits.TrailingZeros64(rest)
	}
	for w++; w < len(s); w++ {
		if s[w] != 0 {
			return w<<6 + bits.TrailingZeros64(s[w])
		}
	}
	return -1
}

// EqualFrom reports whether both have the same members from i on.
func (s Set) EqualFrom(i int, t Set) bool {
	w := i >> 6
	if (s[w]^t[w])>>(i&63) != 0 {
		return false
	}
	return slices.Equal(s[w+1:], t[w+1:])
}

// CountBelow is the number of members below i.
func (s Set) CountBelow(i int) int { return s[:i>>6].Count() + bits.OnesCount64(s[i>>6]&(1<<(i&63)-1)) }

// AnyIn reports whether a member lies in from to upto-1.
func (s Set) AnyIn(from, upto int) bool {
	i := s.Next(from)
	return i >= 0 && i < upto
}

// Remove takes i out of the set.
func (s Set) Remove(i int) { s[i>>6] &^= 1 << (i & 63) }
