package view

import (
	"fmt"
	"strings"
)

// Remedy is the smallest change that would give a pod a place, or free a node, proven by planning with it.
type Remedy struct {
	// Kinds are what each change relaxes: request, selector, taint, spread, limit, zone, PDB, budget …
	Kinds   []string `json:"kinds"`
	Changes []string `json:"changes"`          // all of them together
	Then    string   `json:"then"`             // what the plan with them says
	Others  []string `json:"others,omitempty"` // single changes that would do as well

	// None says why nothing that is known helps, if Changes is empty.
	None string `json:"none,omitempty"`
}

// Sentence is the remedy in one sentence, for events.
func (r *Remedy) Sentence() string {
	if len(r.Changes) == 0 {
		return r.None + "."
	}
	return "Smallest change: " + strings.Join(r.Changes, ", and ") + "; " + r.Then + "."
}

func (t *lines) remedy(r *Remedy) {
	if r == nil {
		return
	}
	if len(r.Changes) == 0 {
		fmt.Fprintf(t, "no change helps: %s\n", r.None)
		return
	}
	fmt.Fprintf(t, "smallest change: %s\n  planned with it: %s\n", strings.Join(r.Changes, ", and "), r.Then)
	for _, other := range r.Others {
		fmt.Fprintf(t, "  or: %s\n", other)
	}
}

// Text is the remedy for people, a line or a few.
func (r *Remedy) Text() string {
	t := &lines{}
	t.remedy(r)
	return t.String()
}
