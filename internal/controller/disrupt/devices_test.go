package disrupt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	resourcev1 "k8s.io/api/resource/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

const gpuDriver = "gpu.example.com"

// gpus are what a node publishes that has one behind each of these switches.
func gpus(node string, switches []string) *resourcev1.ResourceSlice {
	s := &resourcev1.ResourceSlice{}
	s.Name = node + "-gpus"
	s.Spec.Driver = gpuDriver
	s.Spec.Pool = resourcev1.ResourcePool{Name: s.Name, Generation: 1, ResourceSliceCount: 1}
	if node != "" {
		s.Spec.NodeName = &node
	}
	for i := range switches {
		s.Spec.Devices = append(s.Spec.Devices, resourcev1.Device{
			Name:       fmt.Sprint("gpu-", i),
			Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{"bus": {StringValue: &switches[i]}},
		})
	}
	return s
}

// two asks for two GPUs behind one switch, or behind two.
func two(together bool) (out resourcev1.DeviceClaim) {
	out.Requests = []resourcev1.DeviceRequest{{
		Name: "gpus", Exactly: &resourcev1.ExactDeviceRequest{
			DeviceClassName: "gpu", AllocationMode: resourcev1.DeviceAllocationModeExactCount, Count: 2,
		},
	}}
	bus := resourcev1.FullyQualifiedName(gpuDriver + "/bus")
	out.Constraints = []resourcev1.DeviceConstraint{{DistinctAttribute: &bus}}
	if together {
		out.Constraints = []resourcev1.DeviceConstraint{{MatchAttribute: &bus}}
	}
	return out
}

// equip has the pods of each node claim two GPUs behind one switch and behind two, in turn. Nodes that are there have
// room for both; new ones have what is sold.
func (f *fleet) equip(sold ...string) *fleet {
	class := &resourcev1.DeviceClass{}
	class.Name = "gpu"
	class.Spec.Selectors = []resourcev1.DeviceSelector{
		{CEL: &resourcev1.CELDeviceSelector{Expression: "device.driver == '" + gpuDriver + "'"}},
	}
	news := []*resourcev1.ResourceSlice{gpus("", sold)}
	o := devices.Objects{
		Classes: []*resourcev1.DeviceClass{class},
		Sold:    func(string) []*resourcev1.ResourceSlice { return news },
	}
	for i := range 2 {
		t := &resourcev1.ResourceClaimTemplate{}
		t.Namespace, t.Name = "default", fmt.Sprint("t", i)
		t.Spec.Spec.Devices = two(i == 0)
		o.Templates = append(o.Templates, t)
	}
	for _, n := range f.snap.Nodes {
		o.Slices = append(o.Slices, gpus(n.Name, []string{"0", "0", "1", "2"}))
		for i := range n.Pods {
			c := *f.snap.Classes[n.Pods[i].Class]
			c.Claims = []shape.Claim{{Name: "gpus", Template: fmt.Sprint("t", i%2)}}
			n.Pods[i].Class = int32(len(f.snap.Classes))
			f.snap.Classes = append(f.snap.Classes, &c)
		}
	}
	f.devices = devices.New(o, nil)
	f.snap = f.devices.Shape(f.snap)
	return f
}

// Pods that claim devices must get them in what comes instead of their node, whether it comes before or after.
func TestReplacementsHaveTheDevicesOfTheirPods(t *testing.T) {
	t.Parallel()
	one := func() *fleet {
		return newFleet(func(p *karpenterv1.NodePool) {
			p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
		}).node("a", 4, []int{2, 2}, drifted)
	}
	enough, mixed, few := []string{"0", "0", "1", "2"}, []string{"0", "0", "1", "1"}, []string{"0", "0", "1"}
	cases := map[string]struct {
		fleet *fleet
		want  string
		opens int
		why   string // of a node that stays
	}{
		"First":                 {one().reserve(0).equip(enough...), "reserve a Drifted", 0, ""},
		"First/NotTogether":     {one().reserve(0).equip(mixed...), "keep a Drifted", 0, ""},
		"First/TooFew":          {one().reserve(0).equip(few...), "keep a Drifted", 0, ""},
		"Afterwards":            {one().equip(enough...), "reserve a Drifted", 1, ""},
		"Afterwards/TwoForOne":  {one().equip(mixed...), "reserve a Drifted", 2, ""},
		"Afterwards/NoLargeOne": {one().equip(few[:1]...), "keep a Drifted", 0, "gpu"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.fleet.first = map[karpenterv1.DisruptionReason]bool{karpenterv1.DisruptionReasonDrifted: true}
			m := newMemory()
			out := tc.fleet.pass(&m, noon)
			if diff := cmp.Diff([]string{tc.want}, words(out)); diff != "" {
				t.Fatalf("-want +got\n%s", diff)
			}
			if n := opened(&m); n != tc.opens {
				t.Errorf("%d nodes are opened, want %d", n, tc.opens)
			}
			if why := out.choices[0].why; !strings.Contains(why, tc.why) || strings.Contains(why, "beside/") {
				t.Errorf("it says %q, want it to speak of %q", why, tc.why)
			}
		})
	}
}

// opened is how many nodes moves open.
func opened(m *memory) (n int) {
	for _, under := range m.moves {
		n += len(under.Open)
	}
	return n
}
