// Package gather makes one call of many that come at once.
//
// A caller who finds nobody calling calls at once, so that a lone request waits for nothing.
// Whoever comes meanwhile waits, and all of them go together in the next call. There are no
// timers and no goroutines: callers do the work for each other.
package gather

import (
	"context"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// Calls gathers requests for keys. It is safe for use by many goroutines.
type Calls[K comparable, V any] struct {
	fetch   func(context.Context, []K) (map[K]V, error)
	largest int
	alone   func(error) bool

	clock clock.PassiveClock                       // nil if nobody watches
	told  func(requests int, waited time.Duration) // of each call

	mu      sync.Mutex // guards the fields below
	busy    bool       // somebody is calling
	waiting []*request[K, V]
}

// request is a caller who waits: for its answer, or for its turn to call.
type request[K comparable, V any] struct {
	key    K
	since  time.Time      // zero if nobody watches
	answer chan answer[V] // buffered: nobody waits to answer
	turn   chan struct{}  // buffered
}

type answer[V any] struct {
	value V
	found bool
	err   error
}

// New makes Calls of at most largest keys each. fetch answers for the keys that it finds.
// When it fails for several keys and alone says so of the error, each key is tried alone, so
// that one bad key spoils no other's answer.
func New[K comparable, V any](
	largest int,
	fetch func(context.Context, []K) (map[K]V, error),
	alone func(error) bool,
) *Calls[K, V] {
	return &Calls[K, V]{fetch: fetch, largest: largest, alone: alone}
}

// Watch has told hear of each call: how many requests it serves, and how long the oldest of them has waited for it. It
// comes before the first Get.
func (c *Calls[K, V]) Watch(by clock.PassiveClock, told func(requests int, waited time.Duration)) {
	c.clock, c.told = by, told
}

// Get asks for one key. found is false if the answer does not hold it.
func (c *Calls[K, V]) Get(ctx context.Context, key K) (value V, found bool, err error) {
	r := &request[K, V]{key: key, answer: make(chan answer[V], 1), turn: make(chan struct{}, 1)}
	if c.told != nil {
		r.since = c.clock.Now()
	}
	c.mu.Lock()
	c.waiting = append(c.waiting, r)
	if !c.busy {
		c.busy = true
		r.turn <- struct{}{}
	}
	c.mu.Unlock()
	select {
	case a := <-r.answer:
		return a.value, a.found, a.err
	case <-r.turn:
		c.call(ctx)
		a := <-r.answer
		return a.value, a.found, a.err
	case <-ctx.Done():
		c.leave(r)
		var none V
		return none, false, ctx.Err()
	}
}

// call answers the oldest requests, the caller's among them, and hands the turn on.
func (c *Calls[K, V]) call(ctx context.Context) {
	c.mu.Lock()
	n := min(len(c.waiting), c.largest)
	batch := c.waiting[:n:n]
	c.waiting = c.waiting[n:]
	c.mu.Unlock()

	defer c.pass()
	if c.told != nil {
		c.told(len(batch), c.clock.Since(batch[0].since))
	}
	// The others must not fail because the one who calls for them gives up.
	ctx = context.WithoutCancel(ctx)
	byKey := map[K][]*request[K, V]{}
	var keys []K
	for _, r := range batch {
		if byKey[r.key] == nil {
			keys = append(keys, r.key)
		}
		byKey[r.key] = append(byKey[r.key], r)
	}
	values, err := c.fetch(ctx, keys)
	for _, key := range keys {
		mine, why := values, err
		if err != nil && len(keys) > 1 && c.alone(err) {
			mine, why = c.fetch(ctx, []K{key})
		}
		value, found := mine[key]
		for _, r := range byKey[key] {
			r.answer <- answer[V]{value, found, why}
		}
	}
}

// pass gives the turn to the next who waits.
func (c *Calls[K, V]) pass() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.waiting) == 0 {
		c.busy = false
		return
	}
	c.waiting[0].turn <- struct{}{}
}

// leave takes back a request whose caller gives up. If the turn was just given to it, the
// turn goes on.
func (c *Calls[K, V]) leave(r *request[K, V]) {
	c.mu.Lock()
	for i, w := range c.waiting {
		if w == r {
			c.waiting = append(c.waiting[:i:i], c.waiting[i+1:]...)
			break
		}
	}
	c.mu.Unlock()
	select {
	case <-r.turn:
		c.pass()
	default:
	}
}
