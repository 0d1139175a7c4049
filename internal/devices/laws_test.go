package devices_test

import (
	"fmt"
	"testing"

	resourcev1 "k8s.io/api/resource/v1"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// drawRequest draws a request of one of the kinds that there are.
func drawRequest(t *rapid.T) resourcev1.DeviceRequest {
	count := rapid.Int64Range(1, 3).Draw(t, "count")
	switch rapid.IntRange(0, 5).Draw(t, "kind of request") {
	case 0:
		all := exactly("gpu", 0, model("t4"))
		all.Exactly.AllocationMode = resourcev1.DeviceAllocationModeAll
		return all
	case 1:
		return resourcev1.DeviceRequest{FirstAvailable: []resourcev1.DeviceSubRequest{
			sub("best", 1, model("l4")), sub("else", count, model("t4")),
		}}
	case 2:
		watch, yes := exactly("gpu", 1), true
		watch.Exactly.AdminAccess = &yes
		return watch
	case 3:
		return exactly("gpu", count, model(rapid.SampledFrom([]string{"t4", "l4"}).Draw(t, "model")))
	case 4:
		return memory(rapid.SampledFrom([]string{"3Gi", "7Gi", "16Gi"}).Draw(t, "memory"))
	}
	return exactly("gpu", count)
}

func model(name string) string { return "device.attributes['gpu.example.com'].model == '" + name + "'" }

func sub(name string, count int64, expression string) resourcev1.DeviceSubRequest {
	return resourcev1.DeviceSubRequest{
		Name: name, DeviceClassName: "gpu", Count: count, AllocationMode: resourcev1.DeviceAllocationModeExactCount,
		Selectors: []resourcev1.DeviceSelector{{CEL: &resourcev1.CELDeviceSelector{Expression: expression}}},
	}
}

func drawClaim(t *rapid.T) resourcev1.DeviceClaim {
	spec := asks(drawRequest(t))
	if rapid.Bool().Draw(t, "second request") {
		spec = asks(spec.Requests[0], drawRequest(t))
	}
	bus := resourcev1.FullyQualifiedName("gpu.example.com/bus")
	switch rapid.IntRange(0, 4).Draw(t, "constraint") {
	case 0:
		spec.Constraints = []resourcev1.DeviceConstraint{{MatchAttribute: &bus}}
	case 1:
		spec.Constraints = []resourcev1.DeviceConstraint{{DistinctAttribute: &bus}}
	}
	return spec
}

func drawSlice(t *rapid.T) *resourcev1.ResourceSlice {
	if rapid.IntRange(0, 3).Draw(t, "shared") == 0 {
		return sharedGPU("16Gi")
	}
	return gpus(rapid.IntRange(1, 4).Draw(t, "gpus"), rapid.SampledFrom([]string{"t4", "l4"}).Draw(t, "model"), "16Gi")
}

// Nodes can be bought without limit, so a pod goes without a place only if it would not get its devices on an empty
// node of any type; and each pod is in one place.
func TestNoPodStarvesThatFitsOnANodeOfItsOwn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet()
		for i := range rapid.IntRange(1, 3).Draw(t, "types") {
			f.sells(fmt.Sprint("type-", i), rapid.Int64Range(50, 500).Draw(t, "cents"), drawSlice(t))
		}
		if rapid.Bool().Draw(t, "a node is there") {
			f.node("n1", drawSlice(t))
		}
		templates := rapid.IntRange(1, 4).Draw(t, "templates")
		for i := range templates {
			f.template(fmt.Sprint("t", i), drawClaim(t))
		}
		claimed := map[shape.PodID]string{}
		for i := range rapid.IntRange(1, 6).Draw(t, "pods") {
			name := fmt.Sprint("p", i)
			claimed[shape.PodID("default/"+name)] = fmt.Sprint("t", rapid.IntRange(0, templates-1).Draw(t, "template"))
			f.pod(name, claimed[shape.PodID("default/"+name)])
		}
		w := devices.New(f.objects, nil)
		d := w.Plan(w.Shape(f.s), planOf).Decision
		seen := len(d.Place) + len(d.Unplaced)
		for _, n := range d.Open {
			seen += len(n.Pods)
			if len(n.Options) == 0 {
				t.Fatalf("node %s has no options", n.ID)
			}
		}
		if seen != len(claimed) {
			t.Fatalf("%d pods are accounted for, of %d", seen, len(claimed))
		}
		for _, u := range d.Unplaced {
			if why := u.Why.Text(); contains(why, "beside/") {
				t.Fatalf("a reason names what is made up: %s", why)
			}
			alone := *f
			alone.s.Nodes, alone.s.Pods, alone.s.Classes = nil, nil, nil
			alone.pod("alone", claimed[u.Pod])
			if got := w.Plan(w.Shape(alone.s), planOf).Decision; len(got.Open) > 0 {
				t.Fatalf("%s is not placed (%s), but fits on a node of its own", u.Pod, u.Why.Sentence())
			}
		}
	})
}

func planOf(s shape.Snapshot) engine.Decision { return engine.Plan(s, engine.Policy{}) }
