package spread

import (
	"fmt"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Key is a topology key that some rule uses.
type Key struct {
	Name    string
	Host    bool     // kubernetes.io/hostname: domains are nodes
	Domains []string // ascending; empty for Host
	made    []bool   // by domain: nobody names it; see feasible.MadeUp
	begun   []bool   // by domain: some cell of it was opened; see State.Open
}

// Tally counts pods by domain of one key.
type Tally struct {
	Key int32 // index into State.Keys

	// Count is by domain. For hostname it is by existing node.
	Count []int32
	// Nodes is by domain: how many nodes that are counted are in it, existing ones and those that the plan opens
	// for pods whose domain matters.
	Nodes []int32
	Total int64 // of all domains, pods on their way to new nodes included
	Here  int64 // on existing nodes, or on new ones that are closed

	matches []matcher       // a pod counts if all match
	holder  string          // set instead: a pod counts if its class carries this anti-affinity term
	port    *shape.HostPort // set instead: a pod counts if one of its host ports collides
	filter  *filter         // nil counts pods on every node
	ending  bool            // counts pods that are being deleted, too

	running  []int32 // Count before the plan
	standing []int32 // Nodes before the plan
	maxSkew  int32   // the smallest of the rules'

	// What survey found of a hostname tally: the smallest count of a node, how many nodes have it, and how many there
	// are in all. No node has it when that is to be looked for again.
	least, atLeast, hosts int32
}

// matcher is a label selector in some namespaces.
type matcher struct {
	all        bool
	namespaces []string
	nothing    bool
	set        require.Set
}

func (m *matcher) selects(c *shape.Class) bool {
	if m.nothing {
		return false
	}
	if !m.all {
		if _, ok := slices.BinarySearch(m.namespaces, c.Namespace); !ok {
			return false
		}
	}
	_, ok := m.set.HasLabels(c.Labels)
	return ok
}

// filter says which nodes a spread constraint looks at.
type filter struct {
	where    *feasible.Where
	keys     []string // leave out nodes that lack one of these labels
	affinity bool     // leave out nodes that the pod's selector and affinity exclude
	taints   bool     // leave out nodes whose taints the pod does not tolerate
	profiles map[*shape.Profile]bool
}

// clone begins to remember profiles.
func (f filter) clone() *filter {
	f.profiles = map[*shape.Profile]bool{}
	return &f
}

func (f *filter) counts(n *feasible.Node) bool {
	if f == nil {
		return true
	}
	if f.named() {
		return f.looksAt(n)
	}
	yes, known := f.profiles[n.Profile]
	if !known {
		yes = f.looksAt(n)
		f.profiles[n.Profile] = yes
	}
	return yes
}

// named reports whether nodes of one profile may differ.
func (f *filter) named() bool { return f.affinity && f.where.NeedsNode() }

func (f *filter) looksAt(n *feasible.Node) bool {
	for _, key := range f.keys {
		if _, ok := shape.LabelValue(n.Profile.Labels, key); !ok {
			return false
		}
	}
	if f.affinity && !f.where.LabelsAllow(n) {
		return false
	}
	if f.taints {
		if _, ok := f.where.Tolerates(n.Profile.Taints); !ok {
			return false
		}
	}
	return true
}

// adds reports whether pods of a class are counted.
func (t *Tally) adds(c *shape.Class) bool {
	if t.port != nil {
		return slices.ContainsFunc(c.HostPorts, t.port.Collides)
	}
	if t.holder != "" {
		for i := range c.Affinity {
			if term := &c.Affinity[i]; term.Anti && term.Weight == 0 && termText(c.Namespace, term) == t.holder {
				return true
			}
		}
		return false
	}
	for i := range t.matches {
		if !t.matches[i].selects(c) {
			return false
		}
	}
	return true
}

func newMatcher(namespace string, term *shape.PodTerm) matcher {
	m := matcher{
		all: term.AllNamespaces, namespaces: term.Namespaces, nothing: term.Selector.Nothing,
		set: require.New(term.Selector.Requirements),
	}
	if len(m.namespaces) == 0 && !m.all {
		m.namespaces = []string{namespace}
	}
	return m
}

// termText is equal for terms that say the same. Zero bytes, which no name contains, part the words.
func termText(namespace string, term *shape.PodTerm) string {
	out := make([]byte, 0, 128)
	out = append(append(out, term.Key...), 0)
	switch {
	case term.AllNamespaces:
		out = append(out, '*', 0)
	case len(term.Namespaces) == 0:
		out = append(append(out, namespace...), 0)
	}
	for _, n := range term.Namespaces {
		out = append(append(out, n...), 0)
	}
	return string(appendSelector(out, &term.Selector))
}

func appendSelector(out []byte, s *shape.Selector) []byte {
	if s.Nothing {
		return append(out, '!')
	}
	for _, r := range s.Requirements {
		out = append(append(out, 0, '&', byte('0'+r.Operator)), r.Key...)
		for _, v := range r.Values {
			out = append(append(out, 0), v...)
		}
	}
	return out
}

// part is equal for classes that are counted by the same tallies.
func part(c *shape.Class) string {
	out := append(make([]byte, 0, 128), c.Namespace...)
	for _, l := range c.Labels {
		out = append(append(append(append(out, 0), l.Key...), 0), l.Value...)
	}
	for i := range c.Affinity {
		if term := &c.Affinity[i]; term.Anti && term.Weight == 0 {
			out = append(append(out, 0, 1), termText(c.Namespace, term)...)
		}
	}
	for _, p := range c.HostPorts {
		out = fmt.Appendf(append(out, 0, 2), "%s %s %d", p.IP, p.Protocol, p.Port)
	}
	return string(out)
}
