package devices

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

const (
	// whole is how much of a cut's resource the pods of one class alone may take.
	whole = 1 << 20
	// plenty is how much of it nodes have that it is not about.
	plenty = 1 << 40
	// besidePrefix begins the names of the resources and labels of cuts.
	besidePrefix = Prefix + "beside/"
)

// cut forbids what the allocator refused: on a node or an instance type a mixture of pods and all that are larger, or,
// where that would forbid a class altogether, some classes beside others anywhere.
type cut struct {
	node   string // or
	index  int32  // of a type
	weight map[int32]int64
	limit  int64

	apart map[int32][]int32
}

// cut notes that of some pods only those kept got devices on an empty host. Each class weighs by how many of its pods
// would fit there alone, so that what is forbidden is the mixture and not the class.
func (c *checker) cut(about cut, h *host, pods, kept []*shape.Pod) {
	about.weight = map[int32]int64{}
	least := int64(whole)
	for _, p := range pods {
		if !slices.Contains(kept, p) {
			c.refused[p.ID] = true
		}
		if about.weight[p.Class] != 0 || !c.involved(p) && c.extended(h, c.classOf(p)) == nil {
			continue
		}
		n := c.alone(h, p, len(pods))
		about.weight[p.Class] = whole / max(n, 1)
		least = min(least, n*about.weight[p.Class])
		if n == 0 {
			about.weight, least = map[int32]int64{p.Class: whole}, 0
			break // it has no business there
		}
	}
	for _, p := range kept {
		about.limit += about.weight[p.Class]
	}
	if least == 0 {
		about.limit = 0
	}
	if about.limit < least {
		about.apart, about.weight = c.strangers(about.weight), nil
	}
	c.cuts = append(c.cuts, about)
}

// strangers keeps the classes of a mixture apart of which a pod was refused.
func (c *checker) strangers(weight map[int32]int64) map[int32][]int32 {
	out := map[int32][]int32{}
	for class := range weight {
		for other := range weight {
			if class < other {
				out[class] = append(out[class], other)
			}
		}
	}
	return out
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
		resource := besidePrefix + strconv.Itoa(serial)
		serial++
		if about.apart != nil {
			separate(s.Classes, about.apart, resource)
			continue
		}
		for i, n := range s.Nodes {
			own, amount := *n, int64(plenty)
			if n.Name == about.node {
				amount = about.limit + about.used(n)
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

// used is what the pods of a node have of the cut's resource.
func (c *cut) used(n *shape.Node) (sum int64) {
	for k := range n.Pods {
		sum += c.weight[n.Pods[k].Class]
	}
	return sum
}

// separate keeps pods of some classes off the nodes of others, by a label of this name.
func separate(classes []*shape.Class, apart map[int32][]int32, key string) {
	for class, others := range apart {
		value := strconv.Itoa(int(class))
		own := *classes[class]
		own.Labels = append(slices.Clip(own.Labels), shape.Label{Key: key + "/" + value, Value: value})
		slices.SortFunc(own.Labels, func(a, b shape.Label) int { return cmp.Compare(a.Key, b.Key) })
		classes[class] = &own
		for _, other := range others {
			next := *classes[other]
			next.Affinity = append(slices.Clip(next.Affinity), shape.PodTerm{
				Key: shape.LabelHostname, Anti: true, AllNamespaces: true,
				Selector: shape.Selector{Requirements: []shape.Requirement{
					{Key: key + "/" + value, Operator: shape.In, Values: []string{value}},
				}},
			})
			classes[other] = &next
		}
	}
}

// serial is the first number that no cut of the Snapshot has.
func (c *checker) serial() (n int) {
	used := func(name string) {
		if rest, ok := strings.CutPrefix(name, besidePrefix); ok {
			rest, _, _ = strings.Cut(rest, "/")
			k, _ := strconv.Atoi(rest) // made above
			n = max(n, k+1)
		}
	}
	for _, class := range c.snapshot.Classes {
		for _, a := range class.Requests.Extended {
			used(a.Resource)
		}
		for _, l := range class.Labels {
			used(l.Key)
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
