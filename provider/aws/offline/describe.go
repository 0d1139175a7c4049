package offline

import (
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/catalog"
)

// Describe is the catalogue's type in EC2's words; false for Macs, on which no node runs.
func Describe(t *catalog.Type) (ec2types.InstanceTypeInfo, bool) {
	arch := ec2types.ArchitectureType(t.Arch)
	if arch != ec2types.ArchitectureTypeX8664 && arch != ec2types.ArchitectureTypeArm64 {
		return ec2types.InstanceTypeInfo{}, false
	}
	clock := float64(t.ClockMHz) / 1000
	return ec2types.InstanceTypeInfo{
		InstanceType: ec2types.InstanceType(t.Name),
		Hypervisor:   ec2types.InstanceTypeHypervisor(t.Hyper),
		BareMetal:    &t.Bare,
		VCpuInfo:     &ec2types.VCpuInfo{DefaultVCpus: number(t.VCPU)},
		MemoryInfo:   &ec2types.MemoryInfo{SizeInMiB: &t.MemoryMiB},
		ProcessorInfo: &ec2types.ProcessorInfo{
			Manufacturer:             &t.Maker,
			SupportedArchitectures:   []ec2types.ArchitectureType{arch},
			SustainedClockSpeedInGhz: &clock,
		},
		NetworkInfo:         network(t.Network),
		EbsInfo:             ebs(t),
		GpuInfo:             gpu(t.GPU),
		NeuronInfo:          neuron(t.Neuron),
		InstanceStorageInfo: store(t.Disk),
	}, true
}

func number(n int) *int32 {
	v := int32(n)
	return &v
}

func network(n catalog.Network) *ec2types.NetworkInfo {
	out := &ec2types.NetworkInfo{
		MaximumNetworkInterfaces:     number(n.ENIs),
		Ipv4AddressesPerInterface:    number(n.IPsPerENI),
		DefaultNetworkCardIndex:      number(n.DefaultCard),
		EncryptionInTransitSupported: &n.EncryptsInTransit,
	}
	for i, enis := range n.CardENIs {
		out.NetworkCards = append(out.NetworkCards, ec2types.NetworkCardInfo{
			NetworkCardIndex: number(i), MaximumNetworkInterfaces: number(enis)})
	}
	if n.EFAs > 0 {
		out.EfaInfo = &ec2types.EfaInfo{MaximumEfaInterfaces: number(n.EFAs)}
	}
	return out
}

func ebs(t *catalog.Type) *ec2types.EbsInfo {
	most := attachments(t.Name)
	if t.EBS.MaxMbps == 0 && most == 0 {
		return nil
	}
	out := &ec2types.EbsInfo{}
	if t.EBS.MaxMbps > 0 {
		out.EbsOptimizedSupport = ec2types.EbsOptimizedSupportDefault
		out.EbsOptimizedInfo = &ec2types.EbsOptimizedInfo{
			BaselineBandwidthInMbps: number(t.EBS.BaselineMbps), MaximumBandwidthInMbps: number(t.EBS.MaxMbps)}
	}
	if most > 0 {
		out.MaximumEbsAttachments, out.AttachmentLimitType = number(most), ec2types.AttachmentLimitTypeDedicated
	}
	return out
}

func gpu(g catalog.GPU) *ec2types.GpuInfo {
	if g.Count == 0 {
		return nil
	}
	return &ec2types.GpuInfo{Gpus: []ec2types.GpuDeviceInfo{{
		Name: &g.Name, Manufacturer: &g.Maker, Count: number(g.Count),
		MemoryInfo: &ec2types.GpuDeviceMemoryInfo{SizeInMiB: number(int(g.MemoryMiB))},
	}}}
}

func neuron(n catalog.Neuron) *ec2types.NeuronInfo {
	if n.Count == 0 {
		return nil
	}
	return &ec2types.NeuronInfo{NeuronDevices: []ec2types.NeuronDeviceInfo{{
		Name: &n.Name, Count: number(n.Count), CoreInfo: &ec2types.NeuronDeviceCoreInfo{Count: number(n.Cores)},
	}}}
}

func store(d catalog.Disk) *ec2types.InstanceStorageInfo {
	if d.Count == 0 {
		return nil
	}
	total := d.TotalGB()
	support := ec2types.EphemeralNvmeSupportUnsupported
	if d.Kind == "nvme" {
		support = ec2types.EphemeralNvmeSupportRequired
	}
	return &ec2types.InstanceStorageInfo{TotalSizeInGB: &total, NvmeSupport: support, Disks: []ec2types.DiskInfo{{
		Count: number(d.Count), SizeInGB: &d.SizeGB, Type: diskType(d.Kind),
	}}}
}

func diskType(kind string) ec2types.DiskType {
	if kind == "hdd" {
		return ec2types.DiskTypeHdd
	}
	return ec2types.DiskTypeSsd
}
