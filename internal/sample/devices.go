package sample

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	chips   = "chip.example.com" // drivers
	links   = "link.example.com"
	fast    = "example.com/fast" // an extended resource that a DeviceClass serves
	busName = resourcev1.FullyQualifiedName(chips + "/bus")
)

var (
	chipModels = []string{"small", "large"}
	chipSize   = map[string]string{"small": "16Gi", "large": "40Gi"}
)

// DeviceDice draw what clusters have of dynamic resources.
type DeviceDice struct{ Dice }

// DeviceClasses are those of every cluster with devices.
func DeviceClasses() []*resourcev1.DeviceClass {
	class := func(name, expression string) *resourcev1.DeviceClass {
		c := &resourcev1.DeviceClass{ObjectMeta: metav1.ObjectMeta{Name: name}}
		c.Spec.Selectors = []resourcev1.DeviceSelector{selector(expression)}
		return c
	}
	served, name := class("fast", modelIs("large")), fast
	served.Spec.ExtendedResourceName = &name
	return []*resourcev1.DeviceClass{
		class("chip", "device.driver == '"+chips+"'"),
		class("link", "device.driver == '"+links+"'"),
		class("big", "device.driver == '"+chips+"' && "+
			"device.capacity['"+chips+"'].memory.compareTo(quantity('20Gi')) >= 0"),
		served,
	}
}

func selector(expression string) resourcev1.DeviceSelector {
	return resourcev1.DeviceSelector{CEL: &resourcev1.CELDeviceSelector{Expression: expression}}
}

func modelIs(model string) string {
	return "device.driver == '" + chips + "' && device.attributes['" + chips + "'].model == '" + model + "'"
}

// Devices are what nodes of one type publish: slices without name and node. Some types have none.
func (d DeviceDice) Devices() (out []*resourcev1.ResourceSlice) {
	if d.Percent(75) {
		out = Pick(d.Dice, d.wholeChips, d.wholeChips, d.sharedChips, d.dividedChips)()
	}
	if d.Percent(35) {
		out = append(out, d.linkSlice(d.Between(1, 3)))
	}
	return out
}

// CommonDevices are what nodes of one zone, or all nodes, can reach.
func (d DeviceDice) CommonDevices() *resourcev1.ResourceSlice {
	s := d.linkSlice(d.Between(1, 4))
	s.Name, s.Spec.Pool.Name = "common", "common"
	if d.Percent(30) {
		all := true
		s.Spec.AllNodes = &all
		return s
	}
	s.Spec.NodeSelector = &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{
			Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: Some(d.Dice, 1, 2, zones...),
		}},
	}}}
	return s
}

func deviceSlice(driver, pool string) *resourcev1.ResourceSlice {
	s := &resourcev1.ResourceSlice{}
	s.Spec.Driver = driver
	s.Spec.Pool = resourcev1.ResourcePool{Name: pool, Generation: 1, ResourceSliceCount: 1}
	return s
}

func (d DeviceDice) linkSlice(n int) *resourcev1.ResourceSlice {
	s := deviceSlice(links, "links")
	rdma := d.Percent(50)
	for i := range n {
		s.Spec.Devices = append(s.Spec.Devices, resourcev1.Device{
			Name:       fmt.Sprint("link-", i),
			Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{"rdma": {BoolValue: &rdma}},
		})
	}
	return s
}

func chip(name, model string, bus int) resourcev1.Device {
	behind := fmt.Sprint("bus-", bus)
	return resourcev1.Device{
		Name: name,
		Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{
			"model": {StringValue: &model}, "bus": {StringValue: &behind},
		},
		Capacity: map[resourcev1.QualifiedName]resourcev1.DeviceCapacity{
			"memory": {Value: resource.MustParse(chipSize[model])},
		},
	}
}

func (d DeviceDice) wholeChips() []*resourcev1.ResourceSlice {
	s := deviceSlice(chips, "chips")
	model, mixed, ill := Pick(d.Dice, chipModels...), d.Percent(20), d.Percent(15)
	for i := range Pick(d.Dice, 1, 2, 4, 8) {
		if mixed {
			model = Pick(d.Dice, chipModels...)
		}
		s.Spec.Devices = append(s.Spec.Devices, chip(fmt.Sprint("chip-", i), model, i/2))
	}
	if ill {
		at := d.IntN(len(s.Spec.Devices))
		s.Spec.Devices[at].Taints = []resourcev1.DeviceTaint{{
			Key: "ill", Effect: Pick(d.Dice, resourcev1.DeviceTaintEffectNoSchedule, resourcev1.DeviceTaintEffectNone),
		}}
	}
	return []*resourcev1.ResourceSlice{s}
}

func (d DeviceDice) sharedChips() []*resourcev1.ResourceSlice {
	s := deviceSlice(chips, "chips")
	model, least, yes := Pick(d.Dice, chipModels...), resource.MustParse("1Gi"), true
	for i := range d.Between(1, 2) {
		c := chip(fmt.Sprint("chip-", i), model, i)
		c.AllowMultipleAllocations = &yes
		memory := c.Capacity["memory"]
		usual := Pick(d.Dice, least, memory.Value)
		memory.RequestPolicy = &resourcev1.CapacityRequestPolicy{
			Default: &usual, ValidRange: &resourcev1.CapacityRequestPolicyRange{Min: &least, Step: &least},
		}
		c.Capacity["memory"] = memory
		s.Spec.Devices = append(s.Spec.Devices, c)
	}
	return []*resourcev1.ResourceSlice{s}
}

// dividedChips are one whole device and partitions that take of the same counters, which have a slice of their own.
func (d DeviceDice) dividedChips() []*resourcev1.ResourceSlice {
	shared, s := deviceSlice(chips, "chips"), deviceSlice(chips, "chips")
	shared.Spec.Pool.ResourceSliceCount, s.Spec.Pool.ResourceSliceCount = 2, 2
	shared.Spec.SharedCounters = []resourcev1.CounterSet{{
		Name: "chip-0", Counters: map[string]resourcev1.Counter{"parts": {Value: resource.MustParse("4")}},
	}}
	takes := func(c resourcev1.Device, parts string) resourcev1.Device {
		c.ConsumesCounters = []resourcev1.DeviceCounterConsumption{{
			CounterSet: "chip-0", Counters: map[string]resourcev1.Counter{"parts": {Value: resource.MustParse(parts)}},
		}}
		return c
	}
	s.Spec.Devices = append(s.Spec.Devices, takes(chip("whole", "large", 0), "4"))
	for i := range 2 {
		s.Spec.Devices = append(s.Spec.Devices, takes(chip(fmt.Sprint("half-", i), "small", 0), "2"))
	}
	if d.Percent(50) {
		for i := range 4 {
			s.Spec.Devices = append(s.Spec.Devices, takes(chip(fmt.Sprint("part-", i), "small", 1), "1"))
		}
	}
	return []*resourcev1.ResourceSlice{shared, s}
}

// DeviceClaim is what one claim asks for.
func (d DeviceDice) DeviceClaim() (out resourcev1.DeviceClaim) {
	for i := range Pick(d.Dice, 1, 1, 1, 2) {
		out.Requests = append(out.Requests, d.deviceRequest(fmt.Sprint("r", i)))
	}
	bus := busName
	switch d.IntN(6) {
	case 0:
		out.Constraints = []resourcev1.DeviceConstraint{{MatchAttribute: &bus}}
	case 1:
		out.Constraints = []resourcev1.DeviceConstraint{{DistinctAttribute: &bus}}
	}
	if len(out.Constraints) > 0 {
		// Devices without the attribute never satisfy a constraint.
		for _, r := range out.Requests {
			if r.Exactly == nil || r.Exactly.DeviceClassName != "link" {
				out.Constraints[0].Requests = append(out.Constraints[0].Requests, r.Name)
			}
		}
		if len(out.Constraints[0].Requests) == 0 {
			out.Constraints = nil
		}
	}
	return out
}

func (d DeviceDice) deviceRequest(name string) resourcev1.DeviceRequest {
	if d.Percent(20) {
		r := resourcev1.DeviceRequest{Name: name}
		for i := range d.Between(2, 3) {
			e := d.exactly()
			r.FirstAvailable = append(r.FirstAvailable, resourcev1.DeviceSubRequest{
				Name: fmt.Sprint("s", i), DeviceClassName: e.DeviceClassName, Selectors: e.Selectors,
				AllocationMode: e.AllocationMode, Count: e.Count, Tolerations: e.Tolerations, Capacity: e.Capacity,
			})
		}
		return r
	}
	e := d.exactly()
	if d.Percent(5) {
		yes := true
		e.AdminAccess, e.Capacity = &yes, nil
	}
	return resourcev1.DeviceRequest{Name: name, Exactly: e}
}

func (d DeviceDice) exactly() *resourcev1.ExactDeviceRequest {
	e := &resourcev1.ExactDeviceRequest{
		DeviceClassName: Pick(d.Dice, "chip", "chip", "chip", "big", "link"),
		AllocationMode:  resourcev1.DeviceAllocationModeExactCount, Count: Pick[int64](d.Dice, 1, 1, 1, 2, 3),
	}
	if d.Percent(8) {
		e.AllocationMode, e.Count = resourcev1.DeviceAllocationModeAll, 0
	}
	if e.DeviceClassName == "link" {
		if d.Percent(30) {
			e.Selectors = []resourcev1.DeviceSelector{selector("device.attributes['" + links + "'].rdma")}
		}
		return e
	}
	if d.Percent(30) {
		e.Selectors = []resourcev1.DeviceSelector{selector(modelIs(Pick(d.Dice, chipModels...)))}
	}
	if d.Percent(25) {
		e.Capacity = &resourcev1.CapacityRequirements{Requests: map[resourcev1.QualifiedName]resource.Quantity{
			"memory": resource.MustParse(Pick(d.Dice, "3Gi", "7Gi", "16Gi")),
		}}
	}
	if d.Percent(20) {
		e.Tolerations = []resourcev1.DeviceToleration{{Key: "ill", Operator: resourcev1.DeviceTolerationOpExists}}
	}
	return e
}

// Equip has the pods of a template claim devices by the names of claim templates or, after a "=", of claims.
func Equip(pod *corev1.Pod, claims ...string) {
	for i, name := range claims {
		entry := corev1.PodResourceClaim{Name: fmt.Sprint("claim-", i)}
		if name[0] == '=' {
			own := name[1:]
			entry.ResourceClaimName = &own
		} else {
			entry.ResourceClaimTemplateName = &name
		}
		pod.Spec.ResourceClaims = append(pod.Spec.ResourceClaims, entry)
	}
}

// EquipFast has the pods of a template ask for an extended resource that a DeviceClass serves.
func (d DeviceDice) EquipFast(pod *corev1.Pod) {
	c := &pod.Spec.Containers[0]
	if c.Resources.Requests == nil {
		c.Resources.Requests = corev1.ResourceList{}
	}
	n := *resource.NewQuantity(int64(d.Between(1, 2)), resource.DecimalSI)
	c.Resources.Requests[fast], c.Resources.Limits = n, corev1.ResourceList{fast: n}
}

// Namespaces are those that pods live in.
func Namespaces() (out []string) {
	for _, n := range namespaces[:appNamespaces] {
		out = append(out, n.Name)
	}
	return slices.Clip(out)
}
