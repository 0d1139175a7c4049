package overlay

import (
	"errors"
	"sync"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// ErrUnevaluated means that nobody has checked the overlays since the daemon started. It passes within seconds.
var ErrUnevaluated = errors.New("NodeOverlays have not been evaluated yet")

// Store applies the overlays that hold. It is safe for use by many goroutines.
type Store struct {
	mu        sync.Mutex // guards the fields below
	evaluated bool
	overlays  []translate.Overlay // in order of precedence
	known     map[string]applied  // by NodePool
}

// applied is what was made of a cloud's types for a NodePool, and for which.
type applied struct {
	generation int64
	types      []*shape.InstanceType
	out        translate.Overlaid
}

// NewStore makes a Store that waits for the first evaluation.
func NewStore() *Store { return &Store{known: map[string]applied{}} }

// Off makes a Store for daemons without the feature gate: no overlay applies, and nobody evaluates any.
func Off() *Store { return &Store{evaluated: true, known: map[string]applied{}} }

// Apply is what overlays make of the types that a cloud sells to a NodePool. Equal types give the same result, by
// identity, until overlays or the pool change. A nil pool, of a claim without one, has no overlays.
func (s *Store) Apply(pool *karpenterv1.NodePool, types []*shape.InstanceType) (translate.Overlaid, error) {
	if pool == nil {
		return translate.Overlaid{Types: types}, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.evaluated {
		return translate.Overlaid{}, ErrUnevaluated
	}
	if len(s.overlays) == 0 || len(types) == 0 {
		return translate.Overlaid{Types: types}, nil
	}
	last, ok := s.known[pool.Name]
	if ok && last.generation == pool.Generation && same(last.types, types) {
		return last.out, nil
	}
	out := translate.OverlayTypes(s.overlays, pool, types)
	s.known[pool.Name] = applied{pool.Generation, types, out}
	return out, nil
}

// same compares by identity: a cloud returns the same list until something changes.
func same(a, b []*shape.InstanceType) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// set replaces the overlays that hold.
func (s *Store) set(overlays []translate.Overlay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.evaluated, s.overlays = true, overlays
	clear(s.known)
}

// forget drops what was kept for NodePools that are gone.
func (s *Store) forget(alive map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for pool := range s.known {
		if !alive[pool] {
			delete(s.known, pool)
		}
	}
}
