package instancetype

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"k8s.io/apimachinery/pkg/api/resource"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

const (
	mib = 1 << 20
	gib = 1 << 30

	// armHidden is the memory that Graviton's firmware keeps on top of the overhead.
	armHidden = 64

	// defaultPods is the kubelet's own limit, for nodes whose addresses do not bound it.
	defaultPods = 110

	// hostPods run on the host's network and need no address of their own: kube-proxy and the CNI.
	hostPods = 2

	defaultDisk = 20 * gib
)

func capacityOf(info ec2types.InstanceTypeInfo, s Setup) shape.Vector {
	v := shape.Vector{
		CPU:       1000 * int64(vcpus(info)),
		Memory:    memory(info, s),
		Ephemeral: disk(info, s),
		Pods:      Pods(info, s),
	}
	add := func(name string, n int64) {
		if n > 0 {
			v.Extended = append(v.Extended, shape.Amount{Resource: name, Value: n})
		}
	}
	name := string(info.InstanceType)
	add(string(awsv1.ResourceNVIDIAGPU), gpus(info, "NVIDIA"))
	add(string(awsv1.ResourceAMDGPU), gpus(info, "AMD"))
	add(string(awsv1.ResourceHabanaGaudi), gpus(info, "Habana"))
	devices, cores := neurons(info)
	add(string(awsv1.ResourceAWSNeuron), devices)
	add(string(awsv1.ResourceAWSNeuronCore), devices*cores)
	add(string(awsv1.ResourceEFA), efas(info, s))
	if t, ok := catalog.Lookup(name); ok {
		add(string(awsv1.ResourcePodENI), int64(t.Network.BranchENIs))
	}
	if _, windows := windowsBuild[s.Family]; windows && runsWindows(info) && info.NetworkInfo != nil {
		add(string(awsv1.ResourcePrivateIPv4Address), int64(deref(info.NetworkInfo.Ipv4AddressesPerInterface))-1)
	}
	slices.SortFunc(v.Extended, func(a, b shape.Amount) int { return cmp.Compare(a.Resource, b.Resource) })
	return v
}

func vcpus(info ec2types.InstanceTypeInfo) int32 {
	if info.VCpuInfo == nil {
		return 0
	}
	return deref(info.VCpuInfo.DefaultVCpus)
}

// memory is what the operating system is expected to see, in bytes.
func memory(info ec2types.InstanceTypeInfo, s Setup) int64 {
	if s.Memory > 0 {
		return s.Memory
	}
	size := nominalMiB(info)
	if arch(info) == "arm64" {
		size -= armHidden
	}
	return (size - int64(math.Ceil(float64(size)*s.MemoryOverhead))) * mib
}

func nominalMiB(info ec2types.InstanceTypeInfo) int64 {
	if info.MemoryInfo == nil {
		return 0
	}
	return deref(info.MemoryInfo.SizeInMiB)
}

// Pods is how many pods a node takes: what the class says, else what the addresses of its
// interfaces allow where the family limits pods so, else the kubelet's default.
func Pods(info ec2types.InstanceTypeInfo, s Setup) int64 {
	pods := int64(defaultPods)
	said, fixed := s.Kubelet.Pods()
	switch {
	case fixed:
		pods = int64(said)
	case !strings.HasPrefix(s.Family, "Windows"):
		pods = eniPods(info, s.ReservedENIs+efaOnlyOnFirstCard(s))
		if s.PrefixDelegation && info.Hypervisor != ec2types.InstanceTypeHypervisorXen {
			pods = prefixPods(info, pods)
		}
	}
	if deref(s.Kubelet.PodsPerCore) > 0 && s.Family != awsv1.AMIFamilyBottlerocket {
		pods = min(pods, int64(*s.Kubelet.PodsPerCore)*int64(vcpus(info)))
	}
	return pods
}

// eniPods is how many pods the VPC CNI can give an address: each interface on the default
// card keeps its first address for itself.
func eniPods(info ec2types.InstanceTypeInfo, reserved int) int64 {
	n := info.NetworkInfo
	if n == nil {
		return defaultPods
	}
	enis := defaultENIs(n) - int64(reserved)
	if enis <= 0 {
		return 0
	}
	return enis*(int64(deref(n.Ipv4AddressesPerInterface))-1) + hostPods
}

// defaultENIs is how many interfaces the default card has, which is the one that pods' addresses are on.
func defaultENIs(n *ec2types.NetworkInfo) int64 {
	for _, card := range n.NetworkCards {
		if deref(card.NetworkCardIndex) == deref(n.DefaultNetworkCardIndex) {
			return int64(deref(card.MaximumNetworkInterfaces))
		}
	}
	return int64(deref(n.MaximumNetworkInterfaces))
}

// Prefix delegation, as the VPC CNI and AWS's calculator of maximum pods have it: each address becomes a prefix of 16,
// and what a node can bear becomes the limit.
const (
	prefixSize    = 16
	manyCores     = 30
	podsFewCores  = 110
	podsManyCores = 250
)

// prefixPods is how many pods a node takes whose interfaces have prefixes; single is what it would be without.
func prefixPods(info ec2types.InstanceTypeInfo, single int64) int64 {
	bearable := int64(podsFewCores)
	if vcpus(info) > manyCores {
		bearable = podsManyCores
	}
	return min(max(single-hostPods, 0)*prefixSize+hostPods, bearable)
}

// disk is the size of the volume that holds the kubelet's directory, in bytes.
func disk(info ec2types.InstanceTypeInfo, s Setup) int64 {
	if s.InstanceStore != nil && *s.InstanceStore == awsv1.InstanceStorePolicyRAID0 {
		if gb := nvmeGB(info); gb > 0 {
			return gb * 1_000_000_000
		}
	}
	for _, m := range s.BlockDevices {
		if m.RootVolume && m.EBS != nil && m.EBS.VolumeSize != nil {
			return m.EBS.VolumeSize.Value()
		}
	}
	device := ephemeralDevice(s)
	for _, m := range s.BlockDevices {
		if deref(m.DeviceName) == device && m.EBS != nil && m.EBS.VolumeSize != nil {
			return m.EBS.VolumeSize.Value()
		}
	}
	if strings.HasPrefix(s.Family, "Windows") {
		return 50 * gib
	}
	return defaultDisk
}

// ephemeralDevice is the device that the family's images keep pods' files on.
func ephemeralDevice(s Setup) string {
	switch s.Family {
	case awsv1.AMIFamilyBottlerocket:
		return "/dev/xvdb"
	case awsv1.AMIFamilyWindows2019, awsv1.AMIFamilyWindows2022, awsv1.AMIFamilyWindows2025:
		return "/dev/sda1"
	case awsv1.AMIFamilyCustom:
		if len(s.BlockDevices) > 0 {
			return deref(s.BlockDevices[len(s.BlockDevices)-1].DeviceName)
		}
	}
	return "/dev/xvda"
}

// nvmeGB is the size of the disks inside the machine, in GB of 10^9 bytes.
func nvmeGB(info ec2types.InstanceTypeInfo) int64 {
	s := info.InstanceStorageInfo
	if s == nil || s.NvmeSupport == ec2types.EphemeralNvmeSupportUnsupported {
		return 0
	}
	return deref(s.TotalSizeInGB)
}

func gpus(info ec2types.InstanceTypeInfo, maker string) int64 {
	if info.GpuInfo == nil {
		return 0
	}
	var n int64
	for _, g := range info.GpuInfo.Gpus {
		if deref(g.Manufacturer) == maker {
			n += int64(deref(g.Count))
		}
	}
	return n
}

// neurons are AWS's accelerators, and the cores of the first of them.
func neurons(info ec2types.InstanceTypeInfo) (devices, cores int64) {
	if info.NeuronInfo == nil {
		return 0, 0
	}
	for i, d := range info.NeuronInfo.NeuronDevices {
		devices += int64(deref(d.Count))
		if i == 0 && d.CoreInfo != nil {
			cores = int64(deref(d.CoreInfo.Count))
		}
	}
	return devices, cores
}

// allocatable is what the kubelet leaves to pods.
func allocatable(info ec2types.InstanceTypeInfo, s Setup, capacity shape.Vector) shape.Vector {
	left := capacity.Sub(kubeReserved(info, s, capacity.Pods)).Sub(systemReserved(s)).Sub(eviction(s, capacity))
	left.CPU, left.Memory, left.Ephemeral = max(left.CPU, 0), max(left.Memory, 0), max(left.Ephemeral, 0)
	return left
}

// kubeReserved is what the images' own start-up script reserves, as far as the class says
// nothing else.
func kubeReserved(info ec2types.InstanceTypeInfo, s Setup, pods int64) shape.Vector {
	switch s.Family {
	case awsv1.AMIFamilyAL2, awsv1.AMIFamilyAL2023, awsv1.AMIFamilyCustom:
		// These scripts count the addresses that the type has, whatever maxPods says.
		pods = eniPods(info, 0)
	}
	v := shape.Vector{CPU: reservedCPU(int64(vcpus(info))), Memory: (11*pods + 255) * mib, Ephemeral: gib}
	override(&v, s.Kubelet.KubeReserved)
	return v
}

func systemReserved(s Setup) shape.Vector {
	var v shape.Vector
	override(&v, s.Kubelet.SystemReserved)
	return v
}

// reservedCPU is, in milli-cores, 6 % of the first core, 1 % of the second, 0.5 % of the next
// two and 0.25 % of the rest.
func reservedCPU(cores int64) int64 {
	tenths := int64(0) // of a milli-core
	for i := range cores {
		switch {
		case i == 0:
			tenths += 600
		case i == 1:
			tenths += 100
		case i < 4:
			tenths += 50
		default:
			tenths += 25
		}
	}
	return tenths / 10
}

func override(v *shape.Vector, with map[string]string) {
	for name, text := range with {
		q, err := resource.ParseQuantity(text)
		if err != nil {
			continue // the class is not ready
		}
		switch name {
		case shape.CPU:
			v.CPU = provider.Amount(&q, resource.Milli)
		case shape.Memory:
			v.Memory = provider.Amount(&q, 0)
		case shape.Ephemeral:
			v.Ephemeral = provider.Amount(&q, 0)
		}
	}
}

// eviction is what the kubelet keeps free by evicting pods: 100 MiB of memory and a tenth of
// the disk, unless the class says otherwise. Soft thresholds do not count: pods may pass them for a while.
func eviction(s Setup, capacity shape.Vector) shape.Vector {
	v := shape.Vector{Memory: 100 * mib, Ephemeral: ceilPercent(capacity.Ephemeral, 10)}
	if text, ok := s.Kubelet.EvictionHard["memory.available"]; ok {
		v.Memory = threshold(text, capacity.Memory)
	}
	if text, ok := s.Kubelet.EvictionHard["nodefs.available"]; ok {
		v.Ephemeral = threshold(text, capacity.Ephemeral)
	}
	return v
}

// threshold reads a quantity or a percentage. 100% switches a threshold off.
func threshold(text string, of int64) int64 {
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		p, err := strconv.ParseFloat(percent, 64)
		if err != nil || p >= 100 {
			return 0
		}
		return ceilPercent(of, p)
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0
	}
	return provider.Amount(&q, 0)
}

func ceilPercent(of int64, percent float64) int64 {
	return int64(math.Ceil(float64(of) * percent / 100))
}
