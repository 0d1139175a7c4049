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

	// Repeated is how often a search with the same result was made right before, of the same fleet.
	Repeated int `json:"repeated,omitempty"`
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

func (s Search) essence() any {
	return []any{castOf(&s.Snapshot), s.Policy, s.Courses, s.Allowed, s.Result}
}

func (s Search) again(repeated int) Kept {
	s.Repeated = repeated
	return s
}

// DecodeSearch is Decode for a search.
func DecodeSearch(from io.Reader) (Search, error) { return decode[Search](from) }

// Letting is the same search with budgets of a pool that let so many nodes go.
func (s Search) Letting(pool string, nodes int) Search {
	allowed := map[string]int{pool: nodes}
	for name, n := range s.Allowed {
		if name != pool {
			allowed[name] = n
		}
	}
	s.Allowed = allowed
	return s
}
