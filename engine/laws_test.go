package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func text(t *rapid.T, v any) string {
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestPlanObeysTheLaws(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, policy := enginetest.Snapshots().Draw(t, "snapshot"), engine.DefaultPolicy()
		policy.MinValues = rapid.SampledFrom([]engine.MinValuesPolicy{
			engine.MinValuesStrict, engine.MinValuesBestEffort,
		}).Draw(t, "minValues policy")
		d := engine.Plan(s, policy)
		if err := enginetest.Check(s, policy, d); err != nil {
			t.Fatalf("%v\n%s\n%s", err, text(t, s), enginetest.Print(s, d, true))
		}
	})
}

func TestOrderOfTheInputChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := enginetest.Snapshots().Draw(t, "snapshot")
		want := text(t, engine.Plan(s, engine.DefaultPolicy()))
		got := text(t, engine.Plan(enginetest.Shuffled(s, rapid.Uint64().Draw(t, "seed")), engine.DefaultPolicy()))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("shuffled input, other plan: -want +got\n%s\n%s", diff, text(t, s))
		}
	})
}

func TestPlanDoesNotWriteToItsInput(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := enginetest.Snapshots().Draw(t, "snapshot")
		before := text(t, s)
		engine.Plan(s, engine.DefaultPolicy())
		if diff := cmp.Diff(before, text(t, s)); diff != "" {
			t.Fatalf("the snapshot changed: -before +after\n%s", diff)
		}
	})
}

func TestBadIndexesAreRefusedNotFatal(t *testing.T) {
	t.Parallel()
	s := enginetest.Mixed(3, 40)
	s.Pods[0].Class = 99
	s.Pods[1].Class = -1
	s.Pools[0].Types = append(s.Pools[0].Types, 77)
	s.DaemonSets = append(s.DaemonSets, shape.DaemonSet{Name: "x", Class: 1234})
	s.Nodes = append(s.Nodes, &shape.Node{Name: "odd", Profile: 55, Stage: shape.Ready})
	d := engine.Plan(s, engine.DefaultPolicy())
	if len(d.Unplaced) != 2 || len(d.Open) != 1 {
		t.Errorf("got %d unplaced and %d nodes, want 2 and 1", len(d.Unplaced), len(d.Open))
	}
}

func TestBoundIsNeverAboveTheOptimumNorThePlanBelowIt(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := enginetest.Tiny().Draw(t, "snapshot")
		best, ok := enginetest.BruteForce(s)
		d := engine.Plan(s, engine.DefaultPolicy())
		switch {
		case !ok:
			return
		case len(d.Unplaced) > 0:
			t.Fatalf("%d pods are unplaced, but all can be placed for %s\n%s", len(d.Unplaced), best, text(t, s))
		case d.Bound > best:
			t.Fatalf("bound %s is above the optimum %s\n%s", d.Bound, best, text(t, s))
		case d.Price < best:
			t.Fatalf("price %s is below the optimum %s\n%s", d.Price, best, text(t, s))
		case d.Price > 2*best: // a handful of pods that exclude each other can be a puzzle
			t.Fatalf("price %s, best possible %s\n%s\n%s", d.Price, best, text(t, s), enginetest.Print(s, d, false))
		}
	})
}

func TestBoundIsNeverAboveTheOptimumOfSpreadPods(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := enginetest.TinySpread().Draw(t, "snapshot")
		d := engine.Plan(s, engine.DefaultPolicy())
		if best, ok := enginetest.BruteForce(s); ok && len(d.Unplaced) == 0 && d.Bound > best {
			t.Fatalf(
				"bound %s is above the optimum %s\n%s\n%s", d.Bound, best, text(t, s), enginetest.Print(s, d, false),
			)
		}
	})
}

// A limit that no plan can reach must not make plans dearer: it once switched the optimiser off.
func TestALimitOutOfReachChangesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := enginetest.Mixed(rapid.IntRange(1, 30).Draw(t, "pods"), 20)
		policy := engine.DefaultPolicy()
		policy.Effort = 5_000
		want := engine.Plan(s, policy)
		limited := s
		limited.Pools = nil
		for _, p := range s.Pools {
			far := *p
			far.Limits = []shape.Limit{
				{Resource: shape.CPU, Max: 1 << 50, Used: 17}, {Resource: shape.LimitNodes, Max: 1 << 40},
			}
			limited.Pools = append(limited.Pools, &far)
		}
		got := engine.Plan(limited, policy)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("-without limits +with\n%s", diff)
		}
	})
}
