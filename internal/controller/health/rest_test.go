package health

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// A pool whose nodes do not join rests for a minute, then for two, up to ten; one that joins ends it.
func TestFailingPoolsRest(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	clock := clocktesting.NewFakeClock(now)
	r := New(nil, aClass{}, clock)
	rests := func(want time.Duration, why string) {
		t.Helper()
		if got := max(r.Rest("general").Sub(clock.Now()), 0); got != want {
			t.Errorf("%s: rests for %s, want %s", why, got, want)
		}
	}
	r.Note("general", false)
	rests(0, "one failure")
	r.Note("general", false)
	rests(time.Minute, "two failures")
	for range 20 {
		r.Note("general", false)
	}
	rests(time.Minute, "more of the same launch")
	for _, want := range []time.Duration{2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute,
		10 * time.Minute} {
		clock.SetTime(r.Rest("general"))
		rests(0, "after the rest")
		r.Note("general", false)
		rests(want, "a try after a rest failed")
	}
	r.Note("general", true)
	rests(0, "a node joined")
	r.Note("general", false)
	rests(time.Minute, "and another did not: two of the last four")
	if !r.Rest("other").IsZero() {
		t.Error("another pool rests too")
	}
}
