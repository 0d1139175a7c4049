package refit

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// watch is a rule of some pods about the domains of others.
type watch struct {
	key        string
	namespaces []string
	all        bool
	selector   shape.Selector
}

// watches lists the rules of all classes, each once.
func watches(classes []*shape.Class) []watch {
	var out []watch
	add := func(w watch) {
		if !slices.ContainsFunc(out, func(o watch) bool { return o.same(w) }) {
			out = append(out, w)
		}
	}
	for _, c := range classes {
		for _, sp := range c.Spread {
			add(watch{key: sp.Key, namespaces: []string{c.Namespace}, selector: sp.Selector})
		}
		for _, t := range c.Affinity {
			w := watch{key: t.Key, namespaces: t.Namespaces, all: t.AllNamespaces, selector: t.Selector}
			if len(w.namespaces) == 0 {
				w.namespaces = []string{c.Namespace}
			}
			add(w)
		}
	}
	return out
}

func (w watch) same(o watch) bool {
	return w.key == o.key && w.all == o.all && w.selector.Nothing == o.selector.Nothing &&
		slices.Equal(w.namespaces, o.namespaces) &&
		slices.EqualFunc(w.selector.Requirements, o.selector.Requirements, func(a, b shape.Requirement) bool {
			return a.Key == b.Key && a.Operator == b.Operator && slices.Equal(a.Values, b.Values)
		})
}

// watched lists the keys whose domains of a class's pods matter to some rule.
func (c *cluster) watched(class int32) []string {
	if c.keys == nil {
		c.keys = map[int32][]string{}
		c.rules = watches(c.snapshot.Classes)
	}
	if keys, known := c.keys[class]; known {
		return keys
	}
	own := c.class(class)
	keys := []string{}
	for _, w := range c.rules {
		if (w.all || slices.Contains(w.namespaces, own.Namespace)) && require.Selects(w.selector, own.Labels) &&
			!slices.Contains(keys, w.key) {
			keys = append(keys, w.key)
		}
	}
	c.keys[class] = keys
	return keys
}

// pinDown leaves a new node only options of one domain where the domain of its pods matters to some rule: what is
// planned next for others must hold whichever option the cloud picks.
func (c *cluster) pinDown(n *engine.NewNode, class func(shape.PodID) int32) {
	first := n.Options[0]
	for _, id := range n.Pods {
		for _, key := range c.watched(class(id)) {
			if key == shape.LabelHostname {
				continue
			}
			want := c.domain(first, key)
			n.Options = slices.DeleteFunc(n.Options, func(o engine.Option) bool { return c.domain(o, key) != want })
		}
	}
}

// domain is an option's value of a label, empty if it leaves it open.
func (c *cluster) domain(o engine.Option, key string) string {
	if of := optionValue(key); of != nil {
		return of(o)
	}
	for _, it := range c.snapshot.Types {
		if it.Name != o.Type {
			continue
		}
		for _, r := range it.Requirements {
			if r.Key == key && r.Operator == shape.In && len(r.Values) == 1 {
				return r.Values[0]
			}
		}
	}
	return ""
}
