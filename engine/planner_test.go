package engine_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// later is a Snapshot of the same cluster a moment later: lists that did not change are the same lists.
func later(t *rapid.T, s shape.Snapshot) shape.Snapshot {
	switch rapid.IntRange(0, 5).Draw(t, "news") {
	case 0: // some pods have gone
		s.Pods = slices.Clone(s.Pods[:rapid.IntRange(0, len(s.Pods)).Draw(t, "pods left")])
	case 1: // nodes have come to an end
		s.Nodes = slices.Clone(s.Nodes[:rapid.IntRange(0, len(s.Nodes)).Draw(t, "nodes left")])
	case 2: // a pool has used up more, or has another weight
		s.Pools = slices.Clone(s.Pools)
		pool := *s.Pools[0]
		pool.Weight++
		pool.Limits = []shape.Limit{{Resource: shape.CPU, Max: rapid.Int64Range(0, 20).Draw(t, "cores") * 1000}}
		s.Pools[0] = &pool
	case 3: // something is sold out
		s.Types = slices.Clone(s.Types)
		it := *s.Types[0]
		it.Offerings = slices.Clone(it.Offerings)
		for i := range it.Offerings {
			it.Offerings[i].Available = rapid.Bool().Draw(t, "available")
		}
		s.Types[0] = &it
	case 4: // there are pods of another class
		s.Classes = append(slices.Clone(s.Classes), &shape.Class{
			Namespace: "default", Requests: shape.Vector{CPU: 700, Pods: 1},
		})
		s.Pods = append(slices.Clone(s.Pods), shape.Pod{ID: "default/another", Class: int32(len(s.Classes) - 1)})
	}
	return s
}

// What a Planner remembers of Snapshots before makes no difference to its decisions.
func TestAPlannerDecidesAsPlanDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := enginetest.Snapshots().Draw(t, "cluster")
		var planner engine.Planner
		for range rapid.IntRange(1, 4).Draw(t, "passes") {
			p := engine.DefaultPolicy()
			p.Preferences = rapid.SampledFrom([]engine.PreferencePolicy{
				engine.RespectPreferences, engine.IgnorePreferences,
			}).Draw(t, "preferences")
			if diff := cmp.Diff(engine.Plan(s, p), planner.Plan(s, p)); diff != "" {
				t.Fatalf("-Plan +Planner\n%s", diff)
			}
			s = later(t, s)
		}
	})
}
