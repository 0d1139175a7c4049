package provision

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/utils/clock"
)

func TestABatchEndsWhenItIsQuietOrLongEnough(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why      string
		triggers []time.Duration // from the start
		patience time.Duration
		after    time.Duration // Wait returns
		planned  bool
	}{
		"One": {"One pod is planned when a second has passed.", []time.Duration{0}, 0, time.Second, true},
		"Following": {
			"Each pod begins the quiet second again.",
			[]time.Duration{0, 900 * time.Millisecond, 1800 * time.Millisecond},
			0,
			2800 * time.Millisecond,
			true,
		},
		"Stream": {
			"A stream of pods is cut after ten seconds.",
			stream(500*time.Millisecond, 40),
			0,
			10 * time.Second,
			true,
		},
		"NothingYet": {
			"The batch begins with the first pod.",
			[]time.Duration{5 * time.Second},
			0,
			6 * time.Second,
			true,
		},
		"Nudged": {"News begins a batch but does not draw it out.", nil, 0, time.Second, true},
		"Tired":  {"Without a pod the caller gets its turn.", nil, 3 * time.Second, 3 * time.Second, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := NewBatch(time.Second, 10*time.Second, clock.RealClock{})
				for _, at := range tc.triggers {
					time.AfterFunc(at, b.Trigger)
				}
				if name == "Nudged" {
					for _, at := range stream(500*time.Millisecond, 40) {
						time.AfterFunc(at, b.Nudge)
					}
				}
				start := time.Now()
				planned := b.Wait(t.Context(), tc.patience)
				if took := time.Since(start); planned != tc.planned || took != tc.after {
					t.Errorf("%s\n%v after %s, want %v after %s", tc.why, planned, took, tc.planned, tc.after)
				}
			})
		})
	}
}

func stream(every time.Duration, n int) []time.Duration {
	var out []time.Duration
	for i := range n {
		out = append(out, time.Duration(i)*every)
	}
	return out
}

func TestATriggerDuringAPassIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := NewBatch(time.Second, 10*time.Second, clock.RealClock{})
		b.Trigger()
		b.Wait(t.Context(), 0)
		b.Trigger() // the pass is under way
		if !b.Wait(t.Context(), time.Minute) {
			t.Error("the second batch never began")
		}
	})
}

// What may be done meanwhile is done while a batch is drawn out, and leaves its end where it was.
func TestSomethingIsDoneWhileABatchIsDrawnOut(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		triggers []time.Duration
		took     time.Duration // each call
		calls    []time.Duration
		after    time.Duration
	}{
		"One":    {[]time.Duration{0}, 0, nil, time.Second},
		"Stream": {stream(450*time.Millisecond, 6), 0, []time.Duration{2 * time.Second, 3 * time.Second}, 3250 * time.Millisecond},
		"Slow":   {stream(450*time.Millisecond, 40), time.Second, []time.Duration{2 * time.Second, 7 * time.Second}, 10 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := NewBatch(time.Second, 10*time.Second, clock.RealClock{})
				for _, at := range tc.triggers {
					time.AfterFunc(at, b.Trigger)
				}
				start := time.Now()
				var calls []time.Duration
				planned := b.WaitAnd(t.Context(), 0, func(context.Context) {
					calls = append(calls, time.Since(start))
					<-time.After(tc.took)
				})
				if took := time.Since(start); !planned || took != tc.after || !slices.Equal(calls, tc.calls) {
					t.Errorf(
						"%v after %s with calls after %v; want the end after %s and calls after %v",
						planned,
						took,
						calls,
						tc.after,
						tc.calls,
					)
				}
			})
		})
	}
}
