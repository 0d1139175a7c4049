package require

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Selects reports whether a label selector chooses a pod with these labels, which
// ascend by key. A Selector with Nothing set chooses no pod.
func Selects(s shape.Selector, labels []shape.Label) bool {
	if s.Nothing {
		return false
	}
	_, ok := New(s.Requirements).HasLabels(labels)
	return ok
}

// TermMatches reports whether a node with these labels (ascending by key, hostname
// included) and this name satisfies a term of node affinity. A term without any
// condition matches no node, as in kube-scheduler.
func TermMatches(t shape.NodeTerm, labels []shape.Label, name string) bool {
	if len(t.Labels) == 0 && len(t.Names) == 0 {
		return false
	}
	if _, ok := New(t.Labels).HasLabels(labels); !ok {
		return false
	}
	for _, r := range t.Names {
		if !Of(r).Has(name) {
			return false
		}
	}
	return true
}

// TermSelects reports whether a term of pod affinity, which a pod of the namespace carries, looks at pods of a class.
func TermSelects(term *shape.PodTerm, namespace string, c *shape.Class) bool {
	switch {
	case term.AllNamespaces:
	case len(term.Namespaces) == 0:
		if c.Namespace != namespace {
			return false
		}
	case !slices.Contains(term.Namespaces, c.Namespace):
		return false
	}
	return Selects(term.Selector, c.Labels)
}
