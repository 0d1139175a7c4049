package refit

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// cluster is the nodes, pods and pools while moves are being found: those that were found are made already.
type cluster struct {
	snapshot        shape.Snapshot   // no pending pods; nodes ascend by name
	at              map[string]int   // by node name
	plannedProfiles map[string]int32 // profiles of nodes that are to be bought, by their labels and taints

	rules []watch            // of all classes; made when first asked
	keys  map[int32][]string // by class: see watched
}

// class is what a pod needs; nothing if its class does not exist, which no correct Snapshot has.
func (c *cluster) class(i int32) *shape.Class {
	if i < 0 || int(i) >= len(c.snapshot.Classes) {
		return &shape.Class{}
	}
	return c.snapshot.Classes[i]
}

// unbound reports whether any pod that moves with a node has a volume claim without a volume, as those have that exist
// in the plan only: where it may go depends on the other pods of the claim and on the volumes that are left.
func (c *cluster) unbound(i int) bool {
	return slices.ContainsFunc(c.snapshot.Nodes[i].Pods, func(p shape.Pod) bool {
		return p.Role == shape.Movable && slices.ContainsFunc(c.class(p.Class).Bindings, func(b shape.Binding) bool {
			return b.Made || len(b.Slots) > 0
		})
	})
}

// joined is a node with more pods on it.
func (c *cluster) joined(n *shape.Node, more []shape.Pod) *shape.Node {
	var sum shape.Vector
	for _, pod := range more {
		sum = sum.Add(c.class(pod.Class).Requests)
	}
	out := c.loaded(n, sum)
	out.Pods = slices.Concat(n.Pods, more)
	slices.SortFunc(out.Pods, func(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// buy counts a new node against its pool's limits and its reservation, and its pods where they will be. No other move
// may count on its room.
func (c *cluster) buy(n *engine.NewNode, pods []shape.Pod) {
	c.snapshot.Pools = slices.Clone(c.snapshot.Pools)
	for i, p := range c.snapshot.Pools {
		if p.Name != n.Pool || len(p.Limits) == 0 {
			continue
		}
		grown := *p
		grown.Limits = slices.Clone(p.Limits)
		for k := range grown.Limits {
			grown.Limits[k].Used += c.most(n, grown.Limits[k].Resource)
		}
		c.snapshot.Pools[i] = &grown
	}
	c.addPlannedNode(n, pods)
	if name := n.Options[0].Reservation; name != "" {
		c.snapshot.Types = slices.Clone(c.snapshot.Types)
		for i, it := range c.snapshot.Types {
			c.snapshot.Types[i] = withoutOne(it, name)
		}
	}
}

// addPlannedNode adds a node that is to be bought, so that topology rules count its pods.
func (c *cluster) addPlannedNode(n *engine.NewNode, pods []shape.Pod) {
	p := c.profile(n)
	key := fmt.Sprint(p.Labels, p.Taints)
	at, known := c.plannedProfiles[key]
	if !known {
		at = int32(len(c.snapshot.Profiles))
		c.snapshot.Profiles = append(slices.Clip(c.snapshot.Profiles), p)
		c.plannedProfiles[key] = at
	}
	node := closed(c.ready(n, at))
	node.Name = fmt.Sprintf("bought %06d", len(c.snapshot.Nodes)) // ascending
	node.Hostname = node.Name
	c.at[node.Name] = len(c.snapshot.Nodes)
	c.snapshot.Nodes = append(c.snapshot.Nodes, c.joined(node, pods))
}

// profile is what a new node will look like if it is launched from its first option.
func (c *cluster) profile(n *engine.NewNode) *shape.Profile {
	labels := map[string]string{}
	for _, r := range n.Requirements {
		if r.Operator == shape.In && len(r.Values) == 1 {
			labels[r.Key] = r.Values[0]
		}
	}
	first := n.Options[0]
	if it := c.typeOf(n); it != nil {
		for _, r := range it.Requirements {
			if r.Operator == shape.In && len(r.Values) == 1 {
				labels[r.Key] = r.Values[0]
			}
		}
	}
	labels[shape.LabelZone] = first.Zone
	labels[shape.LabelCapacityType] = first.CapacityType
	labels[shape.LabelInstanceType] = first.Type
	labels[shape.LabelNodePool] = n.Pool
	p := &shape.Profile{}
	if i := slices.IndexFunc(c.snapshot.Pools, func(p *shape.Pool) bool { return p.Name == n.Pool }); i >= 0 {
		p.Taints = c.snapshot.Pools[i].Taints
		for _, l := range c.snapshot.Pools[i].Labels {
			labels[l.Key] = l.Value
		}
	}
	p.Labels = shape.LabelsOf(labels)
	return p
}

// ready is a new node as it will be when it is there, without pods.
func (c *cluster) ready(n *engine.NewNode, profile int32) *shape.Node {
	name := "bought:" + n.ID // no node can be called so
	out := &shape.Node{Name: name, Hostname: name, Pool: n.Pool, Profile: profile, Stage: shape.Ready, Price: n.Price}
	if it := c.typeOf(n); it != nil {
		out.Allocatable, out.Attachable = it.Allocatable, it.Attachable
	}
	return out
}

// typeOf is the type of a new node's first option.
func (c *cluster) typeOf(n *engine.NewNode) *shape.InstanceType {
	first := n.Options[0]
	for _, it := range c.snapshot.Types {
		if it.Name == first.Type && slices.ContainsFunc(it.Offerings, func(o shape.Offering) bool {
			return o.Zone == first.Zone && o.CapacityType == first.CapacityType && o.Reservation == first.Reservation
		}) {
			return it
		}
	}
	return nil
}

// most is the largest amount of a resource that any of a new node's options has.
func (c *cluster) most(n *engine.NewNode, resource string) int64 {
	if resource == shape.LimitNodes {
		return 1
	}
	most := int64(0)
	for _, it := range c.snapshot.Types {
		if slices.ContainsFunc(n.Options, func(o engine.Option) bool { return o.Type == it.Name }) {
			most = max(most, it.Capacity.Get(resource))
		}
	}
	return most
}

// price is what a node costs.
func (c *cluster) price(i int) shape.Money { return c.snapshot.Nodes[i].Price }

// withoutOne is a type of whose reservation one machine is used.
func withoutOne(it *shape.InstanceType, reservation string) *shape.InstanceType {
	if !slices.ContainsFunc(it.Offerings, func(o shape.Offering) bool { return o.Reservation == reservation }) {
		return it
	}
	out := *it
	out.Offerings = slices.Clone(it.Offerings)
	for i := range out.Offerings {
		if o := &out.Offerings[i]; o.Reservation == reservation {
			o.Remaining--
			o.Available = o.Available && o.Remaining > 0
		}
	}
	return &out
}

// loaded is a node of which more is asked.
func (c *cluster) loaded(n *shape.Node, more shape.Vector) *shape.Node {
	out := *n
	var sum shape.Vector
	if n.Requested != nil {
		sum = *n.Requested
	} else {
		for _, pod := range n.Pods {
			sum = sum.Add(c.class(pod.Class).Requests)
		}
	}
	sum = sum.Add(more)
	out.Requested = &sum
	return &out
}

// classes is the class of each pod that a move evicts.
func (c *cluster) classes(m *Move) map[shape.PodID]int32 {
	out := map[shape.PodID]int32{}
	for _, name := range m.Remove {
		for _, pod := range c.snapshot.Nodes[c.at[name]].Pods {
			out[pod.ID] = pod.Class
		}
	}
	return out
}

// allSpot reports whether everything that a move gives up is spot.
func (c *cluster) allSpot(m *Move) bool {
	return !slices.ContainsFunc(m.Remove, func(name string) bool {
		return c.snapshot.Nodes[c.at[name]].CapacityType != shape.Spot
	})
}

// listed are the values of a label that a type lists.
func listed(it *shape.InstanceType, key string) (out []string) {
	for _, r := range it.Requirements {
		if r.Key == key && r.Operator == shape.In {
			out = append(out, r.Values...)
		}
	}
	return out
}

// values lists, ascending, which values of a label a new node's options have: by option, or else by their types.
func (c *cluster) values(n *engine.NewNode, key string, of func(engine.Option) string) []string {
	var out []string
	for _, o := range n.Options {
		if of != nil {
			out = append(out, of(o))
			continue
		}
		for _, it := range c.snapshot.Types {
			if it.Name == o.Type {
				out = append(out, listed(it, key)...)
			}
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(v string) bool { return v == "" })
}

// set is the nodes that a move gives up.
func (c *cluster) set(m *Move) []int {
	out := make([]int, len(m.Remove))
	for k, name := range m.Remove {
		out[k] = c.at[name]
	}
	return out
}
