package world

import "github.com/dovetail-sh/dovetail/catalog"

// licensePerVCPU is what Windows costs beyond Linux, in micro-dollars an hour:
// the difference of EC2's prices for nearly all types.
const licensePerVCPU = 46_000

// burstableLicense is the same for T types by size, which pay less for Windows.
var burstableLicense = map[string]int64{
	"nano":    4_600,
	"micro":   9_200,
	"small":   18_400,
	"medium":  18_400,
	"large":   27_600,
	"xlarge":  73_600,
	"2xlarge": 147_200,
}

// WindowsPrice is what a type costs with Windows, by its price with Linux, on
// demand or on spot: the licence is the same. False for types that Windows does
// not run on.
func WindowsPrice(t *catalog.Type, linux int64) (int64, bool) {
	if t.Arch != catalog.X8664 {
		return 0, false
	}
	return linux + windowsLicense(t), true
}

func windowsLicense(t *catalog.Type) int64 {
	if license, known := burstableLicense[t.Size()]; known && t.Burstable() {
		return license
	}
	return licensePerVCPU * int64(t.VCPU)
}

// InstancePrice is what an instance costs now, in micro-dollars an hour, with
// the licence of its operating system.
func (s *State) InstancePrice(in *Instance) int64 {
	price, _ := s.Price(in.Pool())
	return price + in.license()
}

// license is what the operating system costs beyond Linux.
func (in *Instance) license() int64 {
	if in.Image.Windows {
		return windowsLicense(in.Type)
	}
	return 0
}
