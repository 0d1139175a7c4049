package ec2api

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

type instanceType struct {
	Name          string        `xml:"instanceType"`
	Current       bool          `xml:"currentGeneration"`
	FreeTier      bool          `xml:"freeTierEligible"`
	UsageClasses  []string      `xml:"supportedUsageClasses>item"`
	RootDevices   []string      `xml:"supportedRootDeviceTypes>item"`
	Virtual       []string      `xml:"supportedVirtualizationTypes>item"`
	Bare          bool          `xml:"bareMetal"`
	Hypervisor    string        `xml:"hypervisor,omitempty"`
	Processor     processor     `xml:"processorInfo"`
	VCPU          vcpu          `xml:"vCpuInfo"`
	Memory        size          `xml:"memoryInfo"`
	HasStorage    bool          `xml:"instanceStorageSupported"`
	Storage       *storage      `xml:"instanceStorageInfo"`
	EBS           ebs           `xml:"ebsInfo"`
	Network       network       `xml:"networkInfo"`
	GPUs          *gpus         `xml:"gpuInfo"`
	Inference     *accelerators `xml:"inferenceAcceleratorInfo"`
	Neuron        *neurons      `xml:"neuronInfo"`
	Placement     strategies    `xml:"placementGroupInfo"`
	Hibernation   bool          `xml:"hibernationSupported"`
	Burstable     bool          `xml:"burstablePerformanceSupported"`
	Dedicated     bool          `xml:"dedicatedHostsSupported"`
	AutoRecovery  bool          `xml:"autoRecoverySupported"`
	BootModes     []string      `xml:"supportedBootModes>item"`
	NitroEnclaves string        `xml:"nitroEnclavesSupport"`
}

type processor struct {
	Arch     []string `xml:"supportedArchitectures>item"`
	ClockGHz float64  `xml:"sustainedClockSpeedInGhz,omitempty"`
	Maker    string   `xml:"manufacturer"`
}

type vcpu struct {
	VCPUs   int `xml:"defaultVCpus"`
	Cores   int `xml:"defaultCores"`
	Threads int `xml:"defaultThreadsPerCore"`
}

type size struct {
	MiB int64 `xml:"sizeInMiB"`
}

type storage struct {
	TotalGB    int64  `xml:"totalSizeInGB"`
	Disks      []disk `xml:"disks>item"`
	NVMe       string `xml:"nvmeSupport"`
	Encryption string `xml:"encryptionSupport"`
}

type disk struct {
	GB    int64  `xml:"sizeInGB"`
	Count int    `xml:"count"`
	Kind  string `xml:"type"`
}

type ebs struct {
	Optimized  string        `xml:"ebsOptimizedSupport"`
	Encryption string        `xml:"encryptionSupport"`
	Bandwidth  *ebsOptimized `xml:"ebsOptimizedInfo"`
	NVMe       string        `xml:"nvmeSupport"`
}

type ebsOptimized struct {
	Baseline int     `xml:"baselineBandwidthInMbps"`
	BaseMBps float64 `xml:"baselineThroughputInMBps"`
	Max      int     `xml:"maximumBandwidthInMbps"`
	MaxMBps  float64 `xml:"maximumThroughputInMBps"`
}

type network struct {
	Performance string   `xml:"networkPerformance"`
	MaxENIs     int      `xml:"maximumNetworkInterfaces"`
	MaxCards    int      `xml:"maximumNetworkCards"`
	DefaultCard int      `xml:"defaultNetworkCardIndex"`
	Cards       []card   `xml:"networkCards>item"`
	IPv4        int      `xml:"ipv4AddressesPerInterface"`
	IPv6        int      `xml:"ipv6AddressesPerInterface"`
	IPv6Support bool     `xml:"ipv6Supported"`
	ENA         string   `xml:"enaSupport"`
	EFA         bool     `xml:"efaSupported"`
	EFAInfo     *efaInfo `xml:"efaInfo"`
	Encryption  bool     `xml:"encryptionInTransitSupported"`
}

type card struct {
	Index       int     `xml:"networkCardIndex"`
	Performance string  `xml:"networkPerformance"`
	MaxENIs     int     `xml:"maximumNetworkInterfaces"`
	Baseline    float64 `xml:"baselineBandwidthInGbps,omitempty"`
	Peak        float64 `xml:"peakBandwidthInGbps,omitempty"`
}

type efaInfo struct {
	Max int `xml:"maximumEfaInterfaces"`
}

type gpus struct {
	GPUs  []gpu `xml:"gpus>item"`
	Total int64 `xml:"totalGpuMemoryInMiB"`
}

type gpu struct {
	Name   string `xml:"name"`
	Maker  string `xml:"manufacturer"`
	Count  int    `xml:"count"`
	Memory size   `xml:"memoryInfo"`
}

type accelerators struct {
	Items []gpu `xml:"accelerators>item"`
	Total int64 `xml:"totalInferenceMemoryInMiB"`
}

type neurons struct {
	Devices []neuron `xml:"neuronDevices>item"`
	Total   int64    `xml:"totalNeuronDeviceMemoryInMiB"`
}

type neuron struct {
	Count  int       `xml:"count"`
	Name   string    `xml:"name"`
	Cores  coreCount `xml:"coreInfo"`
	Memory size      `xml:"memoryInfo"`
}

type coreCount struct {
	Count   int `xml:"count"`
	Version int `xml:"version"`
}

type strategies struct {
	Strategies []string `xml:"supportedStrategies>item"`
}

// coresOf splits vCPUs into cores and threads: Graviton and AMD from the
// seventh generation on run one thread a core, as do the T2 and older.
func coresOf(t *catalog.Type) cpuOptions {
	family := t.Family()
	single := t.Arch == catalog.ARM64 || strings.HasPrefix(family, "t2") ||
		t.Maker == "AMD" && (strings.Contains(family, "7a") || strings.Contains(family, "8a"))
	if single || t.VCPU == 1 {
		return cpuOptions{t.VCPU, 1}
	}
	return cpuOptions{t.VCPU / 2, 2}
}

func performance(mbps int, burst bool) string {
	text := strings.TrimSuffix(fmt.Sprintf("%.1f", float64(mbps)/1000), ".0") + " Gigabit"
	if burst {
		return "Up to " + text
	}
	return text
}

func typeXML(t *catalog.Type) instanceType {
	cpu := coresOf(t)
	nitro := t.Hyper == "nitro" || t.Bare
	out := instanceType{
		Name: t.Name, Current: t.Current, FreeTier: t.Name == "t3.micro" || t.Name == "t2.micro",
		UsageClasses: []string{"on-demand"}, RootDevices: []string{"ebs"}, Virtual: []string{"hvm"},
		Bare: t.Bare, Hypervisor: t.Hyper,
		Processor:  processor{[]string{t.Arch}, float64(t.ClockMHz) / 1000, t.Maker},
		VCPU:       vcpu{t.VCPU, cpu.Cores, cpu.Threads},
		Memory:     size{t.MemoryMiB},
		HasStorage: t.Disk.Count > 0,
		EBS:        ebsXML(t),
		Network:    networkXML(t),
		Placement:  strategies{[]string{"partition", "spread"}},
		Burstable:  t.Burstable(), Dedicated: !t.Burstable(), AutoRecovery: t.Disk.Count == 0,
		BootModes: []string{"legacy-bios", "uefi"}, NitroEnclaves: "unsupported",
	}
	if t.Arch == catalog.ARM64 {
		out.BootModes = []string{"uefi"}
	}
	if t.Spot {
		out.UsageClasses = append(out.UsageClasses, "spot")
	}
	if !t.Burstable() {
		out.Placement.Strategies = append([]string{"cluster"}, out.Placement.Strategies...)
	}
	if nitro && !t.Bare && t.VCPU >= 4 && t.GPU.Count == 0 && t.Neuron.Count == 0 && !t.Burstable() {
		out.NitroEnclaves = "supported"
	}
	if t.Disk.Count > 0 {
		kind, nvme := "ssd", "unsupported"
		if t.Disk.Kind == "hdd" {
			kind = "hdd"
		}
		if t.Disk.Kind == "nvme" {
			nvme = "required"
		}
		out.Storage = &storage{t.Disk.TotalGB(), []disk{{t.Disk.SizeGB, t.Disk.Count, kind}}, nvme, "required"}
	}
	if g := t.GPU; g.Count > 0 {
		out.GPUs = &gpus{[]gpu{{g.Name, g.Maker, g.Count, size{g.MemoryMiB}}}, int64(g.Count) * g.MemoryMiB}
	}
	if n := t.Neuron; n.Count > 0 {
		total := int64(n.Count) * n.MemoryMiB
		out.Neuron = &neurons{[]neuron{{n.Count, n.Name, coreCount{n.Cores, 2}, size{n.MemoryMiB}}}, total}
		if strings.HasPrefix(n.Name, "Inferentia") {
			out.Inference = &accelerators{[]gpu{{n.Name, "AWS", n.Count, size{n.MemoryMiB}}}, total}
		}
	}
	return out
}

func ebsXML(t *catalog.Type) ebs {
	out := ebs{Optimized: "unsupported", Encryption: "supported", NVMe: "unsupported"}
	if t.EBS.NVMe {
		out.NVMe = "required"
	}
	if t.EBS.MaxMbps > 0 {
		out.Optimized = "default"
		out.Bandwidth = &ebsOptimized{
			t.EBS.BaselineMbps,
			float64(t.EBS.BaselineMbps) / 8,
			t.EBS.MaxMbps,
			float64(t.EBS.MaxMbps) / 8,
		}
	}
	return out
}

func networkXML(t *catalog.Type) network {
	n := t.Network
	out := network{
		Performance: performance(
			n.BurstMbps,
			n.BaselineMbps < n.BurstMbps,
		),
		MaxENIs:     n.ENIs,
		MaxCards:    len(n.CardENIs),
		DefaultCard: n.DefaultCard,
		IPv4:        n.IPsPerENI,
		IPv6:        n.IPsPerENI,
		IPv6Support: true,
		ENA:         "unsupported",
		EFA:         n.EFAs > 0,
		Encryption:  n.EncryptsInTransit,
	}
	if t.Hyper == "nitro" || t.Bare {
		out.ENA = "required"
	}
	if n.EFAs > 0 {
		out.EFAInfo = &efaInfo{n.EFAs}
	}
	cards := float64(len(n.CardENIs))
	for i, enis := range n.CardENIs {
		out.Cards = append(out.Cards, card{
			i, performance(n.BurstMbps/len(n.CardENIs), n.BaselineMbps < n.BurstMbps), enis,
			float64(n.BaselineMbps) / 1000 / cards, float64(n.BurstMbps) / 1000 / cards,
		})
	}
	return out
}

type describeTypesIn struct {
	asked
	Types []string `query:"InstanceType"`
}

type describeTypesOut struct {
	Types     []instanceType `xml:"instanceTypeSet>item"`
	NextToken string         `xml:"nextToken,omitempty"`
}

var typeFilters = []string{
	"bare-metal",
	"burstable-performance-supported",
	"current-generation",
	"hypervisor",
	"instance-storage-supported",
	"instance-type",
	"memory-info.size-in-mib",
	"processor-info.supported-architecture",
	"supported-usage-class",
	"supported-virtualization-type",
	"vcpu-info.default-vcpus",
	"supported-root-device-type",
	"network-info.efa-supported",
	"network-info.encryption-in-transit-supported",
}

func typeFields(t instanceType) fields {
	return fields{
		"bare-metal": yesNo(
			t.Bare,
		),
		"burstable-performance-supported": yesNo(t.Burstable),
		"current-generation":              yesNo(t.Current),
		"hypervisor": one(
			t.Hypervisor,
		),
		"instance-storage-supported": yesNo(t.HasStorage),
		"instance-type":              one(t.Name),
		"memory-info.size-in-mib": number(
			t.Memory.MiB,
		),
		"processor-info.supported-architecture": many(t.Processor.Arch),
		"supported-usage-class":                 many(t.UsageClasses),
		"supported-virtualization-type":         many(t.Virtual),
		"vcpu-info.default-vcpus":               number(t.VCPU.VCPUs),
		"supported-root-device-type":            many(t.RootDevices),
		"network-info.efa-supported": yesNo(
			t.Network.EFA,
		),
		"network-info.encryption-in-transit-supported": yesNo(t.Network.Encryption),
	}
}

func (a *api) describeInstanceTypes(_ context.Context, _ *wire.Call, in *describeTypesIn) (*describeTypesOut, error) {
	if err := checkFilters(in.Filters, false, typeFilters...); err != nil {
		return nil, err
	}
	if len(in.Types) > 0 && in.MaxResults != nil {
		return nil, apierror.New(
			"InvalidParameterCombination",
			"The parameter instanceTypes cannot be used with the parameter maxResults",
		)
	}
	var region string
	if err := a.world.Do(func(s *world.State) error { region = s.Region.Name; return nil }); err != nil {
		return nil, err
	}
	offered := catalog.Offered(region)
	for _, name := range in.Types {
		if !slices.ContainsFunc(offered, func(t *catalog.Type) bool { return t.Name == name }) {
			return nil, apierror.New(
				"InvalidInstanceType",
				"The following supplied instance types do not exist: [%s]",
				name,
			)
		}
	}
	if in.DryRun {
		return nil, apierror.DryRun()
	}
	var kept []*catalog.Type
	for _, t := range offered {
		if len(in.Types) > 0 && !slices.Contains(in.Types, t.Name) {
			continue
		}
		if len(in.Filters) == 0 || match(in.Filters, typeFields(typeXML(t)), nil) {
			kept = append(kept, t)
		}
	}
	out := &describeTypesOut{}
	var err error
	kept, out.NextToken, err = page(in.asked, bounds{5, 100}, kept, func(t *catalog.Type) string { return t.Name })
	for _, t := range kept {
		out.Types = append(out.Types, typeXML(t))
	}
	return out, err
}
