package catalog

import (
	"strconv"
	"sync"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Drivers of dynamic resources that publish devices of EC2's machines.
const (
	DriverGPU = "gpu.nvidia.com"
	DriverEFA = "dra.net"
)

// model is what NVIDIA's driver says of a GPU.
type model struct {
	architecture, brand, product, compute string
	memory                                string // a quantity, of which the driver keeps some back
}

// models by the name and the nominal MiB that EC2 tells.
var models = map[GPU]model{
	{Name: "T4", MemoryMiB: 16384}:    {"Turing", "Nvidia", "Tesla T4", "7.5.0", "15Gi"},
	{Name: "T4g", MemoryMiB: 16384}:   {"Turing", "Nvidia", "NVIDIA T4G", "7.5.0", "15Gi"},
	{Name: "A10G", MemoryMiB: 24576}:  {"Ampere", "Nvidia", "NVIDIA A10G", "8.6.0", "23028Mi"},
	{Name: "L4", MemoryMiB: 24576}:    {"Ada Lovelace", "Nvidia", "NVIDIA L4", "8.9.0", "23034Mi"},
	{Name: "L40S", MemoryMiB: 49152}:  {"Ada Lovelace", "Nvidia", "NVIDIA L40S", "8.9.0", "46068Mi"},
	{Name: "V100", MemoryMiB: 32768}:  {"Volta", "Tesla", "Tesla V100-SXM2-32GB", "7.0.0", "32Gi"},
	{Name: "A100", MemoryMiB: 40960}:  {"Ampere", "Nvidia", "NVIDIA A100-SXM4-40GB", "8.0.0", "40Gi"},
	{Name: "A100", MemoryMiB: 81920}:  {"Ampere", "Nvidia", "NVIDIA A100-SXM4-80GB", "8.0.0", "80Gi"},
	{Name: "H100", MemoryMiB: 81920}:  {"Hopper", "Nvidia", "NVIDIA H100 80GB HBM3", "9.0.0", "81152Mi"},
	{Name: "H200", MemoryMiB: 144384}: {"Hopper", "Nvidia", "NVIDIA H200", "9.0.0", "140Gi"},
}

var told struct {
	sync.Mutex // guards the field below
	devices    map[string][]*resourcev1.ResourceSlice
}

// Devices are what drivers of dynamic resources publish on a node of a type: slices without a name or node. They are
// shared and must not be changed. GPUs of models that are not known, fractions of one, and types that are not known have
// none.
func Devices(instanceType string) []*resourcev1.ResourceSlice {
	t, ok := Lookup(instanceType)
	if !ok {
		return nil
	}
	told.Lock()
	defer told.Unlock()
	list, known := told.devices[t.Name]
	if !known {
		list = append(gpuSlices(t), efaSlices(t)...)
		if told.devices == nil {
			told.devices = map[string][]*resourcev1.ResourceSlice{}
		}
		told.devices[t.Name] = list
	}
	return list
}

func gpuSlices(t *Type) []*resourcev1.ResourceSlice {
	m, ok := models[GPU{Name: t.GPU.Name, MemoryMiB: t.GPU.MemoryMiB}]
	if !ok || t.GPU.Maker != "NVIDIA" || t.GPU.Count == 0 {
		return nil
	}
	kind := "gpu"
	s := slice(DriverGPU, "gpus-"+t.Name)
	for i := range t.GPU.Count {
		s.Spec.Devices = append(s.Spec.Devices, resourcev1.Device{
			Name: "gpu-" + strconv.Itoa(i),
			Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{
				"architecture":          {StringValue: &m.architecture},
				"brand":                 {StringValue: &m.brand},
				"cudaComputeCapability": {VersionValue: &m.compute},
				"productName":           {StringValue: &m.product},
				"type":                  {StringValue: &kind},
			},
			Capacity: map[resourcev1.QualifiedName]resourcev1.DeviceCapacity{
				"memory": {Value: resource.MustParse(m.memory)},
			},
		})
	}
	return []*resourcev1.ResourceSlice{s}
}

func efaSlices(t *Type) []*resourcev1.ResourceSlice {
	if t.Network.EFAs == 0 {
		return nil
	}
	device, vendor, yes := "Elastic Fabric Adapter (EFA)", "Amazon.com, Inc.", true
	s := slice(DriverEFA, "network-"+t.Name)
	for i := range t.Network.EFAs {
		s.Spec.Devices = append(s.Spec.Devices, resourcev1.Device{
			Name: "efa-" + strconv.Itoa(i),
			Attributes: map[resourcev1.QualifiedName]resourcev1.DeviceAttribute{
				"dra.net/pciDevice": {StringValue: &device},
				"dra.net/pciVendor": {StringValue: &vendor},
				"dra.net/rdma":      {BoolValue: &yes},
			},
		})
	}
	return []*resourcev1.ResourceSlice{s}
}

func slice(driver, pool string) *resourcev1.ResourceSlice {
	s := &resourcev1.ResourceSlice{}
	s.Spec.Driver = driver
	s.Spec.Pool = resourcev1.ResourcePool{Name: pool, Generation: 1, ResourceSliceCount: 1}
	return s
}
