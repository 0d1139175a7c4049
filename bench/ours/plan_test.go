package ours_test

import (
	"fmt"
	"testing"

	"github.com/dovetail-sh/dovetail/bench/ours"
	"github.com/dovetail-sh/dovetail/bench/workload"
	"github.com/dovetail-sh/dovetail/engine/shape"
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

// Where pods that bear no second of their kind on a node say how many nodes there must be, the others go onto these,
// and not onto larger ones beside which they are left alone.
func TestNodesThatPodsWantForThemselvesAreFilled(t *testing.T) {
	t.Parallel()
	general := workload.FirstCut(0)
	general.Categories = []string{"m"}
	for market, types := range map[string][]*shape.InstanceType{
		"Synthetic": workload.Diverse(0).Types,
		"General":   traceTypes(general),
		"All":       traceTypes(workload.FirstCut(0)),
	} {
		for pods, most := range map[int]float64{300: 1.06, 1000: 1.07, 5000: 1.08} {
			t.Run(fmt.Sprintf("%s/%d", market, pods), func(t *testing.T) {
				t.Parallel()
				w := workload.Diverse(pods)
				w.Types = types
				got, err := ours.Plan(w)
				if err != nil {
					t.Fatal(err)
				}
				if over := float64(got.Price) / float64(got.Bound); got.Unplaced > 0 || over > most {
					t.Errorf("%+v is %.3f of what is proved, want %.3f at most", got, over, most)
				}
			})
		}
	}
}

// traceTypes is the market of a cut, which does not need the trace itself.
func traceTypes(cut workload.Cut) []*shape.InstanceType {
	w, _ := workload.Trace("", cut) // there is no such file
	return w.Types
}
