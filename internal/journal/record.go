package journal

import (
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Record is one plan and everything that it was made from: engine.Plan(Snapshot, Policy) is Decision again.
type Record struct {
	At       time.Time       `json:"at"`
	Revision uint64          `json:"revision"` // of the mirror
	Took     time.Duration   `json:"took"`     // nanoseconds that planning took
	Snapshot shape.Snapshot  `json:"snapshot"`
	Policy   engine.Policy   `json:"policy"`
	Decision engine.Decision `json:"decision"`

	// Repeated is how often the same plan was made right before, for the same pods, nodes and offerings.
	Repeated int `json:"repeated,omitempty"`
}

// Kind is what a record is of; the names of files end with it.
type Kind string

// The kinds of records.
const (
	Plan  Kind = "plan"  // a Record
	Moves Kind = "moves" // a Search
)

// Kept is what a journal keeps: a Record or a Search.
type Kept interface {
	entry() Entry

	// essence is what two records have in common that say the same: what was decided of what. Amounts that differ
	// without making a difference are left out.
	essence() any

	// again is the record with how often the same was said before.
	again(repeated int) Kept
}

// cast is who a decision is about.
type cast struct {
	Pods  []shape.PodID
	Nodes []string
}

func castOf(s *shape.Snapshot) cast {
	out := cast{Pods: make([]shape.PodID, len(s.Pods)), Nodes: make([]string, len(s.Nodes))}
	for i := range s.Pods {
		out.Pods[i] = s.Pods[i].ID
	}
	for i, n := range s.Nodes {
		out.Nodes[i] = n.Name
	}
	return out
}

func (r Record) essence() any {
	return []any{castOf(&r.Snapshot), r.Policy, r.Decision}
}

func (r Record) again(repeated int) Kept {
	r.Repeated = repeated
	return r
}

func (r Record) entry() Entry {
	return Entry{
		Kind:     Plan,
		At:       r.At,
		Revision: r.Revision,
		Pods:     len(r.Snapshot.Pods),
		Opened:   len(r.Decision.Open),
		Unplaced: len(r.Decision.Unplaced),
	}
}

// Entry is a record's place in the journal, and what is known of it without reading it.
type Entry struct {
	Number   uint64    `json:"number"` // ascending, from 1; never used twice in one process
	Kind     Kind      `json:"kind"`
	At       time.Time `json:"at"`
	Revision uint64    `json:"revision"`
	Pods     int       `json:"pods"`     // to be placed, or evicted
	Opened   int       `json:"opened"`   // nodes
	Unplaced int       `json:"unplaced"` // pods
	Bytes    int       `json:"bytes"`    // compressed
}
