package instancetype

import (
	"cmp"
	"slices"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
)

// Setup is what an EC2NodeClass and the settings say of its nodes.
type Setup struct {
	Region string
	Family string // one of awsv1's AMIFamily constants

	// Kubelet is what the class says; New wants its expressions worked out: see For.
	Kubelet           kubelet.Settings
	BlockDevices      []awsv1.BlockDeviceMapping
	InstanceStore     *awsv1.InstanceStorePolicy
	NetworkInterfaces []awsv1.NetworkInterface

	// ReservedENIs are kept free of pods on every node.
	ReservedENIs int

	// PrefixDelegation says that the VPC CNI gives interfaces prefixes of 16 addresses instead of single ones.
	PrefixDelegation bool

	// MemoryOverhead is the share of the nominal memory that the hypervisor and the
	// firmware keep, 0 to 1.
	MemoryOverhead float64

	// Memory is what nodes of the type were seen to have, in bytes; 0 means to estimate it.
	Memory int64
}

// WithMemory is the setup for a type whose memory is known.
func (s Setup) WithMemory(bytes int64) Setup {
	s.Memory = bytes
	return s
}

// For is the setup with the expressions of Kubelet worked out for a type. An error names the expression, and means that
// no node of the class can be of the type.
func (s Setup) For(info ec2types.InstanceTypeInfo) (Setup, error) {
	if !s.Kubelet.HasExpressions() {
		return s, nil
	}
	v := kubelet.Variables{
		VCPUs: int64(vcpus(info)), MemoryMiB: nominalMiB(info), InstanceType: string(info.InstanceType),
		MaxPods: Pods(info, s), // an expression does not count there
	}
	if n := info.NetworkInfo; n != nil {
		v.DefaultENIs, v.IPsPerENI = defaultENIs(n), int64(deref(n.Ipv4AddressesPerInterface))
	}
	var err error
	s.Kubelet, err = s.Kubelet.Resolve(v, func(k kubelet.Settings) int64 {
		with := s
		with.Kubelet = k
		return Pods(info, with)
	})
	return s, err
}

// New describes a type, without offerings. Zone, zone ID and capacity type are left to
// whoever adds them.
func New(info ec2types.InstanceTypeInfo, s Setup) *shape.InstanceType {
	capacity := capacityOf(info, s)
	it := &shape.InstanceType{
		Name:         string(info.InstanceType),
		Requirements: labelsOf(info, s),
		Capacity:     capacity,
		Allocatable:  allocatable(info, s, capacity),
		Attachable:   attachable(info, s),
	}
	it.LastResort = exotic(it)
	return it
}

// Supported reports whether nodes of the class can be of this type at all.
func Supported(info ec2types.InstanceTypeInfo, class *awsv1.EC2NodeClass) bool {
	if !boots(info, class.AMIFamily()) {
		return false
	}
	if o := class.Spec.EnclaveOptions; o != nil && o.Enabled &&
		info.NitroEnclavesSupport != ec2types.NitroEnclavesSupportSupported {
		return false
	}
	if class.Spec.ConnectionTracking != nil && info.Hypervisor == ec2types.InstanceTypeHypervisorXen {
		return false
	}
	if o := class.Spec.CPUOptions; o != nil && o.NestedVirtualization != nil && *o.NestedVirtualization == "enabled" {
		if info.ProcessorInfo == nil ||
			!slices.Contains(info.ProcessorInfo.SupportedFeatures, "nested-virtualization") {
			return false
		}
	}
	return interfacesFit(info, class.Spec.NetworkInterfaces)
}

// interfacesFit checks the class's interfaces against the type's network cards.
func interfacesFit(info ec2types.InstanceTypeInfo, wanted []awsv1.NetworkInterface) bool {
	if len(wanted) == 0 {
		return true
	}
	if info.NetworkInfo == nil {
		return false
	}
	efas := int32(0)
	for _, w := range wanted {
		i := slices.IndexFunc(info.NetworkInfo.NetworkCards, func(c ec2types.NetworkCardInfo) bool {
			return deref(c.NetworkCardIndex) == w.NetworkCardIndex
		})
		if i < 0 || w.DeviceIndex >= deref(info.NetworkInfo.NetworkCards[i].MaximumNetworkInterfaces) {
			return false
		}
		if w.InterfaceType == awsv1.InterfaceTypeEFAOnly {
			efas++
		}
	}
	return efas <= maxEFAs(info)
}

// exotic types have accelerators or no hypervisor: dear or slow to start, so not launched by
// chance.
func exotic(it *shape.InstanceType) bool {
	for _, key := range []string{awsv1.LabelInstanceGPUCount, awsv1.LabelInstanceAcceleratorCount} {
		if i, ok := find(it.Requirements, key); ok && it.Requirements[i].Operator == shape.In {
			return true
		}
	}
	if it.Capacity.Get(string(awsv1.ResourceHabanaGaudi)) > 0 {
		return true
	}
	i, ok := find(it.Requirements, awsv1.LabelInstanceSize)
	return ok && len(it.Requirements[i].Values) == 1 && isMetal(it.Requirements[i].Values[0])
}

// find looks a key up in requirements that ascend by key.
func find(reqs []shape.Requirement, key string) (int, bool) {
	return slices.BinarySearchFunc(
		reqs,
		key,
		func(r shape.Requirement, k string) int { return cmp.Compare(r.Key, k) },
	)
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
