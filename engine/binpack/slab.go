package binpack

// slab hands out copies of short lists from long ones: an allocation for each would cost more than all else that is
// done with most of them. The copies have no spare capacity: what is appended to one goes elsewhere.
type slab[T any] struct {
	free []T
	size int // of the last long list
}

// A slab's lists hold from leastSlab to mostSlab elements: little work takes little memory.
const (
	leastSlab = 64
	mostSlab  = 2048
)

func (s *slab[T]) copy(list []T) []T {
	n := len(list)
	if len(s.free) < n {
		s.size = min(max(2*s.size, leastSlab), mostSlab)
		s.free = make([]T, max(s.size, n))
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	copy(out, list)
	return out
}
