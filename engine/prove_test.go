package engine_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

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

// A plan that took machines of pools of several weights has a bound too: what the pods would cost at least if weights
// counted for nothing. No plan for the same pods is below it, however the pools are weighted.
func TestThereIsABoundAcrossWeights(t *testing.T) {
	t.Parallel()
	proven := 0
	rapid.Check(t, func(t *rapid.T) {
		w := enginetest.NewWorld()
		for i, price := range []int64{100, 190, 260, 380} {
			v := shape.Vector{CPU: 2000 << i, Memory: int64(4+4*(i%2)) << (30 + i), Pods: 50}
			it := shape.InstanceType{Name: fmt.Sprintf("size-%d", i), Capacity: v, Allocatable: v}
			for z, zone := range []string{"us-east-1a", "us-east-1b"} {
				it.Offerings = append(it.Offerings, shape.Offering{
					Zone: zone, CapacityType: shape.OnDemand, Available: true,
					Price: shape.Money(price + int64(20-20*z)),
				})
			}
			w.Type(it)
		}
		first := shape.Pool{Name: "first", Weight: 10, Requirements: []shape.Requirement{{
			Key: shape.LabelZone, Values: []string{"us-east-1a"},
		}}}
		first.Limits = []shape.Limit{{
			Resource: shape.CPU, Max: rapid.Int64Range(0, 200).Draw(t, "cores of the first pool") * 1000,
		}}
		w.Pool(first)
		w.Pool(shape.Pool{Name: "second"})
		for i := range rapid.IntRange(1, 60).Draw(t, "pods") {
			w.Pod(shape.PodID(fmt.Sprintf("default/%03d", i)), shape.Class{Namespace: "default", Requests: shape.Vector{
				CPU:    rapid.SampledFrom([]int64{300, 1000, 2500, 7000}).Draw(t, "cpu"),
				Memory: rapid.SampledFrom([]int64{1, 3, 6, 20}).Draw(t, "memory") << 30, Pods: 1,
			}})
		}
		weighted := w.Snapshot()
		even := weighted
		even.Pools = nil
		for _, p := range weighted.Pools {
			free := *p
			free.Weight, free.Limits = 0, nil
			even.Pools = append(even.Pools, &free)
		}
		d, best := engine.Plan(weighted, engine.DefaultPolicy()), engine.Plan(even, engine.DefaultPolicy())
		pools := map[string]bool{}
		for _, n := range d.Open {
			pools[n.Pool] = true
		}
		switch {
		case len(d.Unplaced) > 0:
			t.Fatalf("%d pods have no place", len(d.Unplaced))
		case d.Bound <= 0:
			t.Fatalf("nothing is known of a plan of %s", d.Price)
		case len(pools) > 1 && d.Bound > best.Price:
			t.Fatalf("bound %s, but without weights the pods cost %s", d.Bound, best.Price)
		case len(pools) > 1:
			proven++
		}
	})
	if proven == 0 {
		t.Error("no plan took machines of both pools")
	}
}

// Ways to settle pods in domains are told apart by cheap plans. Only few of them are improved, and nothing is proved
// twice: a plan of a hundred pods is not to take as long as one of thousands.
func TestOtherWaysCostFewSteps(t *testing.T) {
	t.Parallel()
	const pods = 100
	w := enginetest.NewWorld()
	addCatalogue(w)
	for i := range pods {
		app := fmt.Sprintf("app-%d", i%7)
		w.Pod(shape.PodID(fmt.Sprintf("default/%03d", i)), shape.Class{
			Namespace: "default", Labels: []shape.Label{{Key: "app", Value: app}},
			Requests: shape.Vector{CPU: int64(300 + 310*(i%11)), Memory: int64(1+i%13) << 29, Pods: 1},
			Spread: []shape.Spread{{Key: shape.LabelZone, MaxSkew: 1, Hard: true, Selector: shape.Selector{
				Requirements: []shape.Requirement{{Key: "app", Operator: shape.In, Values: []string{app}}},
			}}},
		})
	}
	d := engine.Plan(w.Snapshot(), engine.DefaultPolicy())
	const once = 20_000 + 500*pods // of one search for columns
	if d.Counters.Steps > 5*once || len(d.Unplaced) > 0 {
		t.Errorf("%d steps, %d pods without a place, want none and %d steps at most", d.Counters.Steps, len(d.Unplaced),
			5*once)
	}
}
