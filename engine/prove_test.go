package engine_test

import (
	"fmt"
	"testing"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// A plan in which some pods must spread over zones is held against a bound as close as one without them: what is proved
// of pods whose zones were chosen says nothing of other choices, and what their resources cost by the fraction is far
// below.
func TestTheBoundOfPodsThatSpreadIsClose(t *testing.T) {
	t.Parallel()
	w := enginetest.NewWorld()
	addCatalogue(w)
	for i := range 300 {
		app := fmt.Sprintf("app-%d", i%5)
		c := shape.Class{
			Namespace: "default", Labels: []shape.Label{{Key: "app", Value: app}},
			Requests: shape.Vector{CPU: int64(700 + 900*(i%5)), Memory: int64(6+i%5) << 30, Pods: 1},
		}
		if i%5 < 2 {
			c.Spread = []shape.Spread{{Key: shape.LabelZone, MaxSkew: 1, Hard: true, Selector: shape.Selector{
				Requirements: []shape.Requirement{{Key: "app", Operator: shape.In, Values: []string{app}}},
			}}}
		}
		w.Pod(shape.PodID(fmt.Sprintf("default/%03d", i)), c)
	}
	d := engine.Plan(w.Snapshot(), engine.DefaultPolicy())
	if len(d.Unplaced) > 0 {
		t.Fatalf("%d pods have no place", len(d.Unplaced))
	}
	t.Logf("price %s, bound %s", d.Price, d.Bound)
	if d.Price*100 > d.Bound*103 {
		t.Errorf("price %s is more than 3 %% above the bound %s", d.Price, d.Bound)
	}
}
