package peer_test

import (
	"testing"

	"github.com/dovetail-sh/dovetail/bench/peer"
	"github.com/dovetail-sh/dovetail/bench/workload"
)

// A workload that the peer cannot place entirely would make every comparison unfair.
func TestThePeerPlacesEveryPodOfItsOwnWorkloads(t *testing.T) {
	for _, w := range []workload.Workload{workload.Diverse(100), workload.Preferences(50, false),
		workload.Preferences(50, true)} {
		got, err := peer.Solve(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		if got.Unplaced != 0 || got.Nodes == 0 || got.Price == 0 {
			t.Errorf("%s: %+v, want all pods on nodes with a price", w.Name, got)
		}
		t.Logf("%s: %d pods in %s on %d nodes for %s", w.Name, len(w.Pods), got.Took, got.Nodes, got.Price)
	}
}
