package offering

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// restFor is how long an offering that AWS had none of is left alone.
const restFor = 3 * time.Minute

// Shortage remembers what AWS had none of. It is safe for use by many goroutines.
type Shortage struct {
	clock clock.PassiveClock

	mu       sync.Mutex // guards the fields below
	until    map[string]time.Time
	revision uint64 // +1 on every change, of what is short by the clock's passing too
}

// NewShortage makes an empty memory.
func NewShortage(clock clock.PassiveClock) *Shortage {
	return &Shortage{clock: clock, until: map[string]time.Time{}}
}

// Note remembers that AWS has none of a type in a zone.
func (s *Shortage) Note(capacityType, instanceType, zone string) {
	s.note(key(capacityType, instanceType, zone))
}

// NoteCapacityType remembers that nothing can be bought under a capacity type.
func (s *Shortage) NoteCapacityType(capacityType string) { s.note(capacityType) }

func (s *Shortage) note(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until[key] = s.clock.Now().Add(restFor)
	s.revision++
}

// Has reports whether AWS had none of it just now.
func (s *Shortage) Has(capacityType, instanceType, zone string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	_, short := s.until[key(capacityType, instanceType, zone)]
	_, all := s.until[capacityType]
	return short || all
}

// Revision changes whenever an answer of Has may have.
func (s *Shortage) Revision() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweepLocked()
	return s.revision
}

// sweepLocked forgets what is over. s.mu is held.
func (s *Shortage) sweepLocked() {
	now := s.clock.Now()
	for k, until := range s.until {
		if !now.Before(until) {
			delete(s.until, k)
			s.revision++
		}
	}
}

func key(capacityType, instanceType, zone string) string {
	return fmt.Sprintf("%s:%s:%s", capacityType, instanceType, zone)
}
