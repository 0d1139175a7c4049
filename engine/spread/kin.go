package spread

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// kinKey is equal for classes that say the same about neighbours because they share the lists that say it, as
// translation makes them for pods that differ by their requests alone. Others that say the same are bound one by one.
type kinKey struct {
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

func (s *State) findKin() {
	s.kin = make([]int32, len(s.table.Classes))
	first := map[kinKey]int32{}
	for i, c := range s.table.Classes {
		key := kinKey{c.Namespace, c.Strict, listOf(c.Labels), listOf(c.Spread), listOf(c.Affinity), listOf(c.HostPorts)}
		at, known := first[key]
		if !known {
			at = int32(i)
			first[key] = at
		}
		s.kin[i] = at
	}
}

// leads reports whether a class is the first of its kin. The others are given what it gets.
func (s *State) leads(class int) bool { return s.kin[class] == int32(class) }

// Kin is the first of the classes that are like a class in all that has to do with neighbours.
func (s *State) Kin(class int) int32 { return s.kin[class] }

// followKin gives classes what the first of their kin has. Rules are written to later on, for each class by itself.
func (s *State) followKin() {
	for i, first := range s.kin {
		if int(first) != i {
			s.Classes[i] = s.Classes[first]
			s.Classes[i].Rules = slices.Clone(s.Classes[first].Rules)
		}
	}
}
