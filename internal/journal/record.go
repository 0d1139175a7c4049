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
}

// Kind is what a record is of; the names of files end with it.
type Kind string

// The kinds of records.
const (
	Plan  Kind = "plan"  // a Record
	Moves Kind = "moves" // a Search
)

// Kept is what a journal keeps: a Record or a Search.
type Kept interface{ entry() Entry }

func (r Record) entry() Entry {
	return Entry{
		Kind: Plan, At: r.At, Revision: r.Revision, Pods: len(r.Snapshot.Pods), Opened: len(r.Decision.Open), Unplaced: len(r.Decision.Unplaced),
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
