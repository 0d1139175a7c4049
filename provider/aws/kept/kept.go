// Package kept keeps answers for a while, so that what is asked for often is fetched seldom.
// Errors are never kept.
package kept

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Answers are values by key, each for the same time. It is safe for use by many goroutines;
// those that ask for one key at once may each fetch it.
type Answers[K comparable, V any] struct {
	clock clock.PassiveClock
	keep  time.Duration

	mu   sync.Mutex // guards the field below
	byID map[K]answer[V]
}

type answer[V any] struct {
	value V
	at    time.Time
}

// New makes an empty store that keeps each answer for so long.
func New[K comparable, V any](clock clock.PassiveClock, keep time.Duration) *Answers[K, V] {
	return &Answers[K, V]{clock: clock, keep: keep, byID: map[K]answer[V]{}}
}

// Get returns what is kept under the key, else what fetch returns.
func (a *Answers[K, V]) Get(key K, fetch func() (V, error)) (V, error) {
	a.mu.Lock()
	old, ok := a.byID[key]
	a.mu.Unlock()
	if ok && a.clock.Since(old.at) < a.keep {
		return old.value, nil
	}
	asked := a.clock.Now()
	value, err := fetch()
	if err != nil {
		return value, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byID[key] = answer[V]{value, asked}
	a.sweepLocked()
	return value, nil
}

// Put keeps a value that was learned otherwise.
func (a *Answers[K, V]) Put(key K, value V) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.byID[key] = answer[V]{value, a.clock.Now()}
}

// Peek returns what is kept under the key.
func (a *Answers[K, V]) Peek(key K) (V, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweepLocked()
	old, ok := a.byID[key]
	return old.value, ok
}

// All returns all that is kept, in no order.
func (a *Answers[K, V]) All() []V {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweepLocked()
	out := make([]V, 0, len(a.byID))
	for _, old := range a.byID {
		out = append(out, old.value)
	}
	return out
}

// Take returns what is kept under the key and drops it: of many who take it one gets it.
func (a *Answers[K, V]) Take(key K) (V, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweepLocked()
	old, ok := a.byID[key]
	delete(a.byID, key)
	return old.value, ok
}

// Forget drops what is kept under a key.
func (a *Answers[K, V]) Forget(key K) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.byID, key)
}

// sweepLocked drops what is too old, so that keys which are never asked for again do not
// pile up. a.mu is held.
func (a *Answers[K, V]) sweepLocked() {
	for key, old := range a.byID {
		if a.clock.Since(old.at) >= a.keep {
			delete(a.byID, key)
		}
	}
}
