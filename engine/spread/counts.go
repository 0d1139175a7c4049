package spread

import (
	"math"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// Counts are the pods that are counted, by tally and domain, and what rules make of them.
type Counts struct {
	Keys    []Key
	Tallies []Tally

	table   *feasible.Table
	byKey   map[string]int32 // Keys by name
	domains [][]int32        // by key, by profile: domain or -1
}

// NodeDomain is the domain of an existing node, -1 if it lacks the label.
func (c *Counts) NodeDomain(key int32, node int) int32 {
	if c.Keys[key].Host {
		return int32(node)
	}
	p := c.table.Nodes[node].Node.Profile
	if p < 0 || int(p) >= len(c.domains[key]) {
		return -1
	}
	return c.domains[key][p]
}

// Add counts n more pods on an existing node; n may be negative.
func (c *Counts) Add(tally int32, node int, n int32) {
	t := &c.Tallies[tally]
	if d := c.NodeDomain(t.Key, node); d >= 0 && t.filter.counts(&c.table.Nodes[node]) {
		if n < 0 {
			t.atLeast = 0
		} else if t.atLeast > 0 && t.Count[d] == t.least && t.Nodes[d] > 0 {
			t.atLeast--
		}
		t.Count[d] += n
		t.Total += int64(n)
		t.Here += int64(n)
	}
}

// Allows reports whether one more pod may go to the domain, -1 for a node without the label.
// Hostname rules are asked through HostRoom instead.
func (c *Counts) Allows(r *Rule, domain int32) bool {
	t := &c.Tallies[r.Tally]
	switch r.Kind {
	case Skew:
		return domain >= 0 && c.Skew(r, domain) <= r.MaxSkew
	case Near:
		return domain >= 0 && (t.Count[domain] > 0 || c.First(r))
	default:
		return domain < 0 || t.Count[domain] == 0
	}
}

// First reports whether a pod may go where it has no pod to be near: it would be the first of its kind anywhere.
func (c *Counts) First(r *Rule) bool {
	return r.Self && !slices.ContainsFunc(r.all, func(k int32) bool { return c.Tallies[k].Total != 0 })
}

// FirstHere is First by the pods on existing nodes, and on new ones that are closed.
func (c *Counts) FirstHere(r *Rule) bool {
	return r.Self && !slices.ContainsFunc(r.all, func(k int32) bool { return c.Tallies[k].Here != 0 })
}

// Skew is by how much the domain would exceed the emptiest one with one more pod in it.
func (c *Counts) Skew(r *Rule, domain int32) int32 {
	t := &c.Tallies[r.Tally]
	after := t.Count[domain]
	if r.Self {
		after++
	}
	return after - c.least(r)
}

// least is the smallest count over the rule's domains, 0 if there are fewer than MinDomains.
func (c *Counts) least(r *Rule) int32 {
	t := &c.Tallies[r.Tally]
	least, domains := int32(math.MaxInt32), int32(0)
	for d, n := range t.Count {
		narrowed := r.Wish && r.universe != nil && !c.Keys[r.Key].made[d]
		if r.universe != nil && r.universe[d] || t.Nodes[d] > 0 && !narrowed {
			domains++
			least = min(least, n)
		}
	}
	if domains == 0 || domains < r.MinDomains {
		return 0
	}
	return least
}

// SetUniverse adds a domain in which a node could be opened for the class.
func (c *Counts) SetUniverse(r *Rule, domain int32) {
	if r.universe == nil {
		r.universe = make([]bool, len(c.Tallies[r.Tally].Count))
	}
	if domain >= 0 {
		r.universe[domain] = true
	}
}

// hostLeast is the smallest count of an existing node that a hostname rule looks at, 0 if there are fewer than
// MinDomains. The node in question counts in any case.
func (c *Counts) hostLeast(r *Rule, node int) int32 {
	t := &c.Tallies[r.Tally]
	if t.atLeast == 0 {
		t.survey()
	}
	least, hosts := t.least, t.hosts
	if t.Nodes[node] == 0 {
		least, hosts = min(least, t.Count[node]), hosts+1
	}
	if hosts < r.MinDomains {
		return 0
	}
	return least
}

// AddDomain counts n more pods in a domain where a node is going to be; n may be negative.
func (c *Counts) AddDomain(tally, domain, n int32) {
	if domain >= 0 {
		c.Tallies[tally].Count[domain] += n
		c.Tallies[tally].Total += int64(n)
	}
}
