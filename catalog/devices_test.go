package catalog

import "testing"

func TestDevicesAreThoseOfTheMachine(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]map[string]int{
		"g4dn.xlarge":   {DriverGPU: 1},
		"g4dn.12xlarge": {DriverGPU: 4, DriverEFA: 1},
		"p4d.24xlarge":  {DriverGPU: 8, DriverEFA: 4},
		"m5.large":      {},
		"p3.2xlarge":    {},
		"no.such":       {},
	} {
		got := map[string]int{}
		for _, s := range Devices(name) {
			got[s.Spec.Driver] += len(s.Spec.Devices)
			if s.Spec.Pool.ResourceSliceCount != 1 || s.Spec.NodeName != nil {
				t.Errorf("%s: %+v is no template", name, s.Spec.Pool)
			}
		}
		if len(got) != len(want) || got[DriverGPU] != want[DriverGPU] || got[DriverEFA] != want[DriverEFA] {
			t.Errorf("%s has %v, want %v", name, got, want)
		}
	}
}

// Every type with whole GPUs of a model that NVIDIA's driver knows has as many devices.
func TestNoWholeGPUIsForgotten(t *testing.T) {
	t.Parallel()
	for _, it := range Types() {
		count := 0
		for _, s := range Devices(it.Name) {
			if s.Spec.Driver == DriverGPU {
				count += len(s.Spec.Devices)
			}
		}
		old := it.GPU.Name == "V100" && it.GPU.MemoryMiB == 16384 // p3, which the driver does not serve
		if want := it.GPU.Count; it.GPU.Maker == "NVIDIA" && !old && count != want {
			t.Errorf("%s has %d devices, want %d", it.Name, count, want)
		}
	}
}
