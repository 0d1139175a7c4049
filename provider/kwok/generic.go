package kwok

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// What generic types cost, in micro-dollars an hour: per core, and per GB (10^9 bytes) of memory.
const (
	CorePrice shape.Money = 25_000
	GBPrice   shape.Money = 1_000
)

// spotPercent is the spot price in percent of the on-demand price.
const spotPercent = 70

var (
	genericZones  = []string{"test-zone-a", "test-zone-b", "test-zone-c", "test-zone-d"}
	genericCores  = []int64{1, 2, 4, 8, 16, 32, 48, 64, 96, 128, 192, 256}
	genericArches = []string{karpenterv1.ArchitectureAmd64, karpenterv1.ArchitectureArm64}
	genericOSes   = []string{string(corev1.Linux), string(corev1.Windows)}

	// genericFamilies are GiB of memory per core.
	genericFamilies = []struct {
		name  string
		ratio int64
	}{{"c", 2}, {"s", 4}, {"m", 8}}
)

// GenericTypes are 144 made-up types, named like "c-4x-amd64-linux": three families of 2, 4
// and 8 GiB per core, from 1 to 256 cores, for two architectures and two operating systems,
// in the zones test-zone-a to test-zone-d. The result is shared and must not be changed.
var GenericTypes = sync.OnceValue(func() []*shape.InstanceType {
	var out []*shape.InstanceType
	for _, cores := range genericCores {
		for _, family := range genericFamilies {
			for _, arch := range genericArches {
				for _, os := range genericOSes {
					name := fmt.Sprintf("%s-%dx-%s-%s", family.name, cores, arch, os)
					out = append(out, genericType(name, cores, cores*family.ratio<<30, arch, os))
				}
			}
		}
	}
	return out
})

func genericType(name string, cores, memory int64, arch, os string) *shape.InstanceType {
	onDemand := shape.Money(cores)*CorePrice + GBPrice*shape.Money(memory/1000)/1_000_000
	spec := typeSpec{
		Name:             name,
		Architecture:     arch,
		OperatingSystems: []string{os},
		Resources: corev1.ResourceList{
			corev1.ResourceCPU:              *resource.NewQuantity(cores, resource.DecimalSI),
			corev1.ResourceMemory:           *resource.NewQuantity(memory, resource.BinarySI),
			corev1.ResourceEphemeralStorage: resource.MustParse("20Gi"),
			corev1.ResourcePods:             *resource.NewQuantity(min(16*cores, 1024), resource.DecimalSI),
		},
	}
	offerings := make([]shape.Offering, 0, 2*len(genericZones))
	for _, zone := range genericZones {
		offerings = append(offerings,
			shape.Offering{Zone: zone, CapacityType: shape.OnDemand, Price: onDemand, Available: true},
			shape.Offering{Zone: zone, CapacityType: shape.Spot, Price: onDemand * spotPercent / 100, Available: true})
	}
	return spec.instanceType(offerings)
}
