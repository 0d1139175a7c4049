package ours

import (
	"fmt"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// check looks for pods that a decision lost, invented or gave out twice, and for nodes whose pods exceed the option
// that the price is for. All other laws are the engine's own tests' and the oracle's: they take longer than planning.
func check(s shape.Snapshot, d engine.Decision) error {
	waiting := make(map[shape.PodID]*shape.Class, len(s.Pods))
	for _, p := range s.Pods {
		waiting[p.ID] = s.Classes[p.Class]
	}
	types := make(map[string]*shape.InstanceType, len(s.Types))
	for _, t := range s.Types {
		types[t.Name] = t
	}
	take := func(id shape.PodID) (*shape.Class, error) {
		class := waiting[id]
		if class == nil {
			return nil, fmt.Errorf("pod %s was not asked for, or is answered twice", id)
		}
		delete(waiting, id)
		return class, nil
	}
	for _, n := range d.Open {
		var load shape.Vector
		for _, id := range n.Pods {
			class, err := take(id)
			if err != nil {
				return err
			}
			load = load.Add(class.Requests)
		}
		if t := types[n.Options[0].Type]; !load.Fits(t.Allocatable) {
			return fmt.Errorf("node %s is overfull on its cheapest type %s", n.ID, t.Name)
		}
	}
	for _, u := range d.Unplaced {
		if _, err := take(u.Pod); err != nil {
			return err
		}
	}
	if len(waiting) > 0 {
		return fmt.Errorf("%d pods are not answered", len(waiting))
	}
	return nil
}
