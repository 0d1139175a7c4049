package pack_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/pack"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

func packed(s shape.Snapshot, effort int) (*board.Board, pack.Result) {
	table := feasible.Compile(&s, true)
	b := board.New(table, spread.New(table))
	return b, pack.Pack(b, pack.Task{Effort: effort, Strict: true})
}

// Every pod is on a node, on a new node, or stuck: none twice, none forgotten.
func TestEveryPodIsSomewhereOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, r := packed(enginetest.Snapshots().Draw(t, "cluster"), rapid.SampledFrom([]int{
			0, 100_000,
		}).Draw(t, "effort"))
		have := make([]int, len(b.Table.Classes)) // by the class that has the pods
		for _, m := range b.Moves(0) {
			have[b.Table.Classes[m.Class].Base] += int(m.Count)
		}
		for _, bin := range r.Bins {
			for _, e := range bin.Entries {
				have[b.Table.Classes[r.Items[e.Item].Class].Base] += e.Count
			}
		}
		for class, c := range b.Table.Classes {
			if got := have[class] + r.Stuck[class]; got != len(c.Pods) {
				t.Fatalf(
					"class %d has %d pods, of which %d have a place and %d have none", class, len(c.Pods), have[class],
					r.Stuck[class],
				)
			}
		}
	})
}

func TestWhereLimitsLeaveTooLittleTheHigherPriorityIsServed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := enginetest.NewWorld()
		v := shape.Vector{CPU: 4000, Memory: 8 << 30, Pods: 10}
		w.Type(shape.InstanceType{Name: "c4", Capacity: v, Allocatable: v, Offerings: []shape.Offering{
			{Zone: "a", CapacityType: shape.OnDemand, Available: true, Price: 1000},
		}})
		nodes := rapid.Int64Range(0, 3).Draw(t, "nodes")
		w.Pool(shape.Pool{Name: "q", Limits: []shape.Limit{{Resource: shape.LimitNodes, Max: nodes}}})
		low, high := rapid.IntRange(0, 4).Draw(t, "low"), rapid.IntRange(1, 4).Draw(t, "high")
		for i, n := range []int{low, high} {
			for k := range n {
				w.Pod(shape.PodID(fmt.Sprintf("default/p%d-%d", i, k)), shape.Class{
					Namespace: "default", Priority: int32(i), Requests: shape.Vector{CPU: 3000, Pods: 1},
				})
			}
		}
		b, r := packed(w.Snapshot(), 0)
		for class, c := range b.Table.Classes {
			want := max(high-int(nodes), 0)
			if c.Priority == 0 {
				want = max(low-max(int(nodes)-high, 0), 0)
			}
			if r.Stuck[class] != want {
				t.Fatalf("%d nodes for %d pods of high and %d of low priority: "+
					"of priority %d so many are stuck: %d, want %d",
					nodes, high, low, c.Priority, r.Stuck[class], want)
			}
		}
	})
}

func TestTheFloorIsNotAboveThePrice(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		b, r := packed(enginetest.Snapshots().Draw(t, "cluster"), 100_000)
		price := shape.Money(0)
		for i := range r.Bins {
			price += r.Bins[i].Price(b.Table)
		}
		if r.Floor > price {
			t.Fatalf("the plan costs %s, and no plan is said to cost less than %s", price, r.Floor)
		}
	})
}
