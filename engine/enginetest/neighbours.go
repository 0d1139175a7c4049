package enginetest

import (
	"fmt"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// seat is one pod with where it is in the end.
type seat struct {
	id    shape.PodID
	class *shape.Class
	node  string
	label []shape.Label
	fresh bool // placed by this decision
}

// neighbours holds the outcome against required affinity and anti-affinity, and host ports. Topology
// spread is checked where all counted pods carry the constraint themselves: else the outcome
// depends on the order in which pods arrive.
func (c *checker) neighbours() error {
	seats := c.seats()
	for i := range seats {
		for k := range seats[i].class.Affinity {
			if term := &seats[i].class.Affinity[k]; term.Weight == 0 {
				if err := c.term(seats, &seats[i], term); err != nil {
					return err
				}
			}
		}
		for j := range seats[:i] {
			if seats[i].node == seats[j].node && (seats[i].fresh || seats[j].fresh) &&
				portsCollide(seats[i].class, seats[j].class) {
				return fmt.Errorf("%s and %s use the same host port on %s", seats[i].id, seats[j].id, seats[i].node)
			}
		}
		for k := range seats[i].class.Spread {
			if sp := &seats[i].class.Spread[k]; sp.Hard && seats[i].fresh {
				if err := c.skew(seats, &seats[i], sp); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (c *checker) seats() []seat {
	var out []seat
	labels := map[string][]shape.Label{}
	moving := map[shape.PodID]bool{}
	for _, p := range c.s.Pods {
		moving[p.ID] = p.From != ""
	}
	for _, n := range c.s.Nodes {
		labels[n.Name] = labelMap(append([]shape.Label{
			{Key: shape.LabelHostname, Value: n.Hostname},
		}, c.s.Profiles[n.Profile].Labels...))
		for _, p := range n.Pods {
			if !moving[p.ID] {
				out = append(out, seat{p.ID, c.s.Classes[p.Class], n.Name, labels[n.Name], false})
			}
		}
	}
	for _, p := range c.d.Place {
		out = append(out, seat{p.Pod, c.pods[p.Pod], p.Node, labels[p.Node], true})
	}
	for _, n := range c.d.Open {
		p := c.pool(n.Pool)
		it, off := c.offering(p, n.Options[0])
		l := c.labels(p, it, off, n)
		for _, id := range n.Pods {
			out = append(out, seat{id, c.pods[id], n.ID, l, true})
		}
		for _, ds := range c.s.DaemonSets {
			if class := c.s.Classes[ds.Class]; suits(class, l, p.Taints, n.ID) == nil {
				out = append(out, seat{shape.PodID("daemon " + ds.Name), class, n.ID, l, false})
			}
		}
	}
	return out
}

func counts(namespace string, term *shape.PodTerm, other *shape.Class) bool {
	in := term.AllNamespaces || len(term.Namespaces) == 0 && other.Namespace == namespace
	for _, n := range term.Namespaces {
		in = in || n == other.Namespace
	}
	return in && require.Selects(term.Selector, other.Labels)
}

// sought reports whether a pod is one of those that a term of another's is about: to be near a pod by one term is to be
// near one that all required terms of affinity match, and nobody else counts.
func sought(own *shape.Class, term *shape.PodTerm, other *shape.Class) bool {
	for i := range own.Affinity {
		if t := &own.Affinity[i]; !term.Anti && !t.Anti && t.Weight == 0 && !counts(own.Namespace, t, other) {
			return false
		}
	}
	return counts(own.Namespace, term, other)
}

func (c *checker) term(seats []seat, own *seat, term *shape.PodTerm) error {
	domain, ok := shape.LabelValue(own.label, term.Key)
	if !ok && !term.Anti && own.fresh {
		return fmt.Errorf("%s needs a node with %s", own.id, term.Key)
	}
	found, anywhere := false, false
	for j := range seats {
		if &seats[j] == own || !sought(own.class, term, seats[j].class) {
			continue
		}
		// A pod that counts itself may be the first; others that are counted may have come later.
		d, has := shape.LabelValue(seats[j].label, term.Key)
		anywhere = anywhere || has && (!seats[j].fresh || seats[j].class == own.class && d != domain &&
			alone(seats, &seats[j], term, d))
		if has && ok && d == domain {
			found = true
			if term.Anti && (own.fresh || seats[j].fresh) {
				return fmt.Errorf("%s must keep away from %s, both are in %s", own.id, seats[j].id, domain)
			}
		}
	}
	self := sought(own.class, term, own.class)
	if !term.Anti && own.fresh && !found && !(self && !anywhere) {
		return fmt.Errorf("%s needs a pod near it by %s and has none in %s", own.id, term.Key, domain)
	}
	return nil
}

// alone reports whether no pod of another class is counted in the domain.
func alone(seats []seat, own *seat, term *shape.PodTerm, domain string) bool {
	for k := range seats {
		d, has := shape.LabelValue(seats[k].label, term.Key)
		if has && d == domain && seats[k].class != own.class && sought(own.class, term, seats[k].class) {
			return false
		}
	}
	return true
}

func portsCollide(a, b *shape.Class) bool {
	for _, p := range a.HostPorts {
		for _, q := range b.HostPorts {
			if p.Collides(q) {
				return true
			}
		}
	}
	return false
}

func (c *checker) skew(seats []seat, own *seat, sp *shape.Spread) error {
	if len(sp.Selector.Requirements) == 0 {
		return nil // kube-scheduler counts no pods for a selector that all would match
	}
	count := map[string]int32{}
	for j := range seats {
		if seats[j].class.Namespace != own.class.Namespace || !require.Selects(sp.Selector, seats[j].class.Labels) {
			continue
		}
		if seats[j].class != own.class {
			return nil
		}
		if d, ok := shape.LabelValue(seats[j].label, sp.Key); ok {
			count[d]++
		}
	}
	if sp.IgnoreAffinity || sp.HonorTaints || len(own.class.NodeSelector)+len(own.class.NodeTerms) > 0 {
		return nil // which domains count is then a question of its own
	}
	least := int32(1 << 30)
	for _, n := range c.s.Nodes {
		d, ok := shape.LabelValue(c.s.Profiles[n.Profile].Labels, sp.Key)
		if sp.Key == shape.LabelHostname {
			d, ok = n.Hostname, true
		}
		if ok && n.Stage != shape.Leaving {
			least = min(least, count[d])
		}
	}
	// Other domains may be overfull since before.
	domain, _ := shape.LabelValue(own.label, sp.Key)
	most := count[domain]
	if sp.MinDomains > int32(len(count)) {
		least = 0
	}
	there := map[string]bool{}
	for _, n := range c.s.Nodes {
		there[n.Hostname] = true
	}
	for d, n := range count {
		if sp.Key == shape.LabelHostname && there[domain] && !there[d] {
			continue // pods do not wait for nodes that are to be bought
		}
		least = min(least, n)
	}
	if most-least > sp.MaxSkew {
		return fmt.Errorf("%s: skew over %s is %d, allowed is %d", own.id, sp.Key, most-least, sp.MaxSkew)
	}
	return nil
}
