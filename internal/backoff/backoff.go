// Package backoff says how long something that failed is left alone: twice as long after each failure, up to a limit.
//
// It is the one place where the controllers double a wait. It has no clock, starts nothing and is not safe for
// concurrent use; whoever keeps a Rest guards it.
package backoff

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
)

// Schedule bounds the waits. Both are more than zero, and Last is no less than First.
type Schedule struct {
	First time.Duration // after one failure
	Last  time.Duration // at most
}

// mostSteps is after how many failures nothing grows any more, whatever the schedule: doubled so often, a nanosecond
// is a year.
const mostSteps = 55

// After is the wait after the nth failure in a row, counted from 1; zero after none.
func (s Schedule) After(failures int) (next time.Duration) {
	steps := wait.Backoff{Duration: s.First, Factor: 2, Cap: s.Last, Steps: mostSteps}
	for range min(failures, mostSteps) {
		next = steps.Step()
	}
	return next
}

// Rest is what is known of something that may have failed. The zero Rest has not.
type Rest struct {
	failures int // in a row
	until    time.Time
}

// Fail is the Rest after one more failure, now.
func (r Rest) Fail(now time.Time, s Schedule) Rest {
	r.failures++
	r.until = now.Add(s.After(r.failures))
	return r
}

// Pause leaves it alone until a time, without counting a failure.
func (r Rest) Pause(until time.Time) Rest {
	r.until = until
	return r
}

// Failures is how often it failed in a row.
func (r Rest) Failures() int { return r.failures }

// Until is when it may be tried again; the zero time if it never failed.
func (r Rest) Until() time.Time { return r.until }

// Left is how long it is left alone yet; zero if it may be tried now.
func (r Rest) Left(now time.Time) time.Duration { return max(r.until.Sub(now), 0) }
