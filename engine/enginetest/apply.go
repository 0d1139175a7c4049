package enginetest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Bought carries a plan out: what it opens is there, and every pod runs where it was put. pick chooses one of n
// options. Pods without a place are dropped.
func Bought(s shape.Snapshot, d engine.Decision, pick func(n int) int) shape.Snapshot {
	pods := map[shape.PodID]shape.Pod{}
	for _, p := range s.Pods {
		pods[p.ID] = p
	}
	s.Pods = nil
	a := newApplier(s, pods)
	a.place(d.Place)
	for i := range d.Open {
		a.launch(&d.Open[i], pick)
	}
	return a.done()
}

// Moved carries a move of a refit out.
func Moved(s shape.Snapshot, m refit.Move, pick func(n int) int) shape.Snapshot {
	pods := map[shape.PodID]shape.Pod{}
	a := newApplier(s, pods)
	for _, name := range m.Remove {
		i := slices.IndexFunc(a.s.Nodes, func(n *shape.Node) bool { return n.Name == name })
		n := a.s.Nodes[i]
		for _, p := range n.Pods {
			if p.Role == shape.Movable {
				pods[p.ID] = p
			}
		}
		a.use(n.Pool, a.capacity(n.InstanceType), -1)
		a.s.Nodes = slices.Delete(a.s.Nodes, i, i+1)
	}
	a.place(m.Place)
	for i := range m.Open {
		a.launch(&m.Open[i], pick)
	}
	return a.done()
}

// Opened launches a new node of a plan, without its pods, and names it.
func Opened(s shape.Snapshot, n *engine.NewNode, pick func(n int) int) (after shape.Snapshot, name string) {
	a := newApplier(s, nil)
	bare := *n
	bare.Pods = nil
	a.launch(&bare, pick)
	name = a.s.Nodes[len(a.s.Nodes)-1].Name
	return a.done(), name
}

// Price is what all nodes cost.
func Price(s shape.Snapshot) shape.Money {
	sum := shape.Money(0)
	for _, n := range s.Nodes {
		sum += n.Price
	}
	return sum
}

type applier struct {
	s    shape.Snapshot
	pods map[shape.PodID]shape.Pod
}

func newApplier(s shape.Snapshot, pods map[shape.PodID]shape.Pod) *applier {
	a := &applier{s: s, pods: pods}
	a.s.Nodes = slices.Clone(s.Nodes)
	a.s.Pools = slices.Clone(s.Pools)
	a.s.Types = slices.Clone(s.Types)
	a.s.Profiles = slices.Clone(s.Profiles)
	return a
}

func (a *applier) done() shape.Snapshot {
	slices.SortFunc(a.s.Nodes, func(x, y *shape.Node) int { return cmp.Compare(x.Name, y.Name) })
	return a.s
}

func (a *applier) place(list []engine.Placement) {
	for _, p := range list {
		i := slices.IndexFunc(a.s.Nodes, func(n *shape.Node) bool { return n.Name == p.Node })
		n := *a.s.Nodes[i]
		n.Pods = append(slices.Clone(n.Pods), a.pods[p.Pod])
		a.settle(&n)
		a.s.Nodes[i] = &n
	}
}

// settle puts a node's pods in order and adds up what they ask for.
func (a *applier) settle(n *shape.Node) {
	slices.SortFunc(n.Pods, func(x, y shape.Pod) int { return cmp.Compare(x.ID, y.ID) })
	sum := shape.Vector{}
	for i := range n.Pods {
		sum = sum.Add(a.s.Classes[n.Pods[i].Class].Requests)
	}
	n.Requested = &sum
}

// launch makes a node of one of a new node's options.
func (a *applier) launch(n *engine.NewNode, pick func(int) int) {
	o := n.Options[pick(len(n.Options))]
	i := slices.IndexFunc(a.s.Pools, func(p *shape.Pool) bool { return p.Name == n.Pool })
	c := checker{s: a.s}
	it, offering := c.offering(a.s.Pools[i], o)
	node := &shape.Node{
		Pool: n.Pool, Stage: shape.Ready, Allocatable: it.Allocatable, Attachable: it.Attachable, Created: a.s.Now,
		InstanceType: it.Name, Zone: o.Zone, CapacityType: o.CapacityType, Price: o.Price,
	}
	if offering.Allocatable != nil {
		node.Allocatable = *offering.Allocatable
	}
	// One profile is added for every node that is launched, so this name is new.
	node.Name = fmt.Sprintf("bought-%05d", len(a.s.Profiles))
	node.Hostname, node.Claim = node.Name, node.Name
	labels := slices.DeleteFunc(c.labels(a.s.Pools[i], it, offering, *n), func(l shape.Label) bool {
		return l.Key == shape.LabelHostname
	})
	a.s.Profiles = append(a.s.Profiles, &shape.Profile{Labels: labels, Taints: a.s.Pools[i].Taints})
	node.Profile = int32(len(a.s.Profiles) - 1)
	for _, id := range n.Pods {
		node.Pods = append(node.Pods, a.pods[id])
	}
	a.settle(node)
	a.s.Nodes = append(a.s.Nodes, node)
	a.use(n.Pool, it.Capacity, 1)
	a.reserve(o.Reservation)
}

func (a *applier) capacity(name string) shape.Vector {
	for _, it := range a.s.Types {
		if it.Name == name {
			return it.Capacity
		}
	}
	return shape.Vector{}
}

// use counts n machines against a pool's limits.
func (a *applier) use(pool string, capacity shape.Vector, n int64) {
	for i, p := range a.s.Pools {
		if p.Name != pool || len(p.Limits) == 0 {
			continue
		}
		q := *p
		q.Limits = slices.Clone(p.Limits)
		for k := range q.Limits {
			if q.Limits[k].Resource == shape.LimitNodes {
				q.Limits[k].Used += n
			} else {
				q.Limits[k].Used += n * capacity.Get(q.Limits[k].Resource)
			}
		}
		a.s.Pools[i] = &q
	}
}

func (a *applier) reserve(name string) {
	for i, it := range a.s.Types {
		if name == "" {
			return
		}
		u := *it
		u.Offerings = slices.Clone(it.Offerings)
		for k := range u.Offerings {
			if o := &u.Offerings[k]; o.Reservation == name {
				o.Remaining--
				o.Available = o.Available && o.Remaining > 0
			}
		}
		a.s.Types[i] = &u
	}
}

// CheckFleet holds a running fleet against the laws that pods on nodes must obey: room, labels, taints, limits.
func CheckFleet(s shape.Snapshot) error {
	for _, n := range s.Nodes {
		room := n.Allocatable
		labels := labelMap(append([]shape.Label{
			{Key: shape.LabelHostname, Value: n.Hostname},
		}, s.Profiles[n.Profile].Labels...))
		for _, p := range n.Pods {
			room = room.Sub(s.Classes[p.Class].Requests)
			if p.Role != shape.Movable {
				continue
			}
			if err := suits(s.Classes[p.Class], labels, s.Profiles[n.Profile].Taints, n.Name); err != nil {
				return fmt.Errorf("%s on %s: %w", p.ID, n.Name, err)
			}
		}
		if room.CPU < 0 || room.Memory < 0 || room.Pods < 0 {
			return fmt.Errorf("%s is overfull: %+v left", n.Name, room)
		}
	}
	for _, p := range s.Pools {
		for _, l := range p.Limits {
			if l.Used > l.Max {
				return fmt.Errorf("pool %s exceeds its limit of %s: %d of %d", p.Name, l.Resource, l.Used, l.Max)
			}
		}
	}
	return nil
}

// Signature is equal for fleets of the same machines, whatever they are called.
func Signature(s shape.Snapshot) string {
	var out []string
	for _, n := range s.Nodes {
		out = append(out, strings.Join([]string{n.Pool, n.InstanceType, n.Zone, n.CapacityType, n.Price.String()}, " "))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// CheckMove holds a move against the laws of decisions: it is one about the pods of the nodes that it gives up, while
// those still count against limits.
func CheckMove(s shape.Snapshot, m refit.Move) error {
	d := engine.Decision{Place: m.Place, Open: m.Open}
	for i := range m.Open {
		d.Price += m.Open[i].Price
	}
	goes := map[string]bool{}
	for _, name := range m.Remove {
		goes[name] = true
	}
	s.Pods, s.Nodes = nil, slices.Clone(s.Nodes)
	price := shape.Money(0)
	for i, n := range s.Nodes {
		if !goes[n.Name] {
			continue
		}
		out := *n
		out.Stage, out.Pods, out.Requested = shape.Leaving, nil, nil
		for _, p := range n.Pods {
			switch {
			case p.Role == shape.Pinned:
				return fmt.Errorf("%s goes, and pod %s must not be disrupted", n.Name, p.ID)
			case p.Role == shape.Movable:
				s.Pods = append(s.Pods, p)
			default:
				out.Pods = append(out.Pods, p)
			}
		}
		price += n.Price
		s.Nodes[i] = &out
	}
	slices.SortFunc(s.Pods, func(x, y shape.Pod) int { return cmp.Compare(x.ID, y.ID) })
	evicted := 0 // pods of buffers exist in the plan only
	for i := range s.Pods {
		if !s.Classes[s.Pods[i].Class].Buffer {
			evicted++
		}
	}
	if price != m.Price || d.Price != m.Instead || m.Pods != evicted {
		return fmt.Errorf(
			"the move says %s to %s for %d pods; it is %s to %s for %d", m.Price, m.Instead, m.Pods, price, d.Price,
			evicted,
		)
	}
	return Check(s, engine.Policy{}, d)
}
