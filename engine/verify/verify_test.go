package verify_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/board"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/limits"
	"github.com/dovetail-sh/dovetail/engine/place"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
	"github.com/dovetail-sh/dovetail/engine/verify"
)

// zones is a cluster of a node in each of some zones, without pools, and pods of one class that have this rule.
func zones(n, pods int, class shape.Class) *board.Board {
	w := enginetest.NewWorld()
	for i := range n {
		zone := string(rune('a' + i))
		w.Node(shape.Node{
			Name: "node-" + zone, Hostname: "node-" + zone, Zone: zone, Stage: shape.Ready,
			Allocatable: shape.Vector{CPU: 100_000, Memory: 100 << 30, Pods: 100},
			Profile:     w.Profile(shape.Profile{Labels: []shape.Label{{Key: shape.LabelZone, Value: zone}}}),
		})
	}
	class.Namespace, class.Labels, class.Requests = "default", []shape.Label{
		{Key: "app", Value: "x"},
	}, shape.Vector{CPU: 100, Pods: 1}
	for i := range pods {
		w.Pod(shape.PodID(fmt.Sprintf("default/p%02d", i)), class)
	}
	s := w.Snapshot()
	table := feasible.Compile(&s, true)
	b := board.New(table, spread.New(table))
	b.SetLimits(limits.New(table, true))
	return b
}

var same = shape.Selector{Requirements: []shape.Requirement{{Key: "app", Values: []string{"x"}}}}

// counts is how many pods the plan has on each node.
func counts(b *board.Board) []int {
	out := make([]int, len(b.Table.Nodes))
	for _, m := range b.Moves(0) {
		out[m.Node] += int(m.Count)
	}
	return out
}

// Whatever a plan says, what is left of it after verifying keeps the skew, and pods that it took back went where they
// may.
func TestAPlanThatBreaksASpreadIsMended(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, skew := rapid.IntRange(2, 4).Draw(t, "zones"), rapid.Int32Range(1, 3).Draw(t, "max skew")
		pods := rapid.IntRange(1, 12).Draw(t, "pods")
		b := zones(n, pods, shape.Class{
			Spread: []shape.Spread{{Key: shape.LabelZone, MaxSkew: skew, Hard: true, Selector: same}},
		})
		for range pods {
			b.Place(rapid.IntRange(0, n-1).Draw(t, "node"), 0, 1)
		}
		verify.Verify(b, place.New(b, false, place.Way{}), 0, false, false)
		least, most, sum := pods, 0, b.Stuck[0]
		for _, c := range counts(b) {
			least, most, sum = min(least, c), max(most, c), sum+c
		}
		if most-least > int(skew) {
			t.Fatalf("pods by zone: %v, a skew of more than %d", counts(b), skew)
		}
		if b.Stuck[0] > 0 || sum != pods {
			t.Fatalf("pods by zone: %v, %d stuck of %d, though all have room", counts(b), b.Stuck[0], pods)
		}
	})
}

func TestPodsThatAttractEachOtherEndUpInOneZone(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, pods := rapid.IntRange(1, 4).Draw(t, "zones"), rapid.IntRange(1, 6).Draw(t, "pods")
		b := zones(n, pods, shape.Class{Affinity: []shape.PodTerm{
			{Key: shape.LabelZone, Namespaces: []string{"default"}, Selector: same},
		}})
		for range pods {
			b.Place(rapid.IntRange(0, n-1).Draw(t, "node"), 0, 1)
		}
		verify.Verify(b, place.New(b, false, place.Way{}), 0, false, false)
		used := 0
		for _, c := range counts(b) {
			if c > 0 {
				used++
			}
		}
		if used != 1 || b.Stuck[0] != 0 {
			t.Fatalf(
				"pods by zone: %v, %d stuck; the first may be anywhere, the others where it is", counts(b), b.Stuck[0],
			)
		}
	})
}

func TestAPlanWithoutRulesAndLimitsIsLeftAlone(t *testing.T) {
	t.Parallel()
	b := zones(2, 3, shape.Class{})
	b.Place(0, 0, 3)
	placer := place.New(b, false, place.Way{})
	if ledger, revised := verify.Verify(b, placer, 0, false, false); ledger != nil || revised ||
		counts(b)[0] != 3 {
		t.Errorf("ledger %v, revised %v, pods %v", ledger, revised, counts(b))
	}
}
