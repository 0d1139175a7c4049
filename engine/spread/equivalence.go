package spread

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// equivalenceKey is equal for classes that say the same about neighbours because they share the lists that say it, as
// translation makes them for pods that differ by their requests alone. Others that say the same are bound one by one.
type equivalenceKey struct {
	namespace string
	where     *feasible.Where // Class.Strict
	labels    list[shape.Label]
	spread    list[shape.Spread]
	affinity  list[shape.PodTerm]
	ports     list[shape.HostPort]
}

// list is which list it is, not what is in it.
type list[T any] struct {
	first *T
	len   int
}

func listOf[T any](l []T) list[T] {
	if len(l) == 0 {
		return list[T]{}
	}
	return list[T]{&l[0], len(l)}
}

func findEquivalent(s *State) {
	s.representative = make([]int32, len(s.table.Classes))
	first := map[equivalenceKey]int32{}
	for i, c := range s.table.Classes {
		key := equivalenceKey{
			c.Namespace, c.Strict, listOf(c.Labels), listOf(c.Spread), listOf(c.Affinity), listOf(c.HostPorts),
		}
		at, known := first[key]
		if !known {
			at = int32(i)
			first[key] = at
		}
		s.representative[i] = at
	}
}

// isRepresentative reports whether a class is the representative of its equivalents. The others are given what it gets.
func (s *State) isRepresentative(class int) bool { return s.representative[class] == int32(class) }

// Representative is the first of the classes that are like a class in all that has to do with neighbours.
func (s *State) Representative(class int) int32 { return s.representative[class] }

// copyToEquivalent gives classes what their representative has. Rules are written to later on, for each class by
// itself.
func copyToEquivalent(s *State) {
	for i, first := range s.representative {
		if int(first) != i {
			s.Classes[i] = s.Classes[first]
			s.Classes[i].Rules = slices.Clone(s.Classes[first].Rules)
		}
	}
}
