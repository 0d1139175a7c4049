package boot

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/awssim/world"
	"github.com/dovetail-sh/dovetail/catalog"
)

// Machine is what a kubelet finds out about where it runs.
type Machine struct {
	InstanceID           string
	Type                 *catalog.Type
	Family               world.Family
	Version              string // of the image's Kubernetes, "1.36"
	Region, Zone, ZoneID string
	Address, Name        string // private address and DNS name
	DiskGiB              int    // of the volume that holds pods' storage
	EFAs                 int    // EFA interfaces it was launched with
	Boots                int    // after the first
}

// Cluster is what the machine must have been told.
type Cluster struct {
	Name, Endpoint string
	CA             []byte // PEM
}

// Check says why a kubelet would not get to the cluster; nil when it would.
func (k *Kubelet) Check(c Cluster) error {
	if k.Cluster != c.Name {
		return fmt.Errorf("user data names the cluster %q, not %q", k.Cluster, c.Name)
	}
	if k.Endpoint != "" && strings.TrimSuffix(k.Endpoint, "/") != strings.TrimSuffix(c.Endpoint, "/") {
		return fmt.Errorf("user data has the API server %s, the cluster's is %s", k.Endpoint, c.Endpoint)
	}
	if k.CA == "" {
		return nil
	}
	ca, err := base64.StdEncoding.DecodeString(k.CA)
	if err != nil {
		return fmt.Errorf("decoding the certificate authority in the user data: %w", err)
	}
	if !bytes.Equal(bytes.TrimSpace(ca), bytes.TrimSpace(c.CA)) {
		return fmt.Errorf(
			"the certificate authority in the user data is not the cluster's: x509: certificate signed by unknown " +
				"authority",
		)
	}
	return nil
}

// Node is the object that the kubelet registers, with what the cloud's node
// controller adds at once. The API server adds the not-ready taint; kwok, by
// the annotation, keeps it alive.
func (k *Kubelet) Node(m Machine) (*corev1.Node, error) {
	capacity, allocatable, err := k.resources(m)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{
		corev1.LabelHostname:                m.Name,
		corev1.LabelArchStable:              goArch(m.Type.Arch),
		"beta.kubernetes.io/arch":           goArch(m.Type.Arch),
		corev1.LabelOSStable:                system(m.Family),
		"beta.kubernetes.io/os":             system(m.Family),
		corev1.LabelInstanceTypeStable:      m.Type.Name,
		corev1.LabelInstanceType:            m.Type.Name,
		corev1.LabelTopologyZone:            m.Zone,
		corev1.LabelFailureDomainBetaZone:   m.Zone,
		corev1.LabelTopologyRegion:          m.Region,
		corev1.LabelFailureDomainBetaRegion: m.Region,
		"topology.k8s.aws/zone-id":          m.ZoneID,
	}
	if build := windowsBuild(m); build != "" {
		labels[corev1.LabelWindowsBuild] = build
	}
	maps.Copy(labels, k.Labels)
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   m.Name,
			Labels: labels,
			Annotations: map[string]string{
				"kwok.x-k8s.io/node": "fake",
				"volumes.kubernetes.io/controller-managed-attach-detach": "true",
				"alpha.kubernetes.io/provided-node-ip":                   m.Address,
			},
		},
		Spec: corev1.NodeSpec{
			ProviderID: "aws:///" + m.Zone + "/" + m.InstanceID,
			Taints:     slices.Clone(k.Taints),
		},
		Status: corev1.NodeStatus{
			Capacity: capacity, Allocatable: allocatable,
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: m.Address},
				{Type: corev1.NodeInternalDNS, Address: m.Name},
				{Type: corev1.NodeHostName, Address: m.Name},
			},
			NodeInfo: nodeInfo(m),
			DaemonEndpoints: corev1.NodeDaemonEndpoints{
				KubeletEndpoint: corev1.DaemonEndpoint{Port: 10250},
			},
		},
	}, nil
}

func goArch(arch string) string {
	if arch == catalog.ARM64 {
		return "arm64"
	}
	return "amd64"
}

func system(family world.Family) string {
	if family == world.Windows {
		return "windows"
	}
	return "linux"
}

func windowsBuild(m Machine) string {
	if m.Family != world.Windows {
		return ""
	}
	return "10.0.20348"
}

// bootID is another one after each boot.
func bootID(m Machine) string {
	if m.Boots == 0 {
		return m.InstanceID
	}
	return fmt.Sprintf("%s-%d", m.InstanceID, m.Boots)
}

func nodeInfo(m Machine) corev1.NodeSystemInfo {
	info := corev1.NodeSystemInfo{
		MachineID: "ec2" + strings.TrimPrefix(
			m.InstanceID,
			"i-",
		),
		SystemUUID:              "ec2" + strings.TrimPrefix(m.InstanceID, "i-"),
		BootID:                  bootID(m),
		Architecture:            goArch(m.Type.Arch),
		OperatingSystem:         system(m.Family),
		KubeletVersion:          "v" + m.Version + ".0-eks-0000000",
		ContainerRuntimeVersion: "containerd://2.1.4",
	}
	switch m.Family {
	case world.AL2:
		info.OSImage, info.KernelVersion, info.ContainerRuntimeVersion = "Amazon Linux 2", "5.10.240-238.955.amzn2",
			"containerd://1.7.27"
	case world.Bottlerocket:
		info.OSImage, info.KernelVersion = "Bottlerocket OS 1.52.0 (aws-k8s-"+m.Version+")", "6.12.40"
	case world.Windows:
		info.OSImage, info.KernelVersion = "Windows Server 2022 Datacenter", windowsBuild(m)
	default:
		info.OSImage, info.KernelVersion = "Amazon Linux 2023", "6.12.40-63.114.amzn2023"
	}
	return info
}

const mib = 1 << 20

// resources computes what the kubelet reports. The kernel and firmware keep a
// part of the memory that EC2 names: measured on EKS nodes it is about 5.3 % on
// small machines and falls to 1.7 % on large ones.
func (k *Kubelet) resources(m Machine) (capacity, allocatable corev1.ResourceList, err error) {
	nominal := m.Type.MemoryMiB
	memory := nominal - nominal*17/1000 - min(180, nominal*36/1000)
	disk := int64(m.DiskGiB) << 30
	if k.LocalDisks && m.Type.Disk.Count > 0 {
		disk = m.Type.Disk.TotalGB() * 1e9
	}
	pods := k.pods(m)
	capacity = corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(int64(m.Type.VCPU), resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(memory*mib, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(disk, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(int64(pods), resource.DecimalSI),
		"hugepages-1Gi":                 resource.MustParse("0"),
		"hugepages-2Mi":                 resource.MustParse("0"),
	}
	for name, count := range devices(m) {
		capacity[name] = *resource.NewQuantity(int64(count), resource.DecimalSI)
	}
	reserved, err := k.reserved(m, pods, memory*mib, disk)
	if err != nil {
		return nil, nil, err
	}
	allocatable = capacity.DeepCopy()
	for name, amount := range reserved {
		left := allocatable[name]
		left.Sub(amount)
		if left.Sign() < 0 {
			left = resource.MustParse("0")
		}
		allocatable[name] = left
	}
	return capacity, allocatable, nil
}

// pods is the kubelet's limit.
func (k *Kubelet) pods(m Machine) int {
	limit := k.MaxPods
	if limit == 0 {
		limit = m.Type.ENIPods()
	}
	if k.PodsPerCore > 0 {
		limit = min(limit, k.PodsPerCore*m.Type.VCPU)
	}
	return limit
}

// devices are what device plugins would advertise.
func devices(m Machine) map[corev1.ResourceName]int {
	out := map[corev1.ResourceName]int{}
	switch m.Type.GPU.Maker {
	case "NVIDIA":
		out["nvidia.com/gpu"] = m.Type.GPU.Count
	case "AMD":
		out["amd.com/gpu"] = m.Type.GPU.Count
	}
	if n := m.Type.Neuron; n.Count > 0 {
		out["aws.amazon.com/neuron"] = n.Count
		out["aws.amazon.com/neuroncore"] = n.Count * n.Cores
	}
	if m.EFAs > 0 {
		out["vpc.amazonaws.com/efa"] = m.EFAs
	}
	return out
}

// reserved is what the kubelet keeps from pods: for Kubernetes, for the
// system, and as eviction thresholds. The defaults are EKS's.
func (k *Kubelet) reserved(m Machine, pods int, memory, disk int64) (corev1.ResourceList, error) {
	if m.Family != world.Bottlerocket && m.Family != world.Windows {
		pods = m.Type.ENIPods() // bootstrap.sh and nodeadm do not look at maxPods here
	}
	kube := map[string]string{
		"cpu":               strconv.Itoa(kubeCPU(m.Type.VCPU)) + "m",
		"memory":            strconv.Itoa(11*pods+255) + "Mi",
		"ephemeral-storage": "1Gi",
	}
	maps.Copy(kube, k.KubeReserved)
	out := corev1.ResourceList{}
	for _, part := range []map[string]string{kube, k.SystemReserved} {
		for name, text := range part {
			if name == "pid" {
				continue
			}
			if err := add(out, name, text, 0); err != nil {
				return nil, err
			}
		}
	}
	eviction := map[string]string{"memory.available": "100Mi", "nodefs.available": "10%"}
	maps.Copy(eviction, k.EvictionHard)
	if err := add(out, "memory", eviction["memory.available"], memory); err != nil {
		return nil, err
	}
	return out, add(out, "ephemeral-storage", eviction["nodefs.available"], disk)
}

// add parses a quantity, or a percentage of whole, and adds it to a list.
func add(to corev1.ResourceList, name, text string, whole int64) error {
	var amount resource.Quantity
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		v, err := strconv.ParseFloat(percent, 64)
		if err != nil {
			return fmt.Errorf("reserved %s %q: %w", name, text, err)
		}
		amount = *resource.NewQuantity(int64(float64(whole)*v/100), resource.BinarySI)
	} else {
		var err error
		if amount, err = resource.ParseQuantity(text); err != nil {
			return fmt.Errorf("reserved %s %q: %w", name, text, err)
		}
	}
	sum := to[corev1.ResourceName(name)]
	sum.Add(amount)
	to[corev1.ResourceName(name)] = sum
	return nil
}

// kubeCPU is EKS's reservation in millicores: 6 % of the first core, 1 % of the
// second, 0.5 % of the next two, 0.25 % of the rest.
func kubeCPU(cores int) int {
	tenths := 0 // of a millicore, to stay in integers
	for core := 1; core <= cores; core++ {
		switch {
		case core == 1:
			tenths += 600
		case core == 2:
			tenths += 100
		case core <= 4:
			tenths += 50
		default:
			tenths += 25
		}
	}
	return tenths / 10
}
