package provision

import (
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
		"One":        {"One pod is planned when a second has passed.", []time.Duration{0}, 0, time.Second, true},
		"Following":  {"Each pod begins the quiet second again.", []time.Duration{0, 900 * time.Millisecond, 1800 * time.Millisecond}, 0, 2800 * time.Millisecond, true},
		"Stream":     {"A stream of pods is cut after ten seconds.", stream(500*time.Millisecond, 40), 0, 10 * time.Second, true},
		"NothingYet": {"The batch begins with the first pod.", []time.Duration{5 * time.Second}, 0, 6 * time.Second, true},
		"Nudged":     {"News begins a batch but does not draw it out.", nil, 0, time.Second, true},
		"Tired":      {"Without a pod the caller gets its turn.", nil, 3 * time.Second, 3 * time.Second, false},
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
