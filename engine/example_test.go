package engine_test

import (
	"fmt"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Three pods of one class, two instance types, no node yet.
func ExamplePlan() {
	offered := func(name string, cores int64, price shape.Money) *shape.InstanceType {
		v := shape.Vector{CPU: 1000 * cores, Memory: cores << 32, Pods: 29}
		return &shape.InstanceType{
			Name: name, Capacity: v, Allocatable: v,
			Offerings: []shape.Offering{{Zone: "a", CapacityType: shape.OnDemand, Price: price, Available: true}},
		}
	}
	snapshot := shape.Snapshot{
		Classes: []*shape.Class{{Namespace: "default", Requests: shape.Vector{CPU: 1500, Memory: 2 << 30, Pods: 1}}},
		Types:   []*shape.InstanceType{offered("m5.large", 2, 96_000), offered("m5.xlarge", 4, 192_000)},
		Pools:   []*shape.Pool{{Name: "general", Types: []int32{0, 1}}},
		Pods:    []shape.Pod{{ID: "default/a"}, {ID: "default/b"}, {ID: "default/c"}},
	}
	decision := engine.Plan(snapshot, engine.DefaultPolicy())
	for _, node := range decision.Open {
		fmt.Println(node.ID, node.Options[0].Type, node.Pods)
	}
	fmt.Println("an hour:", decision.Price)
	// Output:
	// n1 m5.xlarge [default/a default/b]
	// n2 m5.large [default/c]
	// an hour: 0.2880
}

// A Planner is for one Snapshot after the other, of which most is the same.
func ExamplePlanner() {
	snapshot := shape.Snapshot{
		Classes: []*shape.Class{{Namespace: "default", Requests: shape.Vector{CPU: 1500, Pods: 1}}},
		Pods:    []shape.Pod{{ID: "default/a"}},
	}
	var planner engine.Planner
	for range 2 {
		decision := planner.Plan(snapshot, engine.DefaultPolicy())
		fmt.Println(decision.Unplaced[0].Pod, "has no place")
		snapshot.Pods = []shape.Pod{{ID: "default/b"}}
	}
	// Output:
	// default/a has no place
	// default/b has no place
}
