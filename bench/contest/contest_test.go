package contest_test

import (
	"flag"
	"maps"
	"slices"
	"testing"

	"github.com/dovetail-sh/dovetail/bench/contest"
)

var (
	pods      = flag.Int("pods", 600, "how many pods to plan, at least")
	each      = flag.Int("each", 12, "how many pods a workload has, at most")
	firstSeed = flag.Uint64("seed", 1, "the first cluster's seed; the next ones count up")
	examples  = flag.Int("examples", 3, "how many differences of each kind of fault to show")
	strict    = flag.Bool("strict", false, "fail on every fault, known or not, and show it")
)

// known are the faults that there still are, in how many of the default run's clusters. docs/karpenter-oracle.md says
// what they come from. A number that grows is a new mistake; one that shrinks is to be written down here.
var known = map[contest.Rule]int{}

func TestDifferencesFromThePeerAreMeant(t *testing.T) {
	t.Parallel()
	clusters, all := map[contest.Rule]int{}, map[contest.Rule]int{}
	seeds, first := map[contest.Rule][]uint64{}, map[contest.Rule]string{}
	sum, n := 0, 0
	for seed := *firstSeed; sum < *pods && t.Context().Err() == nil; seed++ {
		v, err := contest.Judge(t.Context(), seed, *each)
		if err != nil {
			t.Fatal(err)
		}
		sum, n = sum+v.Pods, n+1
		all[v.Rule] += v.Pods
		if seeds[v.Rule] == nil {
			first[v.Rule] = v.Detail
		}
		seeds[v.Rule] = append(seeds[v.Rule], seed)
		if clusters[v.Rule]++; v.Rule.Fault() && (*strict || clusters[v.Rule] > known[v.Rule]) &&
			clusters[v.Rule] <= known[v.Rule]+*examples {
			t.Errorf("seed %d: %s: %s", seed, v.Rule, v.Detail)
		}
	}
	t.Logf("%d clusters, %d pods", n, sum)
	for _, rule := range slices.Sorted(maps.Keys(clusters)) {
		t.Logf(
			"%5d clusters, %6d pods: %s; seeds %d",
			clusters[rule],
			all[rule],
			rule,
			seeds[rule][:min(len(seeds[rule]), 8)],
		)
		t.Logf("      the first: %s", first[rule])
	}
}
