package bind_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

var zones = []string{"a", "b", "c"}

func inZone(zone string) []shape.NodeTerm {
	return []shape.NodeTerm{{Labels: []shape.Requirement{{Key: shape.LabelZone, Values: []string{zone}}}}}
}

// world has room for everybody in every zone.
func world() *enginetest.World {
	w := enginetest.NewWorld()
	v := shape.Vector{CPU: 4000, Memory: 16 << 30, Pods: 110}
	t := shape.InstanceType{Name: "t", Capacity: v, Allocatable: v}
	for i, zone := range zones {
		t.Offerings = append(t.Offerings, shape.Offering{
			Zone: zone, CapacityType: shape.OnDemand, Available: true, Price: shape.Money(1000 + i),
		})
	}
	w.Type(t)
	return w
}

func small() shape.Class {
	return shape.Class{Namespace: "default", Requests: shape.Vector{CPU: 1000, Memory: 1 << 20, Pods: 1}}
}

func plan(t *rapid.T, w *enginetest.World) engine.Decision {
	s := w.Snapshot()
	d := engine.Plan(s, engine.DefaultPolicy())
	if err := enginetest.Check(s, engine.DefaultPolicy(), d); err != nil {
		t.Fatalf("%v\n%s", err, enginetest.Print(s, d, true))
	}
	return d
}

// As many pods get a place as there are volumes for at best, by trying all ways to give them out.
func TestAsManyClaimsGetVolumesAsCan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var volumes []shape.Slot
		for i := range rapid.IntRange(1, 5).Draw(t, "volumes") {
			volumes = append(volumes, shape.Slot{
				Volume: fmt.Sprintf("v%d", i), Terms: inZone(rapid.SampledFrom(zones).Draw(t, "zone")),
			})
		}
		w := world()
		var may [][]int // by pod
		for i := range rapid.IntRange(1, 5).Draw(t, "pods") {
			c, own := small(), []int(nil)
			only := rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(t, "selects")
			if only != "" {
				c.NodeSelector = []shape.Requirement{{Key: shape.LabelZone, Values: []string{only}}}
			}
			b := shape.Binding{}
			for k, v := range volumes {
				if !rapid.Bool().Draw(t, "suits") {
					continue
				}
				b.Slots = append(b.Slots, v)
				c.VolumeTerms = append(c.VolumeTerms, v.Terms...)
				if only == "" || v.Terms[0].Labels[0].Values[0] == only {
					own = append(own, k)
				}
			}
			c.Bindings = []shape.Binding{b}
			if len(b.Slots) == 0 {
				c.Refused = "no volume is free"
			}
			may = append(may, own)
			w.Pod(shape.PodID(fmt.Sprintf("default/p%d", i)), c)
		}
		want := most(may, nil)
		if d := plan(t, w); len(may)-len(d.Unplaced) != want {
			t.Fatalf(
				"%d of %d pods are placed, %d can be\n%s", len(may)-len(d.Unplaced), len(may), want,
				enginetest.Print(w.Snapshot(), d, true),
			)
		}
	})
}

// most tries for each pod every volume, and none.
func most(may [][]int, taken []int) int {
	if len(may) == 0 {
		return 0
	}
	best := most(may[1:], taken)
	for _, v := range may[0] {
		if !slices.Contains(taken, v) {
			best = max(best, 1+most(may[1:], append(slices.Clone(taken), v)))
		}
	}
	return best
}

// A volume that is still to be made is made where most of its pods can be.
func TestAsManyPodsReachTheirVolumeAsCan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		w := world()
		can := map[string]map[string]int{} // pods by claim and zone
		pods := rapid.IntRange(2, 6).Draw(t, "pods")
		for i := range pods {
			c := small()
			claim := rapid.SampledFrom([]string{"default/x", "default/x", "default/y"}).Draw(t, "claim")
			c.Bindings = []shape.Binding{{Claim: claim, Made: true, Key: shape.LabelZone}}
			allowed := zones
			if rapid.Bool().Draw(t, "selects") {
				allowed = slices.Clone(rapid.SampledFrom([][]string{
					{"a"}, {"b"}, {"c"}, {"a", "b"}, {"b", "c"},
				}).Draw(t, "zones"))
				c.NodeSelector = []shape.Requirement{{Key: shape.LabelZone, Values: allowed}}
			}
			if can[claim] == nil {
				can[claim] = map[string]int{}
			}
			for _, zone := range allowed {
				can[claim][zone]++
			}
			w.Pod(shape.PodID(fmt.Sprintf("default/p%d", i)), c)
		}
		want := 0
		for _, byZone := range can {
			best := 0
			for _, n := range byZone {
				best = max(best, n)
			}
			want += best
		}
		if d := plan(t, w); pods-len(d.Unplaced) != want {
			t.Fatalf(
				"%d of %d pods are placed, %d can be\n%s", pods-len(d.Unplaced), pods, want,
				enginetest.Print(w.Snapshot(), d, true),
			)
		}
	})
}

// What one plan chose holds for the next, while nodes are on their way and nobody has bound anything.
func TestAChoiceOutlivesItsPlan(t *testing.T) {
	t.Parallel()
	w := world()
	c := small()
	c.Requests.CPU = 3000
	c.Bindings = []shape.Binding{{Claim: "default/x", Made: true, Key: shape.LabelZone}}
	w.Node(shape.Node{Name: "claim-1", Hostname: "claim-1", Stage: shape.Launching, Allocatable: shape.Vector{
		CPU: 4000, Memory: 16 << 30, Pods: 110,
	},
		Profile: w.Profile(shape.Profile{Labels: []shape.Label{{Key: shape.LabelZone, Value: "c"}}}),
		Pods:    []shape.Pod{{ID: "default/first", Class: w.Class(c)}}})
	w.Pod("default/second", c)
	d := engine.Plan(w.Snapshot(), engine.DefaultPolicy())
	if len(d.Open) != 1 || d.Open[0].Options[0].Zone != "c" || len(d.Open[0].Options) != 1 {
		t.Errorf("got %+v, want one node in zone c", d.Open)
	}
}
