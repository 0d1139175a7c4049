package journal

import (
	"io"
	"time"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Search is one look for moves and everything that it was made from: Again gives Result once more.
type Search struct {
	At       time.Time      `json:"at"`
	Revision uint64         `json:"revision"` // of the mirror
	Took     time.Duration  `json:"took"`     // nanoseconds that the whole pass took
	Snapshot shape.Snapshot `json:"snapshot"`
	Policy   refit.Policy   `json:"policy"`
	Since    time.Time      `json:"since,omitzero"` // of the first move under way
	Courses  []refit.Course `json:"courses,omitempty"`
	Followed []refit.Course `json:"followed,omitempty"` // what was asked of the pass before, in this order
	Allowed  map[string]int `json:"allowed,omitempty"`  // by pool: nodes that budgets let go
	Result   refit.Result   `json:"result"`
}

// Again searches once more.
func (s Search) Again() refit.Result {
	pass := refit.Begin(s.Snapshot, s.Policy, s.Since, s.Courses...)
	for _, c := range s.Followed {
		pass.Follow(c)
	}
	for pool, n := range s.Allowed {
		pass.Allow(pool, n)
	}
	return pass.Find()
}

func (s Search) entry() Entry {
	e := Entry{Kind: Moves, At: s.At, Revision: s.Revision}
	for i := range s.Result.Moves {
		e.Pods += s.Result.Moves[i].Pods
		e.Opened += len(s.Result.Moves[i].Open)
	}
	return e
}

// DecodeSearch is Decode for a search.
func DecodeSearch(from io.Reader) (Search, error) { return decode[Search](from) }
