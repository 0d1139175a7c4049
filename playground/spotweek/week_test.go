package main

import (
	"testing"
	"time"
)

// A restless hour: machines are taken away, every pod of theirs gets another within minutes, and it costs less than on
// demand.
func TestPodsSurviveARestlessHour(t *testing.T) {
	lived := func(s scenario) result {
		s.seed, s.length = 3, time.Hour
		r, err := live(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	full := lived(scenario{capacityTypes: []string{"on-demand"}, unrest: 1})
	spot := lived(scenario{capacityTypes: []string{"on-demand", "spot"}, unrest: 20_000})
	if spot.interruptions == 0 || spot.evicted == 0 {
		t.Fatalf(
			"%d interruptions and %d evictions at 20,000 times the unrest: nothing was put to the test",
			spot.interruptions,
			spot.evicted,
		)
	}
	if spot.lost > 0 {
		t.Errorf("%d machines were gone before their pods had been drained", spot.lost)
	}
	if spot.longest > 5*time.Minute {
		t.Errorf("a pod was without a node for %s, want 5 minutes at most", spot.longest)
	}
	if full.interruptions != 0 || full.launched == 0 {
		t.Errorf("on demand: %d interruptions, %d launches", full.interruptions, full.launched)
	}
	if spot.paid >= full.paid {
		t.Errorf("spot cost %d micro-dollars, on demand %d", spot.paid, full.paid)
	}
}
