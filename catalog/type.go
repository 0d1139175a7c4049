package catalog

import "strings"

// Architectures as the EC2 API spells them.
const (
	X8664    = "x86_64"
	ARM64    = "arm64"
	X8664Mac = "x86_64_mac"
	ARM64Mac = "arm64_mac"
)

// Type is one instance type. Zero means "none" for counts, and "not published"
// for bandwidths, clock and hypervisor.
type Type struct {
	Name     string // "m5.large"
	Category string // AWS's marketing family: "General purpose"
	Current  bool   // current generation

	VCPU      int
	MemoryMiB int64 // nominal, as DescribeInstanceTypes reports it
	Arch      string
	Bare      bool   // bare metal
	Hyper     string // "nitro", "xen"; empty on metal
	Maker     string // of the processor: "Intel", "AMD", "AWS", "Apple"
	ClockMHz  int    // sustained

	GPU    GPU
	Neuron Neuron
	Disk   Disk

	Network Network
	EBS     EBS

	Spot bool // has a spot price in some region
}

// GPU describes the graphics processors. Only NVIDIA and AMD devices count:
// AWS's own accelerators are Neuron.
type GPU struct {
	Maker     string // "NVIDIA", "AMD"
	Name      string // "H100", "T4g", "Radeon Pro V520"
	Count     int
	MemoryMiB int64 // of one GPU, nominal
}

// Neuron describes AWS's machine-learning accelerators.
type Neuron struct {
	Name      string // "Inferentia", "Inferentia2", "Trainium"
	Count     int    // devices
	Cores     int    // of one device
	MemoryMiB int64  // of one device
}

// Disk describes the instance store: Count equal disks.
type Disk struct {
	Count  int
	SizeGB int64  // of one disk, decimal
	Kind   string // "nvme", "ssd", "hdd"; empty without disks
}

// TotalGB is the size of all disks together.
func (d Disk) TotalGB() int64 { return int64(d.Count) * d.SizeGB }

// Network holds the limits of a type's network.
type Network struct {
	ENIs        int   // interfaces over all cards
	IPsPerENI   int   // IPv4 addresses of one interface
	CardENIs    []int // interfaces of each card; at least one card
	DefaultCard int   // index into CardENIs
	EFAs        int   // the most EFA interfaces; 0 without EFA
	BranchENIs  int   // for pods with their own interface; 0 without trunking
	// BurstMbps is the published peak, BaselineMbps what lasts. The baseline
	// is derived where AWS publishes only "up to"; see hack/catalog.
	BurstMbps, BaselineMbps int
	EncryptsInTransit       bool
}

// EBS holds the bandwidth to block storage in Mbps.
type EBS struct {
	BaselineMbps, MaxMbps int
	NVMe                  bool
}

// Family is the part of the name before the dot, "m5".
func (t *Type) Family() string {
	family, _, _ := strings.Cut(t.Name, ".")
	return family
}

// Size is the part of the name after the dot, "large".
func (t *Type) Size() string {
	_, size, _ := strings.Cut(t.Name, ".")
	return size
}

// ENIPods is how many pods the VPC CNI can address without prefix delegation:
// each interface on the default card keeps its first address, and two pods use
// the host's network.
func (t *Type) ENIPods() int {
	enis := t.Network.CardENIs[t.Network.DefaultCard]
	return enis*(t.Network.IPsPerENI-1) + 2
}

// Burstable says whether the type runs on CPU credits.
func (t *Type) Burstable() bool {
	family := t.Family()
	return len(family) > 1 && family[0] == 't' && family[1] >= '1' && family[1] <= '9'
}
