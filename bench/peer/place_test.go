package peer_test

import (
	"sync"
	"testing"

	"github.com/dovetail-sh/dovetail/bench/peer"
	"github.com/dovetail-sh/dovetail/internal/sample"
)

// The race detector watches what the peer keeps for all its schedulers.
func TestClustersArePlacedAtTheSameTime(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for worker := range uint64(2) {
		wg.Go(func() {
			for seed := range uint64(5) {
				if _, err := peer.Place(t.Context(), sample.NewCluster(10*worker+seed+1, 4)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}
