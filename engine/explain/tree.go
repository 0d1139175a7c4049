package explain

import "github.com/dovetail-sh/dovetail/engine/feasible"

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
