package devices_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

const driver = "gpu.example.com"

// fleet is a small cluster that a test makes step by step.
type fleet struct {
	objects devices.Objects
	s       shape.Snapshot
	sold    map[string][]*resourcev1.ResourceSlice
}

func newFleet() *fleet {
	f := &fleet{sold: map[string][]*resourcev1.ResourceSlice{}}
	f.s = shape.Snapshot{
		Now:      time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC),
		Profiles: []*shape.Profile{{}},
		Pools:    []*shape.Pool{{Name: "default"}},
	}
	f.objects.Sold = func(name string) []*resourcev1.ResourceSlice { return f.sold[name] }
	f.class("gpu", "device.driver == '"+driver+"'")
	return f
}

func (f *fleet) class(name, expression string) {
	c := &resourcev1.DeviceClass{}
	c.Name = name
	c.Spec.Selectors = []resourcev1.DeviceSelector{{CEL: &resourcev1.CELDeviceSelector{Expression: expression}}}
	f.objects.Classes = append(f.objects.Classes, c)
}

func room(cpu int64) shape.Vector {
	return shape.Vector{CPU: cpu * 1000, Memory: 64 << 30, Ephemeral: 64 << 30, Pods: 110}
}

// sells adds an instance type of a price in cents whose nodes publish devices.
func (f *fleet) sells(name string, cents int64, list ...*resourcev1.ResourceSlice) {
	it := &shape.InstanceType{
		Name:        name,
		Capacity:    room(32),
		Allocatable: room(32),
		Requirements: []shape.Requirement{
			{Key: shape.LabelInstanceType, Operator: shape.In, Values: []string{name}},
			{Key: shape.LabelZone, Operator: shape.In, Values: []string{"a"}},
			{Key: shape.LabelCapacityType, Operator: shape.In, Values: []string{shape.OnDemand}},
		},
	}
	it.Offerings = []shape.Offering{{
		Zone: "a", CapacityType: shape.OnDemand, Price: shape.Money(cents) * shape.Dollar / 100, Available: true,
	}}
	f.s.Pools[0].Types = append(f.s.Pools[0].Types, int32(len(f.s.Types)))
	f.s.Types = append(f.s.Types, it)
	f.sold[name] = list
}

// node adds a ready node that publishes devices.
func (f *fleet) node(name string, list ...*resourcev1.ResourceSlice) *shape.Node {
	n := &shape.Node{Name: name, Hostname: name, Allocatable: room(32), Stage: shape.Ready, Zone: "a"}
	f.s.Nodes = append(f.s.Nodes, n)
	for _, s := range list {
		own := s.DeepCopy()
		own.Spec.NodeName = &name
		own.Spec.Pool.Name = name + "-" + own.Spec.Pool.Name
		f.objects.Slices = append(f.objects.Slices, own)
	}
	return n
}

// pod adds a pod that waits, with claims of one's own made from templates, or by name after a "=".
func (f *fleet) pod(name string, claims ...string) {
	c := &shape.Class{Namespace: "default", Requests: shape.Vector{CPU: 100, Memory: 1 << 20, Pods: 1}}
	for i, claim := range claims {
		entry := shape.Claim{Name: fmt.Sprint("c", i), Template: claim}
		if claim[0] == '=' {
			entry.Template, entry.Claim = "", claim[1:]
		}
		c.Claims = append(c.Claims, entry)
	}
	f.add(name, c)
}

func (f *fleet) add(name string, c *shape.Class) {
	f.s.Classes = append(f.s.Classes, c)
	f.s.Pods = append(f.s.Pods, shape.Pod{ID: shape.PodID("default/" + name), Class: int32(len(f.s.Classes) - 1)})
	slices.SortFunc(f.s.Pods, func(a, b shape.Pod) int { return cmpText(string(a.ID), string(b.ID)) })
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (f *fleet) template(name string, spec resourcev1.DeviceClaim) {
	t := &resourcev1.ResourceClaimTemplate{}
	t.Namespace, t.Name, t.Spec.Spec.Devices = "default", name, spec
	f.objects.Templates = append(f.objects.Templates, t)
}

func (f *fleet) claim(name string, spec resourcev1.DeviceClaim) *resourcev1.ResourceClaim {
	c := &resourcev1.ResourceClaim{}
	c.Namespace, c.Name, c.Spec.Devices = "default", name, spec
	f.objects.Claims = append(f.objects.Claims, c)
	return c
}

func (f *fleet) plan(t *testing.T) devices.Planned {
	t.Helper()
	w := devices.New(f.objects, nil)
	planned := w.Plan(w.Shape(f.s), func(s shape.Snapshot) engine.Decision { return engine.Plan(s, engine.Policy{}) })
	if got := engine.Plan(planned.Snapshot, engine.Policy{}); got.Price != planned.Plan.Price {
		t.Errorf("the last round cannot be repeated: %v, then %v", planned.Plan.Price, got.Price)
	}
	return planned
}

// want says where pods must be planned: "pod pod → type" for new nodes and nodes that exist, "pod ✗" for none.
func (f *fleet) want(t *testing.T, want ...string) devices.Planned {
	t.Helper()
	planned := f.plan(t)
	var got []string
	d := planned.Decision
	for _, n := range d.Open {
		got = append(got, names(n.Pods)+" → "+n.Options[0].Type)
	}
	onto := map[string][]shape.PodID{}
	for _, p := range d.Place {
		onto[p.Node] = append(onto[p.Node], p.Pod)
	}
	for node, pods := range onto {
		got = append(got, names(pods)+" → "+node)
	}
	for _, u := range d.Unplaced {
		got = append(got, names([]shape.PodID{u.Pod})+" ✗")
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("planned %q, want %q", got, want)
		for _, u := range d.Unplaced {
			t.Log(u.Pod, u.Why.Text())
		}
	}
	return planned
}

func names(pods []shape.PodID) (out string) {
	for _, p := range slices.Sorted(slices.Values(pods)) {
		if out != "" {
			out += " "
		}
		out += string(p)[len("default/"):]
	}
	return out
}

func exactly(class string, count int64, expressions ...string) resourcev1.DeviceRequest {
	e := &resourcev1.ExactDeviceRequest{
		DeviceClassName: class, Count: count, AllocationMode: resourcev1.DeviceAllocationModeExactCount,
	}
	for _, x := range expressions {
		e.Selectors = append(
			e.Selectors,
			resourcev1.DeviceSelector{CEL: &resourcev1.CELDeviceSelector{Expression: x}},
		)
	}
	return resourcev1.DeviceRequest{Name: "r", Exactly: e}
}

func asks(requests ...resourcev1.DeviceRequest) resourcev1.DeviceClaim {
	for i := range requests {
		requests[i].Name = fmt.Sprint("r", i)
	}
	return resourcev1.DeviceClaim{Requests: requests}
}

// gpus are n devices of a model, two of them behind each switch.
func gpus(n int, model, memory string) *resourcev1.ResourceSlice {
	s := &resourcev1.ResourceSlice{}
	s.Name = "gpus"
	s.Spec.Driver = driver
	s.Spec.Pool = resourcev1.ResourcePool{Name: "gpus", Generation: 1, ResourceSliceCount: 1}
	for i := range n {
		bus := fmt.Sprint("switch-", i/2)
		s.Spec.Devices = append(s.Spec.Devices, resourcev1.Device{
			Name: fmt.Sprint("gpu-", i),
			Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{
				"model": {StringValue: &model}, "bus": {StringValue: &bus},
			},
			Capacity: map[resourcev1.QualifiedName]resourcev1.DeviceCapacity{
				"memory": {Value: resource.MustParse(memory)}},
		})
	}
	return s
}

func TestCountsOfOneClassArePackedToTheDevice(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("none", 10)
	f.sells("one", 100, gpus(1, "t4", "16Gi"))
	f.sells("four", 350, gpus(4, "t4", "16Gi"))
	f.template("two", asks(exactly("gpu", 2)))
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "two")
	f.pod("b", "single")
	f.pod("c", "single")
	planned := f.want(t, "a b c → four")
	if got := planned.Decision.Open[0].Drivers; !slices.Equal(got, []string{driver}) {
		t.Errorf("drivers are %q", got)
	}
}

func TestSelectorsChooseTheType(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("t4", 100, gpus(1, "t4", "16Gi"))
	f.sells("l4", 200, gpus(1, "l4", "24Gi"))
	f.template("large", asks(exactly("gpu", 1,
		"device.capacity['gpu.example.com'].memory.compareTo(quantity('20Gi')) >= 0")))
	f.template("any", asks(exactly("gpu", 1)))
	f.pod("a", "large")
	f.pod("b", "any")
	f.pod("c", "any")
	f.want(t, "a → l4", "b → t4", "c → t4")
}

func TestAllDevicesOfANodeGoToOnePod(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("none", 1)
	f.sells("four", 350, gpus(4, "t4", "16Gi"))
	all := exactly("gpu", 0)
	all.Exactly.AllocationMode = resourcev1.DeviceAllocationModeAll
	f.template("all", asks(all))
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "all")
	f.pod("b", "single")
	f.want(t, "a → four", "b → four")
}

func TestTheFirstAlternativeThatANodeHasIsTaken(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("h100", 900, gpus(1, "h100", "80Gi"))
	f.sells("t4s", 400, gpus(4, "t4", "16Gi"))
	f.template("either", asks(resourcev1.DeviceRequest{FirstAvailable: []resourcev1.DeviceSubRequest{
		{Name: "best", DeviceClassName: "gpu", Count: 1, AllocationMode: resourcev1.DeviceAllocationModeExactCount,
			Selectors: []resourcev1.DeviceSelector{{CEL: &resourcev1.CELDeviceSelector{
				Expression: "device.attributes['gpu.example.com'].model == 'h100'"}}}},
		{Name: "else", DeviceClassName: "gpu", Count: 2, AllocationMode: resourcev1.DeviceAllocationModeExactCount},
	}}))
	for _, name := range []string{"a", "b", "c"} {
		f.pod(name, "either")
	}
	f.want(t, "a b → t4s", "c → t4s")
}

func TestConstraintsHoldOnEveryPlannedNode(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("one", 100, gpus(1, "t4", "16Gi"))
	f.sells("three", 240, gpus(3, "t4", "16Gi"))
	bus := resourcev1.FullyQualifiedName("gpu.example.com/bus")
	pair := asks(exactly("gpu", 2))
	pair.Constraints = []resourcev1.DeviceConstraint{{MatchAttribute: &bus}}
	f.template("pair", pair)
	apart := asks(exactly("gpu", 2))
	apart.Constraints = []resourcev1.DeviceConstraint{{DistinctAttribute: &bus}}
	f.template("apart", apart)
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "pair")
	f.pod("b", "apart")
	f.pod("c", "single")
	d := f.plan(t).Decision
	if len(d.Unplaced) > 0 || d.Price != 2*240*shape.Dollar/100 {
		t.Errorf("a pair behind one switch and a pair behind two need two nodes of three: %+v", d)
	}
}

func TestAdminAccessTakesNothing(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("none", 1)
	f.sells("one", 100, gpus(1, "t4", "16Gi"))
	watch := exactly("gpu", 1)
	yes := true
	watch.Exactly.AdminAccess = &yes
	f.template("watch", asks(watch))
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "single")
	f.pod("b", "watch")
	f.pod("c", "watch")
	f.want(t, "a b c → one")
}

// sharedGPU is a device of so much memory that pods share.
func sharedGPU(memory string) *resourcev1.ResourceSlice {
	s := gpus(1, "t4", memory)
	yes, least := true, resource.MustParse("1Gi")
	c := resourcev1.DeviceCapacity{
		Value: resource.MustParse(memory),
		RequestPolicy: &resourcev1.CapacityRequestPolicy{
			Default: &least, ValidRange: &resourcev1.CapacityRequestPolicyRange{Min: &least, Step: &least},
		},
	}
	s.Spec.Devices[0].AllowMultipleAllocations = &yes
	s.Spec.Devices[0].Capacity["memory"] = c
	return s
}

func memory(amount string) resourcev1.DeviceRequest {
	r := exactly("gpu", 1)
	r.Exactly.Capacity = &resourcev1.CapacityRequirements{
		Requests: map[resourcev1.QualifiedName]resource.Quantity{"memory": resource.MustParse(amount)},
	}
	return r
}

func TestPodsOfDifferentSizesShareADevice(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("one", 100, sharedGPU("16Gi"))
	f.template("large", asks(memory("10Gi")))
	f.template("small", asks(memory("5Gi")))
	f.pod("a", "large")
	f.pod("b", "small")
	f.pod("c", "small")
	f.pod("d", "small")
	planned := f.plan(t)
	if n := len(planned.Decision.Open); n != 2 || len(planned.Decision.Unplaced) > 0 {
		t.Errorf("%d nodes are opened for 25Gi on devices of 16Gi, want 2: %+v", n, planned.Decision)
	}
}

// sliced is a device of 4 parts that is given out whole, in halves or in quarters.
func sliced() *resourcev1.ResourceSlice {
	s := gpus(0, "a100", "40Gi")
	for name, parts := range map[string][]int64{"whole": {4}, "half": {2, 2}, "quarter": {1, 1, 1, 1}} {
		for i, part := range parts {
			profile := name
			s.Spec.Devices = append(s.Spec.Devices, resourcev1.Device{
				Name: fmt.Sprint(name, "-", i),
				Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{
					"profile": {StringValue: &profile}},
				ConsumesCounters: []resourcev1.DeviceCounterConsumption{{
					CounterSet: "gpu-0", Counters: map[string]resourcev1.Counter{
						"slices": {Value: *resource.NewQuantity(part, resource.DecimalSI)}},
				}},
			})
		}
	}
	slices.SortFunc(s.Spec.Devices, func(a, b resourcev1.Device) int { return cmpText(a.Name, b.Name) })
	return s
}

func counters() *resourcev1.ResourceSlice {
	s := gpus(0, "", "1")
	s.Name = "counters"
	s.Spec.SharedCounters = []resourcev1.CounterSet{{Name: "gpu-0", Counters: map[string]resourcev1.Counter{
		"slices": {Value: resource.MustParse("4")}}}}
	return s
}

func TestPartitionsShareTheirDevice(t *testing.T) {
	t.Parallel()
	f := newFleet()
	parts, set := sliced(), counters()
	parts.Spec.Pool.ResourceSliceCount, set.Spec.Pool.ResourceSliceCount = 2, 2
	f.sells("mig", 100, parts, set)
	for _, profile := range []string{"whole", "half", "quarter"} {
		f.template(profile, asks(exactly("gpu", 1, "device.attributes['gpu.example.com'].profile == '"+profile+"'")))
	}
	f.pod("a", "half")
	f.pod("b", "quarter")
	f.pod("c", "quarter")
	f.pod("d", "whole")
	f.want(t, "a b c → mig", "d → mig")
}

func TestTaintedDevicesAreForThoseWhoTolerateThem(t *testing.T) {
	t.Parallel()
	f := newFleet()
	bad := gpus(1, "t4", "16Gi")
	bad.Spec.Devices[0].Taints = []resourcev1.DeviceTaint{
		{Key: "sick", Effect: resourcev1.DeviceTaintEffectNoSchedule},
	}
	f.sells("bad", 50, bad)
	f.sells("good", 100, gpus(1, "t4", "16Gi"))
	hardy := exactly("gpu", 1)
	hardy.Exactly.Tolerations = []resourcev1.DeviceToleration{
		{Key: "sick", Operator: resourcev1.DeviceTolerationOpExists}}
	f.template("hardy", asks(hardy))
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "hardy")
	f.pod("b", "single")
	f.want(t, "a → bad", "b → good")
}

func TestNodesThatExistAreFilledFirst(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("one", 100, gpus(1, "t4", "16Gi"))
	f.node("n1", gpus(2, "t4", "16Gi"))
	taken := f.claim("old", asks(exactly("gpu", 1)))
	taken.Status.Allocation = &resourcev1.AllocationResult{Devices: resourcev1.DeviceAllocationResult{
		Results: []resourcev1.DeviceRequestAllocationResult{
			{Request: "r0", Driver: driver, Pool: "n1-gpus", Device: "gpu-0"}},
	}}
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "single")
	f.pod("b", "single")
	f.want(t, "a → n1", "b → one")
}

func TestPodsOfOneClaimGoTogether(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("one", 100, gpus(1, "t4", "16Gi"))
	f.sells("none", 1)
	f.claim("ours", asks(exactly("gpu", 1)))
	for _, name := range []string{"a", "b", "c"} {
		f.pod(name, "=ours")
	}
	f.want(t, "a b c → one")
}

func TestAnAllocatedClaimSaysWhere(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("one", 100, gpus(1, "t4", "16Gi"))
	f.node("n0")
	n1 := f.node("n1", gpus(1, "t4", "16Gi"))
	c := f.claim("ours", asks(exactly("gpu", 1)))
	c.Status.ReservedFor = []resourcev1.ResourceClaimConsumerReference{{Resource: "pods", Name: "old"}}
	c.Status.Allocation = &resourcev1.AllocationResult{
		Devices: resourcev1.DeviceAllocationResult{Results: []resourcev1.DeviceRequestAllocationResult{
			{Request: "r0", Driver: driver, Pool: "n1-gpus", Device: "gpu-0"}}},
		NodeSelector: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{
				{Key: "metadata.name", Operator: corev1.NodeSelectorOpIn, Values: []string{"n1"}}}}}},
	}
	f.s.Classes = append(f.s.Classes, &shape.Class{
		Namespace: "default", Requests: shape.Vector{CPU: 100, Pods: 1},
		Claims: []shape.Claim{{Name: "c0", Claim: "ours"}},
	})
	n1.Pods = []shape.Pod{{ID: "default/old", Class: int32(len(f.s.Classes) - 1)}}
	f.pod("a", "=ours")
	f.want(t, "a → n1")
}

func TestNodesOnTheirWayCountByWhatIsSold(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("two", 100, gpus(2, "t4", "16Gi"))
	n := f.node("n1")
	n.Stage, n.Pool, n.InstanceType = shape.Launching, "default", "two"
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "single")
	f.pod("b", "single")
	f.pod("c", "single")
	f.want(t, "a b → n1", "c → two")
}

func TestDevicesOfSeveralNodesAreGivenOutOnce(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.node("n1")
	f.node("n2")
	all := true
	net := gpus(1, "fpga", "1Gi")
	net.Spec.AllNodes = &all
	f.objects.Slices = append(f.objects.Slices, net)
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "single")
	f.pod("b", "single")
	planned := f.plan(t)
	if d := planned.Decision; len(d.Place) != 1 || len(d.Unplaced) != 1 {
		t.Errorf("one device for two pods: placed %v, unplaced %v", d.Place, d.Unplaced)
	}
}

func TestDevicesBoundToAZoneDrawPodsThere(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("plain", 100)
	net := gpus(1, "fpga", "1Gi")
	net.Spec.NodeSelector = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: shape.LabelZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"b"}}}}}}
	f.objects.Slices = append(f.objects.Slices, net)
	it := f.s.Types[0]
	it.Requirements[1].Values = []string{"a", "b"}
	far := it.Offerings[0]
	far.Zone, far.Price = "b", 2*far.Price
	it.Offerings = append(it.Offerings, far)
	f.template("single", asks(exactly("gpu", 1)))
	f.pod("a", "single")
	planned := f.want(t, "a → plain")
	if n := planned.Decision.Open; len(n) != 1 || len(n[0].Options) != 1 || n[0].Options[0].Zone != "b" {
		t.Errorf("a node is opened at %+v, want zone b", n)
	}
}

func TestAnExtendedResourceIsServedFromDevices(t *testing.T) {
	t.Parallel()
	f := newFleet()
	name := "example.com/gpu"
	f.objects.Classes[0].Spec.ExtendedResourceName = &name
	f.sells("none", 1)
	f.sells("two", 100, gpus(2, "t4", "16Gi"))
	f.node("n1", gpus(1, "t4", "16Gi"))
	f.template("single", asks(exactly("gpu", 1)))
	for _, pod := range []string{"a", "b"} {
		f.add(pod, &shape.Class{Namespace: "default", Requests: shape.Vector{CPU: 100, Pods: 1,
			Extended: []shape.Amount{{Resource: name, Value: 1}}}})
	}
	f.pod("c", "single")
	planned := f.plan(t)
	d := planned.Decision
	if len(d.Place) != 1 || len(d.Open) != 1 || len(d.Unplaced) != 0 {
		t.Errorf("three devices are wanted, one is there: %+v", d)
	}
}

// A GPU that a device plugin sells and that the driver publishes too is one GPU.
func TestAGPUIsNotSoldTwice(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.class("nvidia", "device.driver == 'gpu.nvidia.com'")
	one := gpus(1, "t4", "16Gi")
	one.Spec.Driver = "gpu.nvidia.com"
	f.sells("g4dn.xlarge", 100, one)
	plugin := shape.Vector{Extended: []shape.Amount{{Resource: "nvidia.com/gpu", Value: 1}}}
	it := f.s.Types[0]
	it.Capacity, it.Allocatable = it.Capacity.Add(plugin), it.Allocatable.Add(plugin)
	f.template("single", asks(exactly("nvidia", 1)))
	f.add("a", &shape.Class{Namespace: "default", Requests: shape.Vector{CPU: 100, Pods: 1}.Add(plugin)})
	f.pod("b", "single")
	for _, n := range f.want(t, "a → g4dn.xlarge", "b → g4dn.xlarge").Decision.Open {
		want := map[shape.PodID][]string{"default/a": nil, "default/b": {"gpu.nvidia.com"}}[n.Pods[0]]
		if !slices.Equal(n.Drivers, want) {
			t.Errorf("the node of %s waits for drivers %q, want %q", n.Pods[0], n.Drivers, want)
		}
	}
}

func TestWhatCannotBeAllocatedSaysWhy(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		spec resourcev1.DeviceClaim
		want string
	}{
		"no such class": {asks(exactly("tpu", 1)), `claim "c0": request "r0": DeviceClass "tpu" not found`},
		"too many": {
			asks(exactly("gpu", 33)),
			`claim "c0": requests 33 total devices, exceeding maximum of 32`,
		},
		"does not compile": {asks(exactly("gpu", 1, "device.nothing")), `CEL expression "device.nothing"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFleet()
			f.sells("one", 100, gpus(1, "t4", "16Gi"))
			f.template("x", tc.spec)
			f.pod("a", "x")
			d := f.want(t, "a ✗").Decision
			if got := d.Unplaced[0].Why.Sentence(); !contains(got, tc.want) {
				t.Errorf("says %q, want %q in it", got, tc.want)
			}
		})
	}
}

func contains(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}

// What types publish is told apart by what it is: names of pools are the drivers' affair.
func TestOptionsThatPublishLessAreNotBoughtWhateverTheirPoolIsCalled(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("two", 100, gpus(2, "t4", "16Gi"))
	f.sells("one-and-one", 150, gpus(2, "t4", "16Gi"))
	f.sold["one-and-one"][0].Spec.Devices[1].Attributes["bus"] = f.sold["two"][0].Spec.Devices[0].Attributes["model"]
	pair := asks(exactly("gpu", 2))
	bus := resourcev1.FullyQualifiedName("gpu.example.com/bus")
	pair.Constraints = []resourcev1.DeviceConstraint{{MatchAttribute: &bus}}
	f.template("pair", pair)
	f.pod("a", "pair")
	for _, o := range f.want(t, "a → two").Decision.Open[0].Options {
		if o.Type != "two" {
			t.Errorf("%s is an option, though its GPUs are behind two switches", o.Type)
		}
	}
}

func TestReasonsSpeakOfClaims(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.sells("none", 10)
	f.claim("ours", asks(exactly("gpu", 1)))
	f.pod("a", "=ours")
	f.pod("b", "=ours")
	d := f.want(t, "a ✗", "b ✗").Decision
	if got := d.Unplaced[1].Why.Sentence(); !contains(got, "shares ResourceClaim default/ours") {
		t.Errorf("b says %q, want it to say with whom it goes", got)
	}
}

// What the planner was forbidden since the allocator refused a mixture of pods is nothing that anybody can look up.
func TestNoReasonNamesWhatIsMadeUp(t *testing.T) {
	t.Parallel()
	f := newFleet()
	f.node("four", gpus(4, "t4", "16Gi"))
	bus := resourcev1.FullyQualifiedName("gpu.example.com/bus")
	pair, apart := asks(exactly("gpu", 2)), asks(exactly("gpu", 2))
	pair.Constraints = []resourcev1.DeviceConstraint{{MatchAttribute: &bus}}
	apart.Constraints = []resourcev1.DeviceConstraint{{DistinctAttribute: &bus}}
	f.template("pair", pair)
	f.template("apart", apart)
	f.pod("a", "apart")
	f.pod("b", "pair")
	d := f.plan(t).Decision
	if len(d.Place) != 1 || len(d.Unplaced) != 1 {
		t.Fatalf("%+v, want one of the two placed", d)
	}
	if got := d.Unplaced[0].Why.Sentence(); !contains(got, "could not be allocated for") || contains(got, "beside/") {
		t.Errorf("the other says %q, want it to speak of devices that could not be allocated", got)
	}
}
