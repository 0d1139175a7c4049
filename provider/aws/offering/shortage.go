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

// Shortage remembers what AWS had none of. It is safe for use by many goroutines.
type Shortage struct {
	clock clock.PassiveClock

	mu       sync.Mutex // guards the fields below
	rests    map[string]rest
	revision uint64 // +1 on every change, of what is short by the clock's passing too
}

type rest struct {
	until  time.Time
	length time.Duration
	over   bool // has been counted as over
}

// NewShortage makes an empty memory.
func NewShortage(clock clock.PassiveClock) *Shortage {
	return &Shortage{clock: clock, rests: map[string]rest{}}
}

// Note remembers that AWS has none of a type in a zone.
func (s *Shortage) Note(capacityType, instanceType, zone string) {
	s.note(key(capacityType, instanceType, zone))
}

// NoteCapacityType remembers that nothing can be bought under a capacity type.
func (s *Shortage) NoteCapacityType(capacityType string) { s.note(capacityType) }

// Clear forgets a shortage, and how long it lasted: AWS had one.
func (s *Shortage) Clear(capacityType, instanceType, zone string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range []string{key(capacityType, instanceType, zone), capacityType} {
		if old, ok := s.rests[k]; ok {
			delete(s.rests, k)
			if !old.over {
				s.revision++
			}
		}
	}
}

func (s *Shortage) note(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	next := rest{length: restFor}
	if old, ok := s.rests[key]; ok {
		next.length = old.length
		if old.over {
			next.length = min(2*old.length, longestRest)
		}
	}
	next.until = s.clock.Now().Add(next.length)
	s.rests[key] = next
	s.revision++
}

// Has reports whether AWS had none of it just now.
func (s *Shortage) Has(capacityType, instanceType, zone string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	return s.restsLocked(key(capacityType, instanceType, zone)) || s.restsLocked(capacityType)
}

// Revision changes whenever an answer of Has may have.
func (s *Shortage) Revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	return s.revision
}

// restsLocked reports whether a rest is on. s.mu is held.
func (s *Shortage) restsLocked(key string) bool {
	r, ok := s.rests[key]
	return ok && !r.over
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
}

func key(capacityType, instanceType, zone string) string {
	return capacityType + ":" + instanceType + ":" + zone
}
