package explain

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
)

// Tree says why a pod was not placed, or why a node is kept: for each place that was
// looked at, how many alternatives it had and what became of them. Counts add up to
// Of; nothing is left out.
type Tree struct {
	Subject  string  `json:"subject"` // "default/db-0", "pool general", "nodes"
	Noun     string  `json:"noun,omitempty"`
	Of       int     `json:"of,omitempty"` // how many alternatives of Noun there were
	Groups   []Group `json:"groups,omitempty"`
	Children []Tree  `json:"children,omitempty"`
}

// Group is how many alternatives were refused for one reason.
type Group struct {
	Count  int             `json:"count"`
	Reason feasible.Reason `json:"reason"`
}

// Add counts one more refusal. Refusals of one kind about the same thing are one group, which
// keeps the numbers of the alternative that came closest.
func (t *Tree) Add(r feasible.Reason) {
	for i := range t.Groups {
		g := &t.Groups[i]
		if g.Reason.Kind == r.Kind && g.Reason.Resource == r.Resource && g.Reason.Key == r.Key &&
			g.Reason.Want == r.Want {
			g.Count++
			if r.Need-r.Have < g.Reason.Need-g.Reason.Have {
				g.Reason.Need, g.Reason.Have = r.Need, r.Have
			}
			return
		}
	}
	t.Groups = append(t.Groups, Group{Count: 1, Reason: r})
}

// Sort puts the groups in the order in which they are read: most alternatives first.
func (t *Tree) Sort() {
	slices.SortFunc(t.Groups, func(a, b Group) int {
		return cmp.Or(
			cmp.Compare(b.Count, a.Count),
			cmp.Compare(a.Reason.Kind, b.Reason.Kind),
			cmp.Compare(a.Reason.Resource, b.Reason.Resource),
			cmp.Compare(a.Reason.Key, b.Reason.Key),
			cmp.Compare(a.Reason.Want, b.Reason.Want),
		)
	})
}
