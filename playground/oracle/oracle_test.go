package oracle

import (
	"cmp"
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"
)

var (
	placements = flag.Int("placements", 20_000, "how many placements to check")
	examples   = flag.Int("examples", 2, "how many disagreements of each kind to make small and show")
	firstSeed  = flag.Uint64("seed", 1, "the first cluster's seed; the next ones count up")
)

func TestTheSchedulerAgrees(t *testing.T) {
	s, err := newScheduler(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var total counts
	byKind := map[string]int{}
	for seed := *firstSeed; total.placements < *placements; seed++ {
		n, bad := judge(t.Context(), s, newCluster(t.Context(), s, seed))
		total.clusters += n.clusters
		total.placements += n.placements
		total.onNew += n.onNew
		total.unplaced += n.unplaced
		for _, d := range bad {
			key := string(d.Kind) + ": " + cmp.Or(d.Plugin, strings.Fields(d.Node + " nowhere")[0])
			byKind[key]++
			if byKind[key] <= *examples {
				small := minimise(t.Context(), s, newCluster(t.Context(), s, seed), d)
				_, left := judge(t.Context(), s, small)
				t.Errorf("%v\nsmallest cluster that shows it:\n%v%v", d, small, left)
			}
		}
	}
	t.Logf("%+v", total)
	for _, key := range slices.Sorted(maps.Keys(byKind)) {
		t.Logf("%6d %s", byKind[key], key)
	}

}
