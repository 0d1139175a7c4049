package feasible

import (
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// effects are the names of taint effects in the Kubernetes API.
var effects = map[shape.Effect]string{
	shape.NoSchedule: "NoSchedule", shape.PreferNoSchedule: "PreferNoSchedule", shape.NoExecute: "NoExecute",
}

// TaintReason is the refusal by a taint.
func TaintReason(taint shape.Taint) Reason {
	want := effects[taint.Effect]
	if taint.Value != "" {
		want = taint.Value + ":" + want
	}
	return Reason{Kind: Tainted, Key: taint.Key, Want: want}
}

// Overfull is the first resource of which the daemons alone want more than a pool's node from a column has.
func (off *Offerings) Overfull(p *Pool, column int) (Reason, bool) {
	for d, left := range p.Room(column) {
		if have := off.Columns[column].room[d]; left < 0 {
			return Reason{Kind: TooSmall, Resource: off.Resources[d], Need: have - left, Have: have}, false
		}
	}
	return Reason{}, true
}

// WhyNode says what a node's labels or taints have against the pods.
func (w *Where) WhyNode(n *Node) (Reason, bool) {
	if w.AllowsNode(n) {
		return Reason{}, true
	}
	if taint, ok := w.Tolerates(n.Profile.Taints); !ok {
		return TaintReason(taint), false
	}
	labels := labelsOf(n.Profile, n)
	if key, ok := w.selector.HasLabels(labels); !ok {
		return Reason{Kind: WrongLabel, Key: key, Want: w.selector.Get(key).String()}, false
	}
	for i, list := range w.lists() {
		if !anyTerm(list, labels, n.Name) || i == 0 && w.noNode {
			return termReason(refusals[i], list, labels), false
		}
	}
	return Reason{}, true
}

// termReason names what the first term that fails wants.
func termReason(kind Kind, list []term, labels []shape.Label) Reason {
	if kind == InVain {
		return Reason{Kind: kind}
	}
	for i := range list {
		if key, ok := list[i].labels.HasLabels(labels); !ok {
			return Reason{Kind: kind, Key: key, Want: list[i].labels.Get(key).String()}
		}
	}
	for i := range list {
		for _, v := range list[i].names {
			return Reason{Kind: kind, Key: "metadata.name", Want: v.String()}
		}
	}
	return Reason{Kind: kind, Want: noTerm}
}

// noTerm is what pods want whose terms are all empty: an empty one selects no node.
const noTerm = "a node affinity term that can hold"

// InPool reports whether a column's type is one of the pool's, whatever the pool's wishes.
func (t *Table) InPool(column int, p *Pool) bool {
	return p.named.Has(column)
}

// WhyColumn says what the labels of a pool's node from a column have against the pods.
func (t *Table) WhyColumn(w *Where, p *Pool, column int) (Reason, bool) {
	if !p.Columns.Has(column) {
		for _, v := range p.Wishes.All() {
			if p.free(v.Key()) == nil && !t.Columns[column].meets(v) {
				return Reason{Kind: PoolExcludes, Key: v.Key(), Want: v.String()}, false
			}
		}
	}
	for _, alt := range t.Alternatives(w, p) {
		if alt.Columns.Has(column) {
			return Reason{}, true
		}
	}
	if w.noNode {
		return Reason{Kind: WrongLabel, Want: noTerm}, false
	}
	if v, ok := t.objects(&term{labels: w.selector}, p, column); !ok {
		return Reason{Kind: WrongLabel, Key: v.Key(), Want: v.String()}, false
	}
	for i, list := range w.lists() {
		var first require.Values
		fits := len(list) == 0
		for k := range list {
			v, ok := t.objects(&list[k], p, column)
			if fits = fits || ok; k == 0 {
				first = v
			}
		}
		if !fits {
			return wanted(refusals[i], first), false
		}
	}
	for i := range w.repelled {
		for _, d := range t.Alternatives(t.where(t.daemonClass(t.snapshot.DaemonSets[w.repelled[i].daemon])), p) {
			if d.Columns.Has(column) {
				return w.repelled[i].reason, false
			}
		}
	}
	return Reason{Kind: WrongLabel, Want: "what its node selector, node affinity and volumes allow together"}, false
}

// wanted is the refusal of a place for want of a label.
func wanted(kind Kind, v require.Values) Reason {
	switch {
	case kind == InVain:
		return Reason{Kind: kind}
	case v.Key() == "":
		return Reason{Kind: kind, Want: noTerm}
	}
	return Reason{Kind: kind, Key: v.Key(), Want: v.String()}
}

// objects is the first wish of a term that a column does not meet.
func (off *Offerings) objects(tm *term, p *Pool, column int) (require.Values, bool) {
	for _, v := range tm.labels.All() {
		if v.Key() == shape.LabelHostname {
			if !newHost(v) {
				return v, false
			}
			continue
		}
		if f := p.free(v.Key()); f != nil {
			free := p.AllFree()
			if f.narrow(free, v); !free.AnyIn(f.from, f.upto) {
				return v, false
			}
			continue
		}
		if !off.Columns[column].meets(v) {
			return v, false
		}
	}
	for _, v := range tm.names {
		if !newHost(v) {
			return v, false
		}
	}
	return require.Values{}, !tm.empty
}

// meets reports whether the column's nodes satisfy a wish about a label that offerings answer.
func (c *Column) meets(v require.Values) bool {
	have, ok := c.Label(v.Key())
	if !ok {
		return v.HasAbsent()
	}
	return have.Overlaps(v)
}
