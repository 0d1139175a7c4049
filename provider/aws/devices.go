package aws

import (
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Devices are what the drivers of dynamic resources will publish on a node of an instance type, as far as the gates
// say that they run there; see devices.Objects.
func (c *Cloud) Devices(instanceType string) []*resourcev1.ResourceSlice {
	var out []*resourcev1.ResourceSlice
	for _, s := range catalog.Devices(instanceType) {
		if s.Spec.Driver == catalog.DriverGPU && c.settings.DRANVIDIAGPU ||
			s.Spec.Driver == catalog.DriverEFA && c.settings.DRAEFA {
			out = append(out, s)
		}
	}
	return out
}

// takesEFA reports whether pods of a claim were planned onto EFA devices: the machine has none unless asked.
func takesEFA(claim *karpenterv1.NodeClaim) bool {
	drivers := strings.Split(claim.Annotations[karpenterv1.DRADriversAnnotationKey], ",")
	return slices.Contains(drivers, catalog.DriverEFA)
}
