package feasible

import (
	"fmt"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Where is where pods may go as far as labels and taints of nodes say: what classes with the same
// node selector, affinity, volumes and tolerations have in common.
type Where struct {
	text string // equal for equal Wheres of one Table

	selector    require.Set
	terms       []term // any of them; empty for no wish
	volumes     []term
	untried     []term
	noNode      bool
	tolerations []shape.Toleration
	avoid       bool             // PreferNoSchedule counts
	repelled    []repelledDaemon // daemons that must not be near, on new nodes

	// named is set when the answer depends on more of a node than its profile.
	needsNode bool

	alternatives map[*Pool][]Alternative
	byAffinity   map[*Pool][]Alternative // by node selector and node affinity alone
	profiles     map[*shape.Profile]bool // AllowsNode, once known
	labelled     map[*shape.Profile]bool // LabelsAllow, once known
}

type term struct {
	labels require.Set
	names  []require.Values
	empty  bool // matches nothing
}

// Alternative is one way in which pods can go to new nodes of a pool.
type Alternative struct {
	// Columns that satisfy the pods' wishes and the pool's, available or not.
	Columns bitset.Set
	// Free says which values of the pool's free labels remain; see Pool.Free.
	Free bitset.Set
}

// where interns what a class says about nodes.
func (t *Table) where(c *shape.Class) *Where { return t.intern(c, false, nil) }

// whereOf is where with all that pods to be placed heed: the daemons on new nodes, and PreferNoSchedule as if it
// were NoSchedule if avoid is set.
func (t *Table) whereOf(c *shape.Class, avoid bool) *Where {
	return t.intern(c, avoid, t.repelledBy(c))
}

func (t *Table) intern(c *shape.Class, avoid bool, repelled []repelledDaemon) *Where {
	text := whereText(c)
	if avoid {
		text += "~"
	}
	for i := range repelled {
		text += fmt.Sprintf("!%d%q", repelled[i].daemon, repelled[i].key)
	}
	if w := t.wheres[text]; w != nil {
		return w
	}
	w := &Where{
		text:         text,
		selector:     require.New(c.NodeSelector),
		terms:        terms(c.NodeTerms),
		volumes:      terms(c.VolumeTerms),
		untried:      terms(c.Untried),
		noNode:       c.NoNode,
		tolerations:  c.Tolerations,
		avoid:        avoid,
		repelled:     repelled,
		alternatives: map[*Pool][]Alternative{},
		byAffinity:   map[*Pool][]Alternative{},
		profiles:     map[*shape.Profile]bool{},
		labelled:     map[*shape.Profile]bool{},
	}
	w.needsNode = w.selector.Mentions(shape.LabelHostname)
	for _, list := range w.lists() {
		for _, tm := range list {
			w.needsNode = w.needsNode || len(tm.names) > 0 || tm.labels.Mentions(shape.LabelHostname)
		}
	}
	t.wheres[text] = w
	return w
}

// lists are the terms of each kind, of which one must hold for every kind that has some.
func (w *Where) lists() [3][]term { return [...][]term{w.terms, w.volumes, w.untried} }

// refusals are what it is called when no term of a list holds.
var refusals = [...]Kind{WrongLabel, WrongVolume, InVain}

func terms(list []shape.NodeTerm) []term {
	out := make([]term, 0, len(list))
	for _, nt := range list {
		tm := term{labels: require.New(nt.Labels), empty: len(nt.Labels) == 0 && len(nt.Names) == 0}
		for _, r := range nt.Names {
			tm.names = append(tm.names, require.Of(r))
		}
		out = append(out, tm)
	}
	return out
}

// whereText is equal for classes that say the same about nodes, in the same order.
func whereText(c *shape.Class) string {
	if len(c.NodeSelector)+len(c.NodeTerms)+len(c.VolumeTerms)+len(c.Untried)+len(c.Tolerations) == 0 && !c.NoNode {
		return ""
	}
	var b strings.Builder
	writeRequirements(&b, c.NodeSelector)
	for _, list := range [][]shape.NodeTerm{c.NodeTerms, c.VolumeTerms, c.Untried} {
		b.WriteString("/")
		for _, nt := range list {
			b.WriteString("(")
			writeRequirements(&b, nt.Labels)
			b.WriteString("@")
			writeRequirements(&b, nt.Names)
		}
	}
	b.WriteString("/")
	for _, tol := range c.Tolerations {
		fmt.Fprintf(&b, "%q%v%q%d,", tol.Key, tol.Exists, tol.Value, tol.Effect)
	}
	if c.NoNode {
		b.WriteString("!")
	}
	return b.String()
}

func writeRequirements(b *strings.Builder, reqs []shape.Requirement) {
	for _, r := range reqs {
		fmt.Fprintf(b, "%q%d%q;", r.Key, r.Operator, r.Values)
	}
}

// Tolerates reports whether taints keep the pods away, and else the first that does.
// PreferNoSchedule is a wish and keeps only those away who are told to avoid it.
func (w *Where) Tolerates(taints []shape.Taint) (untolerated shape.Taint, ok bool) {
	for _, taint := range taints {
		if (taint.Effect != shape.PreferNoSchedule || w.avoid) && !tolerated(w.tolerations, taint) {
			return taint, false
		}
	}
	return shape.Taint{}, true
}

func tolerated(tolerations []shape.Toleration, taint shape.Taint) bool {
	for _, tol := range tolerations {
		if tol.Effect != shape.AnyEffect && tol.Effect != taint.Effect {
			continue
		}
		if tol.Key == "" && tol.Exists || tol.Key == taint.Key && (tol.Exists || tol.Value == taint.Value) {
			return true
		}
	}
	return false
}

// AllowsNode reports whether labels and taints of an existing node suit.
func (w *Where) AllowsNode(n *Node) bool {
	if w.needsNode {
		return w.suits(n.Profile, n)
	}
	ok, known := w.profiles[n.Profile]
	if !known {
		ok = w.suits(n.Profile, nil)
		w.profiles[n.Profile] = ok
	}
	return ok
}

func (w *Where) suits(p *shape.Profile, n *Node) bool {
	if _, ok := w.Tolerates(p.Taints); !ok {
		return false
	}
	labels, name := labelsOf(p, n), nameOf(n)
	return w.labelsSuit(p, n) && anyTerm(w.volumes, labels, name) && anyTerm(w.untried, labels, name)
}

// labelsSuit looks at the node selector and node affinity only.
func (w *Where) labelsSuit(p *shape.Profile, n *Node) bool {
	if w.noNode {
		return false
	}
	labels := labelsOf(p, n)
	if _, ok := w.selector.HasLabels(labels); !ok {
		return false
	}
	return anyTerm(w.terms, labels, nameOf(n))
}

func nameOf(n *Node) string {
	if n == nil {
		return ""
	}
	return n.Name
}

func labelsOf(p *shape.Profile, n *Node) []shape.Label {
	if n == nil || n.Hostname == "" {
		return p.Labels
	}
	i := 0
	for i < len(p.Labels) && p.Labels[i].Key < shape.LabelHostname {
		i++
	}
	out := make([]shape.Label, 0, len(p.Labels)+1)
	out = append(append(out, p.Labels[:i]...), shape.Label{Key: shape.LabelHostname, Value: n.Hostname})
	return append(out, p.Labels[i:]...)
}

func anyTerm(list []term, labels []shape.Label, name string) bool {
	for _, tm := range list {
		if tm.matches(labels, name) {
			return true
		}
	}
	return len(list) == 0
}

func (tm *term) matches(labels []shape.Label, name string) bool {
	if tm.empty {
		return false
	}
	for _, v := range tm.names {
		if !v.Has(name) {
			return false
		}
	}
	_, ok := tm.labels.HasLabels(labels)
	return ok
}

// LabelsAllow reports whether a node satisfies the node selector and node affinity;
// taints and volumes are not looked at.
func (w *Where) LabelsAllow(n *Node) bool {
	if w.needsNode {
		return w.labelsSuit(n.Profile, n)
	}
	ok, known := w.labelled[n.Profile]
	if !known {
		ok = w.labelsSuit(n.Profile, nil)
		w.labelled[n.Profile] = ok
	}
	return ok
}

// NeedsNode reports whether the answer depends on a node's name, so that nodes of one profile may differ.
func (w *Where) NeedsNode() bool { return w.needsNode }

// Text is equal for equal Wheres of one Table.
func (w *Where) Text() string { return w.text }

// Selector is what the node selector demands.
func (w *Where) Selector() require.Set { return w.selector }
