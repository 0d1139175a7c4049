package spread_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/engine/spread"
)

var same = shape.Selector{Requirements: []shape.Requirement{{Key: "app", Values: []string{"x"}}}}

// cluster has so many nodes in each zone, and pods of one class.
func cluster(zones []int, class shape.Class) *spread.State {
	w := enginetest.NewWorld()
	for z, n := range zones {
		zone := string(rune('a' + z))
		profile := w.Profile(shape.Profile{Labels: []shape.Label{{Key: shape.LabelZone, Value: zone}}})
		for i := range n {
			name := fmt.Sprintf("%s%d", zone, i)
			w.Node(shape.Node{
				Name: name, Hostname: name, Zone: zone, Stage: shape.Ready, Profile: profile,
				Allocatable: shape.Vector{CPU: 100_000, Memory: 100 << 30, Pods: 100},
			})
		}
	}
	class.Namespace, class.Labels = "default", []shape.Label{{Key: "app", Value: "x"}}
	class.Requests = shape.Vector{CPU: 100, Pods: 1}
	w.Pod("default/p", class)
	s := w.Snapshot()
	return spread.New(feasible.Compile(&s, true))
}

func drawZones(t *rapid.T) []int {
	return rapid.SliceOfN(rapid.IntRange(1, 3), 1, 4).Draw(t, "nodes by zone")
}

// zoneOf is the zone of the n-th node.
func zoneOf(zones []int, node int) int {
	for z, n := range zones {
		if node -= n; node < 0 {
			return z
		}
	}
	return -1
}

// Whoever asks for room before each pod never exceeds the skew, and is never kept from the emptiest zone.
func TestRoomKeepsTheSkewAndNoMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zones, skew := drawZones(t), rapid.Int32Range(1, 3).Draw(t, "max skew")
		l := spread.NewLedger(cluster(zones, shape.Class{Spread: []shape.Spread{
			{Key: shape.LabelZone, MaxSkew: skew, Hard: true, Selector: same},
		}}), 0)
		count, nodes := make([]int, len(zones)), 0
		for _, n := range zones {
			nodes += n
		}
		for range 20 {
			node := rapid.IntRange(0, nodes-1).Draw(t, "node")
			zone := zoneOf(zones, node)
			n := l.Room(0, node, rapid.IntRange(1, 3).Draw(t, "pods"))
			if n == 0 && count[zone] == slices.Min(count) {
				t.Fatalf("pods by zone: %v; the emptiest zone %d is closed", count, zone)
			}
			l.Add(0, node, n)
			if count[zone] += n; count[zone]-slices.Min(count) > int(skew) {
				t.Fatalf("pods by zone: %v, more than %d apart after %d were let in", count, skew, n)
			}
		}
	})
}

func TestAnObjectionIsMadeIfThereIsNoRoom(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zones := drawZones(t)
		rules := []shape.Class{
			{Spread: []shape.Spread{{Key: shape.LabelZone, MaxSkew: 1, Hard: true, Selector: same}}},
			{Spread: []shape.Spread{{Key: shape.LabelHostname, MaxSkew: 1, Hard: true, Selector: same}}},
			{Affinity: []shape.PodTerm{
				{Key: shape.LabelZone, Anti: true, Namespaces: []string{"default"}, Selector: same},
			}},
			{Affinity: []shape.PodTerm{{Key: shape.LabelZone, Namespaces: []string{"default"}, Selector: same}}},
		}
		l := spread.NewLedger(cluster(zones, rapid.SampledFrom(rules).Draw(t, "rule")), 0)
		nodes := 0
		for _, n := range zones {
			nodes += n
		}
		for range 10 {
			node := rapid.IntRange(0, nodes-1).Draw(t, "node")
			_, _, objects := l.Objection(0, node)
			n := l.Room(0, node, 1)
			if objects == (n > 0) {
				t.Fatalf("on node %d there is room for %d pods, and an objection: %v", node, n, objects)
			}
			l.Add(0, node, n)
		}
	})
}

// Zones with pods of an anti-affinity are closed, by the pods that run as by those that come.
func TestPodsThatRepelEachOtherAreLetInOncePerZone(t *testing.T) {
	t.Parallel()
	zones := []int{2, 1}
	l := spread.NewLedger(cluster(zones, shape.Class{Affinity: []shape.PodTerm{
		{Key: shape.LabelZone, Anti: true, Namespaces: []string{"default"}, Selector: same},
	}}), 0)
	for node, want := range []int{1, 0, 1} {
		if got := l.Room(0, node, 5); got != want {
			t.Errorf("node %d takes %d pods, want %d", node, got, want)
		}
		l.Add(0, node, want)
	}
}

// What is added and taken back leaves no trace, in whatever order.
func TestCountsAreSums(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		zones := drawZones(t)
		st := cluster(zones, shape.Class{
			Spread: []shape.Spread{{Key: shape.LabelZone, MaxSkew: 1, Hard: true, Selector: same}},
		})
		sum := make([]int32, len(zones))
		for range rapid.IntRange(0, 10).Draw(t, "changes") {
			node, n := rapid.IntRange(0, len(zones)-1).Draw(t, "node"), rapid.Int32Range(-2, 3).Draw(t, "pods")
			for _, tally := range st.Classes[0].Adds {
				st.Add(tally, node, n)
			}
			sum[zoneOf(zones, node)] += n
		}
		key := st.Classes[0].Rules[0].Key
		for _, tally := range st.Classes[0].Adds {
			if st.Tallies[tally].Key != key {
				continue
			}
			for node := range len(zones) {
				got, want := st.Tallies[tally].Count[st.NodeDomain(key, node)], sum[zoneOf(zones, node)]
				if got != want {
					t.Fatalf("the zone of node %d counts %d pods, the sum of what was added is %d", node, got, want)
				}
			}
		}
	})
}
