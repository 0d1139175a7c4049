package devices

import (
	"slices"
	"strconv"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

const (
	// whole is how much of a cut's resource the pods of one class alone may take.
	whole = 1 << 20
	// plenty is how much of it nodes have that it is not about.
	plenty = 1 << 40
)

// cut forbids a mixture of pods on a node or an instance type that the allocator refused there, and all that are
// larger.
type cut struct {
	node   string // or
	index  int32  // of a type
	weight map[int32]int64
	limit  int64
}

// cut notes that of some pods only those kept got devices on an empty host. Each class weighs by how many of its pods
// would fit there alone, so that what is forbidden is the mixture and not the class.
func (c *checker) cut(about cut, h *host, pods, kept []*shape.Pod) {
	for _, p := range pods {
		if !slices.Contains(kept, p) {
			c.refused[p.ID] = true
		}
	}
	about.weight = map[int32]int64{}
	for _, p := range pods {
		if (c.involved(p) || c.extended(h, c.classOf(p)) != nil) && about.weight[p.Class] == 0 {
			about.weight[p.Class] = whole / max(c.alone(h, p, len(pods)), 1)
		}
	}
	for _, p := range kept {
		about.limit += about.weight[p.Class]
	}
	c.cuts = append(c.cuts, about)
}

// alone is how many pods like one fit on a host by themselves, at most so many.
func (c *checker) alone(h *host, p *shape.Pod, most int) (n int64) {
	trial := *h
	trial.books = h.books.copied()
	for int(n) < most {
		if _, why := c.seat(&trial, c.classOf(p), c.needs(p)); why != "" {
			break
		}
		n++
	}
	return n
}

// narrowed is the Snapshot with what was refused forbidden. Pods, classes and types keep their indexes.
func (c *checker) narrowed() shape.Snapshot {
	s := *c.snapshot
	s.Classes, s.Nodes, s.Types = slices.Clone(s.Classes), slices.Clone(s.Nodes), slices.Clone(s.Types)
	serial := c.serial()
	for _, about := range c.cuts {
		resource := Prefix + "beside/" + strconv.Itoa(serial)
		serial++
		for i, n := range s.Nodes {
			own, amount := *n, int64(plenty)
			if n.Name == about.node {
				amount = about.limit
				for k := range n.Pods {
					amount += about.weight[n.Pods[k].Class]
				}
			}
			own.Allocatable = plus(own.Allocatable, resource, amount)
			own.Requested = nil // the planner adds it up
			s.Nodes[i] = &own
		}
		for i, it := range s.Types {
			amount := int64(plenty)
			if about.node == "" && int32(i) == about.index {
				amount = about.limit
			}
			s.Types[i] = moreOf(it, resource, amount)
		}
		for i, weight := range about.weight {
			own := *s.Classes[i]
			own.Requests = plus(own.Requests, resource, weight)
			s.Classes[i] = &own
		}
	}
	return s
}

// serial is the first number that no cut of the Snapshot has.
func (c *checker) serial() (n int) {
	for _, class := range c.snapshot.Classes {
		for _, a := range class.Requests.Extended {
			if len(a.Resource) > len(Prefix+"beside/") && a.Resource[:len(Prefix+"beside/")] == Prefix+"beside/" {
				k, _ := strconv.Atoi(a.Resource[len(Prefix+"beside/"):]) // made above
				n = max(n, k+1)
			}
		}
	}
	return n
}

func plus(v shape.Vector, resource string, amount int64) shape.Vector {
	return v.Add(shape.Vector{Extended: []shape.Amount{{Resource: resource, Value: amount}}})
}

func moreOf(it *shape.InstanceType, resource string, amount int64) *shape.InstanceType {
	own := *it
	own.Allocatable = plus(it.Allocatable, resource, amount)
	own.Offerings = slices.Clone(it.Offerings)
	for i := range own.Offerings {
		if a := own.Offerings[i].Allocatable; a != nil {
			more := plus(*a, resource, amount)
			own.Offerings[i].Allocatable = &more
		}
	}
	return &own
}
