package engine_test

import (
	"encoding/json"
	"fmt"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// twoSizes is two pods of two cores, a machine for one of them at a dollar, and one for both.
func twoSizes(both float64) shape.Snapshot {
	w := enginetest.NewWorld()
	for name, cores := range map[string]int64{"single": 2, "double": 4} {
		v := shape.Vector{CPU: cores * 1000, Memory: cores << 30, Pods: 10}
		price := 1.0
		if name == "double" {
			price = both
		}
		w.Type(shape.InstanceType{Name: name, Capacity: v, Allocatable: v, Offerings: []shape.Offering{
			{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Dollars(price), Available: true}}})
	}
	for _, id := range []shape.PodID{"default/p1", "default/p2"} {
		w.Pod(id, shape.Class{Namespace: "default", Requests: shape.Vector{CPU: 2000, Memory: 1 << 30, Pods: 1}})
	}
	return w.Snapshot()
}

func TestOfPlansAboutAsCheapTheOneWithFewerNodesWins(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why       string
		both      float64
		nodePrice float64
		nodes     int
	}{
		"Equal":           {"At the same price one node is less to look after than two.", 2.00, 0, 1},
		"WithinHalf":      {"A third of a percent is not worth a second node.", 2.006, 0, 1},
		"Beyond":          {"One percent is.", 2.02, 0, 2},
		"NodePriced":      {"Unless the policy says that a node costs three cents beside its machine.", 2.02, 0.03, 1},
		"NodeTooCheap":    {"A node that costs a tenth of a cent does not pay for two cents.", 2.02, 0.001, 2},
		"FarTooExpensive": {"A machine at three times the price is no bargain.", 6, 0.5, 2},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			policy := engine.DefaultPolicy()
			policy.NodePrice = shape.Dollars(tc.nodePrice)
			d := engine.Plan(twoSizes(tc.both), policy)
			if len(d.Open) != tc.nodes || len(d.Unplaced) > 0 {
				t.Errorf(
					"%s\ngot %d nodes for %s and %d pods unplaced, want %d nodes", tc.why, len(d.Open), d.Price,
					len(d.Unplaced), tc.nodes,
				)
			}
		})
	}
}

// The number of cores must not matter. Other tests may run at the same time: they see the change too, which only
// makes them slower.
func TestTheNumberOfCoresChangesNothing(t *testing.T) {
	for name, s := range map[string]shape.Snapshot{
		"NewNodes":      enginetest.Diverse(1_500, 60),
		"ExistingNodes": enginetest.Busy(200, 1_200, 20),
	} {
		var want string
		for _, cores := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(cores)
			out, err := json.Marshal(engine.Plan(s, engine.DefaultPolicy()))
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			if want == "" {
				want = string(out)
			}
			if diff := cmp.Diff(want, string(out)); diff != "" {
				t.Errorf("%s: -one core +%d cores\n%s", name, cores, diff)
			}
		}
	}
}

// A limit within reach, but not reached, once switched the optimiser off.
func TestPlansUnderLimitsAreNearTheirBound(t *testing.T) {
	t.Parallel()
	w := enginetest.NewWorld()
	enginetest.Fakes(w, 24)
	for i := range 300 {
		w.Pod(shape.PodID(fmt.Sprintf("default/p%03d", i)), shape.Class{Namespace: "default", Requests: shape.Vector{
			CPU: []int64{500, 1000, 1500, 3000}[i%4], Memory: []int64{1, 3, 8}[i%3] << 30, Pods: 1}})
	}
	s := w.Snapshot()
	free := engine.Plan(s, engine.DefaultPolicy())
	cores := int64(0)
	for _, n := range free.Open {
		cores += n.Requests.CPU
	}
	limited := *s.Pools[0]
	limited.Limits = []shape.Limit{
		{Resource: shape.CPU, Max: 2 * cores}, {Resource: shape.LimitNodes, Max: int64(2 * len(free.Open))},
	}
	s.Pools = []*shape.Pool{&limited}
	got := engine.Plan(s, engine.DefaultPolicy())
	if err := enginetest.Check(s, engine.DefaultPolicy(), got); err != nil {
		t.Fatal(err)
	}
	if float64(got.Price) > 1.01*float64(got.Bound) || len(got.Unplaced) > 0 {
		t.Errorf(
			"price %s, bound %s, %d pods unplaced; want at most 1.01 times the bound", got.Price, got.Bound,
			len(got.Unplaced),
		)
	}
}
