package backoff

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func TestWaitsDoubleUpToTheLast(t *testing.T) {
	t.Parallel()
	s := Schedule{First: time.Second, Last: 10 * time.Second}
	var got []time.Duration
	for n := range 7 {
		got = append(got, s.After(n))
	}
	want := []time.Duration{
		0,
		time.Second,
		2 * time.Second,
		4 * time.Second,
		8 * time.Second,
		10 * time.Second,
		10 * time.Second,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Whatever the schedule and however often it failed, no wait is shorter than the one before or out of bounds.
func TestWaitsNeverShrinkOrOverflow(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		first := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "first"))
		s := Schedule{
			First: first,
			Last:  first + time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "more")),
		}
		n := rapid.IntRange(1, 10_000).Draw(t, "failures")
		before, now := s.After(n-1), s.After(n)
		if now < before || now < s.First || now > s.Last {
			t.Fatalf("after %d failures %s, after %d %s, of %+v", n-1, before, n, now, s)
		}
		if n > mostSteps && now != s.Last && s.First > time.Microsecond {
			t.Fatalf("after %d failures only %s of %s", n, now, s.Last)
		}
	})
}

func TestARestEndsInTime(t *testing.T) {
	t.Parallel()
	s := Schedule{First: time.Minute, Last: time.Hour}
	var r Rest
	if left := r.Left(noon); left != 0 || r.Failures() != 0 || !r.Until().IsZero() {
		t.Errorf("what never failed rests for %s", left)
	}
	r = r.Fail(noon, s)
	if left := r.Left(noon.Add(20 * time.Second)); left != 40*time.Second {
		t.Errorf("20 s after one failure %s are left, want 40 s", left)
	}
	r = r.Fail(noon.Add(time.Minute), s)
	if left := r.Left(noon.Add(time.Minute)); left != 2*time.Minute || r.Failures() != 2 {
		t.Errorf("after the second of %d failures %s are left, want 2 min", r.Failures(), left)
	}
	if left := r.Left(noon.Add(time.Hour)); left != 0 {
		t.Errorf("%s are left an hour later", left)
	}
	r = r.Pause(noon.Add(5 * time.Minute))
	if r.Failures() != 2 || r.Left(noon) != 5*time.Minute {
		t.Errorf("a pause counts as a failure: %+v", r)
	}
}
