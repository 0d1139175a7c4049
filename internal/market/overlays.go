package market

import (
	"errors"
	"sync"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// ErrUnevaluated means that nobody has checked the overlays since the daemon started. It passes within seconds.
var ErrUnevaluated = errors.New("NodeOverlays have not been evaluated yet")

// Overlays are the NodeOverlays that hold. It is safe for concurrent use.
type Overlays struct {
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

// NewOverlays makes Overlays that wait for the first evaluation: until then, who asks gets ErrUnevaluated.
func NewOverlays() *Overlays { return &Overlays{known: map[string]applied{}} }

// NoOverlays is for daemons without the feature gate: no overlay applies, and nobody evaluates any.
func NoOverlays() *Overlays { return &Overlays{evaluated: true, known: map[string]applied{}} }

// apply is what overlays make of the types that a cloud sells to a NodePool. Equal types give the same result, by
// identity, until overlays or the pool change. A nil pool, of a claim without one, has no overlays.
func (o *Overlays) apply(pool *karpenterv1.NodePool, types []*shape.InstanceType) (translate.Overlaid, error) {
	if pool == nil {
		return translate.Overlaid{Types: types}, nil
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.evaluated {
		return translate.Overlaid{}, ErrUnevaluated
	}
	if len(o.overlays) == 0 || len(types) == 0 {
		return translate.Overlaid{Types: types}, nil
	}
	last, ok := o.known[pool.Name]
	if ok && last.generation == pool.Generation && sameTypes(last.types, types) {
		return last.out, nil
	}
	out := translate.OverlayTypes(o.overlays, pool, types)
	o.known[pool.Name] = applied{pool.Generation, types, out}
	return out, nil
}

// sameTypes compares by identity: a cloud returns the same list until something changes.
func sameTypes(a, b []*shape.InstanceType) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// Set replaces the overlays that hold.
func (o *Overlays) Set(overlays []translate.Overlay) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.evaluated, o.overlays = true, overlays
	clear(o.known)
}

// Forget drops what was kept for NodePools that are gone.
func (o *Overlays) Forget(alive map[string]bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for pool := range o.known {
		if !alive[pool] {
			delete(o.known, pool)
		}
	}
}
