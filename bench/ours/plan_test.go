package ours_test

import (
	"testing"

	"github.com/dovetail-sh/dovetail/bench/ours"
	"github.com/dovetail-sh/dovetail/bench/workload"
)

// Plans that leave pods out are cheap for the wrong reason.
func TestWePlaceEveryPodOfThePeersWorkloads(t *testing.T) {
	t.Parallel()
	for _, w := range []workload.Workload{workload.Diverse(100), workload.Preferences(50, false),
		workload.Preferences(50, true)} {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			got, err := ours.Plan(w)
			if err != nil {
				t.Fatal(err)
			}
			if got.Unplaced != 0 || got.Nodes == 0 || got.Price == 0 || got.Bound > got.Price {
				t.Errorf("got %+v, want all pods on nodes, at a price that is not below the bound", got)
			}
		})
	}
}
