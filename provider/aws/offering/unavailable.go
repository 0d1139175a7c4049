package offering

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// restFor is how long an offering that AWS had none of is left alone the first time. Each time
// that it is still short when it is tried again the rest doubles, up to longestRest.
const (
	restFor     = 3 * time.Minute
	longestRest = 24 * time.Minute
)

// forgiveAfter is how long after a rest the next shortage counts as a new one.
const forgiveAfter = 30 * time.Minute

// probeFor is how long one launch may try alone what was short. Its answer comes sooner.
const probeFor = 30 * time.Second

// Pool is what AWS sells out of as one. Empty fields stand for all there are: a Pool with a capacity type alone is all
// that is sold under it.
type Pool struct {
	CapacityType, InstanceType, Zone string

	// Group is the placement group's ID; empty for none. What is short inside of a group may be plenty outside.
	Group string

	// Dedicated machines run on hardware of the account's own, of which there may be none while others are plenty.
	Dedicated bool
}

// within are the pools whose shortage is p's too.
func (p Pool) within() [3]Pool {
	return [3]Pool{p, {CapacityType: p.CapacityType, Zone: p.Zone, Group: p.Group}, {CapacityType: p.CapacityType}}
}

// Shortage remembers what AWS had none of. It is safe for use by many goroutines.
type Shortage struct {
	clock clock.PassiveClock

	mu       sync.Mutex // guards the fields below
	rests    map[Pool]rest
	limits   map[limitKey]limit
	revision uint64 // +1 on every change, of what is short by the clock's passing too
}

type rest struct {
	until  time.Time
	length time.Duration
	over   bool      // has been counted as over
	probed time.Time // when a launch last began to try it after that
}

// NewShortage makes an empty memory.
func NewShortage(clock clock.PassiveClock) *Shortage {
	return &Shortage{clock: clock, rests: map[Pool]rest{}, limits: map[limitKey]limit{}}
}

// Note remembers that AWS has none of some pools. Those that are found out at once are one change.
func (s *Shortage) Note(pools ...Pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	changed := false
	for _, p := range pools {
		next := rest{length: restFor}
		old, ok := s.rests[p]
		if ok {
			next.length = old.length
			if old.over {
				next.length = min(2*old.length, longestRest)
			}
		}
		next.until = s.clock.Now().Add(next.length)
		s.rests[p] = next
		changed = changed || !ok || old.over
	}
	if changed {
		s.revision++
	}
}

// Clear forgets a shortage, and how long it lasted: AWS had one.
func (s *Shortage) Clear(p Pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range p.within() {
		if old, ok := s.rests[k]; ok {
			delete(s.rests, k)
			if !old.over {
				s.revision++
			}
		}
	}
}

// Has reports whether AWS had none of it just now.
func (s *Shortage) Has(p Pool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	for _, k := range p.within() {
		if r, ok := s.rests[k]; ok && !r.over {
			return true
		}
	}
	return false
}

// Probe asks to try a pool. It is false while another launch tries what was short until a moment ago: one is enough to
// find out, and all the others would fail with it.
func (s *Shortage) Probe(p Pool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	now := s.clock.Now()
	for _, k := range p.within() {
		r, ok := s.rests[k]
		if !ok || !r.over {
			continue
		}
		if !r.probed.IsZero() && now.Sub(r.probed) < probeFor {
			return false
		}
		r.probed = now
		s.rests[k] = r
	}
	return true
}

// Revision changes whenever an answer of Has or Beyond may have.
func (s *Shortage) Revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	return s.revision
}

// sweepLocked ends rests whose time is over and forgets those long past. s.mu is held.
func (s *Shortage) sweepLocked() {
	now := s.clock.Now()
	for k, r := range s.rests {
		switch {
		case !now.Before(r.until.Add(forgiveAfter)):
			if !r.over {
				s.revision++
			}
			delete(s.rests, k)
		case !r.over && !now.Before(r.until):
			r.over = true
			s.rests[k] = r
			s.revision++
		}
	}
	for k, l := range s.limits {
		if !now.Before(l.until) {
			delete(s.limits, k)
			s.revision++
		}
	}
}
