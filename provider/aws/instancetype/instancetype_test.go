package instancetype

import (
	"slices"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
)

// sized is a type as DescribeInstanceTypes tells of it.
func sized(
	name, arch string,
	cores int32,
	memoryMiB int64,
	enis, ips int32,
	change ...func(*ec2types.InstanceTypeInfo),
) ec2types.InstanceTypeInfo {
	info := ec2types.InstanceTypeInfo{
		InstanceType: ec2types.InstanceType(name),
		Hypervisor:   ec2types.InstanceTypeHypervisorNitro,
		ProcessorInfo: &ec2types.ProcessorInfo{
			SupportedArchitectures:   []ec2types.ArchitectureType{ec2types.ArchitectureType(arch)},
			Manufacturer:             awssdk.String("Intel"),
			SustainedClockSpeedInGhz: awssdk.Float64(3.1),
		},
		VCpuInfo:   &ec2types.VCpuInfo{DefaultVCpus: awssdk.Int32(cores)},
		MemoryInfo: &ec2types.MemoryInfo{SizeInMiB: awssdk.Int64(memoryMiB)},
		NetworkInfo: &ec2types.NetworkInfo{
			MaximumNetworkInterfaces:     awssdk.Int32(enis),
			Ipv4AddressesPerInterface:    awssdk.Int32(ips),
			DefaultNetworkCardIndex:      awssdk.Int32(0),
			EncryptionInTransitSupported: awssdk.Bool(true),
			NetworkCards: []ec2types.NetworkCardInfo{
				{
					NetworkCardIndex: awssdk.Int32(
						0,
					),
					MaximumNetworkInterfaces: awssdk.Int32(enis),
					BaselineBandwidthInGbps:  awssdk.Float64(0.75),
				},
			},
		},
		EbsInfo: &ec2types.EbsInfo{
			EbsOptimizedSupport: ec2types.EbsOptimizedSupportDefault,
			EbsOptimizedInfo:    &ec2types.EbsOptimizedInfo{MaximumBandwidthInMbps: awssdk.Int32(4750)},
		},
	}
	for _, c := range change {
		c(&info)
	}
	return info
}

func a1Large() ec2types.InstanceTypeInfo { return sized("a1.large", "arm64", 2, 4096, 3, 10) }
func m5Large() ec2types.InstanceTypeInfo { return sized("m5.large", "x86_64", 2, 8192, 3, 10) }

func p4d() ec2types.InstanceTypeInfo {
	return sized("p4d.24xlarge", "x86_64", 96, 1179648, 60, 50, func(i *ec2types.InstanceTypeInfo) {
		i.NetworkInfo.NetworkCards[0].MaximumNetworkInterfaces = awssdk.Int32(15)
		i.NetworkInfo.EfaInfo = &ec2types.EfaInfo{MaximumEfaInterfaces: awssdk.Int32(4)}
		i.GpuInfo = &ec2types.GpuInfo{Gpus: []ec2types.GpuDeviceInfo{{
			Name: awssdk.String("A100"), Manufacturer: awssdk.String("NVIDIA"), Count: awssdk.Int32(8),
			MemoryInfo: &ec2types.GpuDeviceMemoryInfo{SizeInMiB: awssdk.Int32(40960)},
		}}}
		i.InstanceStorageInfo = &ec2types.InstanceStorageInfo{
			NvmeSupport:   ec2types.EphemeralNvmeSupportRequired,
			TotalSizeInGB: awssdk.Int64(8000),
		}
	})
}

func inf1() ec2types.InstanceTypeInfo {
	return sized("inf1.24xlarge", "x86_64", 96, 196608, 11, 30, func(i *ec2types.InstanceTypeInfo) {
		i.NeuronInfo = &ec2types.NeuronInfo{NeuronDevices: []ec2types.NeuronDeviceInfo{
			{
				Name: awssdk.String(
					"Inferentia",
				),
				Count:    awssdk.Int32(16),
				CoreInfo: &ec2types.NeuronDeviceCoreInfo{Count: awssdk.Int32(4)},
			},
		}}
	})
}

func setup(family string, change ...func(*Setup)) Setup {
	s := Setup{Region: "us-east-1", Family: family, MemoryOverhead: 0.075}
	for _, c := range change {
		c(&s)
	}
	return s
}

// fixed is a number for maxPods.
func fixed(n int32) *intstr.IntOrString { v := intstr.FromInt32(n); return &v }

// formula is an expression for maxPods.
func formula(text string) *intstr.IntOrString { v := intstr.FromString(text); return &v }

// Golden values: those of a1.large are Karpenter's documentation's; the others follow from the
// formulas of EKS's images by hand.
func TestAllocatable(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why           string
		info          ec2types.InstanceTypeInfo
		setup         Setup
		cpu, mem, pod int64 // milli-cores, MiB, pods
	}{
		"A1Large": {
			why:  "4096 MiB less 64 for the firmware, 303 overhead, 574 for the kubelet and 100 for eviction",
			info: a1Large(), setup: setup(awsv1.AMIFamilyAL2), cpu: 1930, mem: 3055, pod: 29,
		},
		"M5Large": {
			why:  "8192 less 615 overhead, 574 for the kubelet, 100 for eviction",
			info: m5Large(), setup: setup(awsv1.AMIFamilyAL2023), cpu: 1930, mem: 6903, pod: 29,
		},
		"BigCard": {
			why:  "the default card's 15 interfaces bound the pods; 96 cores keep 310m",
			info: p4d(), setup: setup(awsv1.AMIFamilyAL2023), cpu: 95690, mem: 1082712, pod: 737,
		},
		"MaxPodsOnAL2": {
			why:   "AL2's script reserves for the addresses that there are, whatever maxPods says",
			info:  m5Large(),
			setup: setup(awsv1.AMIFamilyAL2, func(s *Setup) { s.Kubelet.MaxPods = fixed(110) }),
			cpu:   1930,
			mem:   6903,
			pod:   110,
		},
		"MaxPodsOnBottlerocket": {
			why:   "Bottlerocket reserves for the pods that there may be: 11 x 110 + 255",
			info:  m5Large(),
			setup: setup(awsv1.AMIFamilyBottlerocket, func(s *Setup) { s.Kubelet.MaxPods = fixed(110) }),
			cpu:   1930,
			mem:   6012,
			pod:   110,
		},
		"PodsPerCore": {
			why:   "ten pods a core on two cores",
			info:  m5Large(),
			setup: setup(awsv1.AMIFamilyAL2023, func(s *Setup) { s.Kubelet.PodsPerCore = awssdk.Int32(10) }),
			cpu:   1930,
			mem:   6903,
			pod:   20,
		},
		"Reserved": {
			why:  "what the class reserves replaces the default by key, and adds for the system",
			info: m5Large(), setup: setup(awsv1.AMIFamilyAL2023, func(s *Setup) {
				s.Kubelet = kubelet.Settings{
					KubeReserved:   map[string]string{"cpu": "200m"},
					SystemReserved: map[string]string{"cpu": "100m", "memory": "100Mi"},
					EvictionHard:   map[string]string{"memory.available": "200Mi"},
				}
			}), cpu: 1700, mem: 6703, pod: 29,
		},
		"ReservedTooMuch": {
			why:  "what is beyond every number leaves nothing, and does not wrap around",
			info: m5Large(), setup: setup(awsv1.AMIFamilyAL2023, func(s *Setup) {
				s.Kubelet = kubelet.Settings{
					KubeReserved:   map[string]string{"cpu": "9E", "memory": "9000000000000000Mi"},
					SystemReserved: map[string]string{"cpu": "1e30", "memory": "1e30"},
				}
			}), cpu: 0, mem: 0, pod: 29,
		},
		"ReservedENI": {
			why:   "an interface kept free has no pods; the kubelet reserves as before",
			info:  m5Large(),
			setup: setup(awsv1.AMIFamilyAL2023, func(s *Setup) { s.ReservedENIs = 1 }),
			cpu:   1930,
			mem:   6903,
			pod:   20,
		},
		"Windows": {
			why:  "Windows does not limit pods by interfaces",
			info: m5Large(), setup: setup(awsv1.AMIFamilyWindows2022), cpu: 1930, mem: 6012, pod: 110,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := New(tc.info, tc.setup).Allocatable
			if got.CPU != tc.cpu || got.Memory != tc.mem<<20 || got.Pods != tc.pod {
				t.Errorf(
					"%s\n%dm, %d MiB, %d pods; want %dm, %d MiB, %d pods",
					tc.why,
					got.CPU,
					got.Memory>>20,
					got.Pods,
					tc.cpu,
					tc.mem,
					tc.pod,
				)
			}
		})
	}
}

func TestDisk(t *testing.T) {
	t.Parallel()
	volume := func(device, size string, root bool) awsv1.BlockDeviceMapping {
		q := resource.MustParse(size)
		return awsv1.BlockDeviceMapping{
			DeviceName: &device,
			RootVolume: root,
			EBS:        &awsv1.BlockDevice{VolumeSize: &q},
		}
	}
	raid := awsv1.InstanceStorePolicyRAID0
	cases := map[string]struct {
		why   string
		info  ec2types.InstanceTypeInfo
		setup Setup
		want  int64
	}{
		"Default": {"the images' own volume", m5Large(), setup(awsv1.AMIFamilyAL2023), 20 << 30},
		"RAID0": {
			"the disks inside the machine, in GB",
			p4d(),
			setup(awsv1.AMIFamilyAL2023, func(s *Setup) { s.InstanceStore = &raid }),
			8000_000_000_000,
		},
		"RAID0Without": {
			"there are no disks inside",
			m5Large(),
			setup(awsv1.AMIFamilyAL2023, func(s *Setup) { s.InstanceStore = &raid }),
			20 << 30,
		},
		"Device": {"the family's device", m5Large(), setup(awsv1.AMIFamilyBottlerocket, func(s *Setup) {
			s.BlockDevices = []awsv1.BlockDeviceMapping{
				volume("/dev/xvda", "4Gi", false),
				volume("/dev/xvdb", "100Gi", false),
			}
		}), 100 << 30},
		"Root": {"what is marked wins", m5Large(), setup(awsv1.AMIFamilyAL2, func(s *Setup) {
			s.BlockDevices = []awsv1.BlockDeviceMapping{
				volume("/dev/xvda", "30Gi", false),
				volume("/dev/xvdc", "50Gi", true),
			}
		}), 50 << 30},
		"Custom": {"the last one", m5Large(), setup(awsv1.AMIFamilyCustom, func(s *Setup) {
			s.BlockDevices = []awsv1.BlockDeviceMapping{
				volume("/dev/a", "30Gi", false),
				volume("/dev/b", "60Gi", false),
			}
		}), 60 << 30},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := New(tc.info, tc.setup).Capacity.Ephemeral; got != tc.want {
				t.Errorf("%s\n%d bytes, want %d", tc.why, got, tc.want)
			}
		})
	}
}

func TestAccelerators(t *testing.T) {
	t.Parallel()
	gpus, neurons := New(p4d(), setup(awsv1.AMIFamilyAL2023)), New(inf1(), setup(awsv1.AMIFamilyAL2023))
	for resource, want := range map[string]int64{"nvidia.com/gpu": 8, "vpc.amazonaws.com/efa": 4} {
		if got := gpus.Capacity.Get(resource); got != want {
			t.Errorf("p4d.24xlarge has %d %s, want %d", got, resource, want)
		}
	}
	for resource, want := range map[string]int64{"aws.amazon.com/neuron": 16, "aws.amazon.com/neuroncore": 64,
		"nvidia.com/gpu": 0} {
		if got := neurons.Capacity.Get(resource); got != want {
			t.Errorf("inf1.24xlarge has %d %s, want %d", got, resource, want)
		}
	}
	if !exotic(gpus) || !exotic(neurons) || exotic(New(m5Large(), setup(awsv1.AMIFamilyAL2))) ||
		!exotic(New(sized("m5.metal", "x86_64", 96, 393216, 15, 50), setup(awsv1.AMIFamilyAL2))) {
		t.Error("types with accelerators and metal are exotic, others are not")
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	known := func(it *shape.InstanceType) map[string]string {
		out := map[string]string{}
		for _, r := range it.Requirements {
			if r.Operator == shape.In {
				out[r.Key] = r.Values[0]
			}
		}
		return out
	}
	got := known(New(p4d(), setup(awsv1.AMIFamilyAL2023)))
	want := map[string]string{
		"node.kubernetes.io/instance-type":                           "p4d.24xlarge",
		"kubernetes.io/arch":                                         "amd64",
		"kubernetes.io/os":                                           "linux",
		"topology.kubernetes.io/region":                              "us-east-1",
		"karpenter.sh/do-not-sync-taints":                            "true",
		"karpenter.k8s.aws/instance-category":                        "p",
		"karpenter.k8s.aws/instance-family":                          "p4d",
		"karpenter.k8s.aws/instance-generation":                      "4",
		"karpenter.k8s.aws/instance-size":                            "24xlarge",
		"karpenter.k8s.aws/instance-capability-flex":                 "false",
		"karpenter.k8s.aws/instance-hypervisor":                      "nitro",
		"karpenter.k8s.aws/instance-encryption-in-transit-supported": "true",
		"karpenter.k8s.aws/instance-cpu":                             "96",
		"karpenter.k8s.aws/instance-cpu-manufacturer":                "intel",
		"karpenter.k8s.aws/instance-cpu-sustained-clock-speed-mhz":   "3100",
		"karpenter.k8s.aws/instance-memory":                          "1179648",
		"karpenter.k8s.aws/instance-ebs-bandwidth":                   "4750",
		"karpenter.k8s.aws/instance-network-bandwidth":               "750",
		"karpenter.k8s.aws/instance-local-nvme":                      "8000",
		"karpenter.k8s.aws/instance-gpu-name":                        "a100",
		"karpenter.k8s.aws/instance-gpu-manufacturer":                "nvidia",
		"karpenter.k8s.aws/instance-gpu-count":                       "8",
		"karpenter.k8s.aws/instance-gpu-memory":                      "40960",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("p4d.24xlarge: -want +got\n%s", diff)
	}
	if got := known(
		New(inf1(), setup(awsv1.AMIFamilyAL2023)),
	); got[awsv1.LabelInstanceAcceleratorName] != "inferentia" ||
		got[awsv1.LabelInstanceAcceleratorCount] != "16" {
		t.Errorf("inf1.24xlarge: %v", got)
	}
	if got := known(
		New(m5Large(), setup(awsv1.AMIFamilyWindows2022)),
	); got["kubernetes.io/os"] != "windows" ||
		got["node.kubernetes.io/windows-build"] != "10.0.20348" {
		t.Errorf("Windows: %v", got)
	}
	if got := known(
		New(a1Large(), setup(awsv1.AMIFamilyWindows2022)),
	); got["kubernetes.io/os"] != "" ||
		got["node.kubernetes.io/windows-build"] != "" {
		t.Errorf("a type that cannot run Windows is labelled as if it did: %v", got)
	}
	if got := known(
		New(m5Large(), setup(awsv1.AMIFamilyCustom)),
	); got["kubernetes.io/os"] != "linux" ||
		got["karpenter.sh/do-not-sync-taints"] != "" {
		t.Errorf("Custom: %v", got)
	}
}

func TestNamesAreTakenApart(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][2]string{
		"m5.large": {"m", "5"}, "im4gn.xlarge": {"im", "4"}, "u-6tb1.metal": {"u", "1"},
		"u7i-12tb.224xlarge": {"u", "7"},
		"c6a.48xlarge":       {"c", "6"}, "trn1n.32xlarge": {"trn", "1"}, "m7i-flex.large": {"m", "7"},
		"hpc7g.16xlarge": {"hpc", "7"},
	} {
		set := map[string]string{}
		nameLabels(ec2types.InstanceTypeInfo{InstanceType: ec2types.InstanceType(name)}, set)
		if got := [2]string{set[awsv1.LabelInstanceCategory], set[awsv1.LabelInstanceGeneration]}; got != want {
			t.Errorf("%s: category and generation %v, want %v", name, got, want)
		}
	}
}

func TestEveryWellKnownLabelIsSpokenOf(t *testing.T) {
	t.Parallel()
	it := New(m5Large(), setup(awsv1.AMIFamilyAL2))
	for key := range awsv1.LabelRules().WellKnown {
		if key == awsv1.LabelTopologyZoneID || key == awsv1.LabelInstanceTenancy {
			continue // the offerings'
		}
		if !slices.ContainsFunc(it.Requirements, func(r shape.Requirement) bool { return r.Key == key }) {
			t.Errorf("%s is neither set nor absent: a wish for it would be met by chance", key)
		}
	}
}

func TestSupported(t *testing.T) {
	t.Parallel()
	class := func(change func(*awsv1.EC2NodeClass)) *awsv1.EC2NodeClass {
		c := &awsv1.EC2NodeClass{
			Spec: awsv1.EC2NodeClassSpec{AMISelectorTerms: []awsv1.AMISelectorTerm{{Alias: "al2023@latest"}}},
		}
		change(c)
		return c
	}
	xen := sized(
		"m4.large",
		"x86_64",
		2,
		8192,
		2,
		10,
		func(i *ec2types.InstanceTypeInfo) { i.Hypervisor = ec2types.InstanceTypeHypervisorXen },
	)
	windows := class(func(c *awsv1.EC2NodeClass) { c.Spec.AMISelectorTerms[0].Alias = "windows2022@latest" })
	cases := map[string]struct {
		why   string
		info  ec2types.InstanceTypeInfo
		class *awsv1.EC2NodeClass
		want  bool
	}{
		"Plain": {"anything runs", m5Large(), class(func(*awsv1.EC2NodeClass) {}), true},
		"A1AL2023": {
			"the first Graviton cannot run AL2023",
			a1Large(),
			class(func(*awsv1.EC2NodeClass) {}),
			false,
		},
		"A1AL2": {
			"it can run AL2",
			a1Large(),
			class(func(c *awsv1.EC2NodeClass) { c.Spec.AMISelectorTerms[0].Alias = "al2@latest" }),
			true,
		},
		"WindowsOnARM": {
			"Windows is published for x86 alone",
			sized("t4g.large", "arm64", 2, 8192, 3, 10),
			windows,
			false,
		},
		"Windows":      {"most types run it", m5Large(), windows, true},
		"WindowsOnP4d": {"EC2 starts no Windows there", p4d(), windows, false},
		"WindowsOnInf": {"nor there", inf1(), windows, false},
		"WindowsOnP3": {
			"on smaller GPU machines it does",
			sized("p3.2xlarge", "x86_64", 8, 62464, 4, 15),
			windows,
			true,
		},
		"WindowsOnC4": {"EKS rules out older types", sized("c4.large", "x86_64", 2, 3840, 3, 10), windows, false},
		"Mac": {
			"no image of ours starts a Mac",
			sized("mac2.metal", "arm64_mac", 8, 16384, 8, 30),
			class(func(*awsv1.EC2NodeClass) {}),
			false,
		},
		"TrackingOnXen": {"connection tracking needs Nitro", xen, class(func(c *awsv1.EC2NodeClass) {
			c.Spec.ConnectionTracking = &awsv1.ConnectionTracking{UDPTimeout: awssdk.Int32(30)}
		}), false},
		"NestedWithout": {"the processor has to be able to", m5Large(), class(func(c *awsv1.EC2NodeClass) {
			c.Spec.CPUOptions = &awsv1.CPUOptions{NestedVirtualization: awssdk.String("enabled")}
		}), false},
		"TooManyInterfaces": {"the card has three places", m5Large(), class(func(c *awsv1.EC2NodeClass) {
			c.Spec.NetworkInterfaces = []awsv1.NetworkInterface{{DeviceIndex: 0}, {DeviceIndex: 3}}
		}), false},
		"EFAWithout": {"there is no EFA", m5Large(), class(func(c *awsv1.EC2NodeClass) {
			c.Spec.NetworkInterfaces = []awsv1.NetworkInterface{
				{},
				{DeviceIndex: 1, InterfaceType: awsv1.InterfaceTypeEFAOnly},
			}
		}), false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Supported(tc.info, tc.class); got != tc.want {
				t.Errorf("%s: got %v", tc.why, got)
			}
		})
	}
}

// The figures follow by hand from what EC2 says of the types: m5.large has 2 cores, 8192 MiB, 3 interfaces of 10
// addresses.
func TestExpressionsSeeTheType(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why       string
		info      ec2types.InstanceTypeInfo
		setup     Setup
		pods      int32
		kube, sys map[string]string
	}{
		"EveryVariable": {
			why:  "3 interfaces x (10 - 1) + 2 on 2 cores",
			info: m5Large(),
			setup: setup(
				awsv1.AMIFamilyAL2023,
				func(s *Setup) { s.Kubelet.MaxPods = formula("default_enis * (ips_per_eni - 1) + vcpus") },
			),
			pods: 29,
		},
		"DefaultOfTheFamily": {
			why:  "max_pods is what there would be without the expression, and afterwards what it came to",
			info: m5Large(),
			setup: setup(awsv1.AMIFamilyAL2023, func(s *Setup) {
				s.Kubelet.MaxPods, s.Kubelet.KubeReserved = formula(
					"max_pods - 9",
				), map[string]string{
					"memory": "11 * max_pods + 255",
				}
			}),
			pods: 20,
			kube: map[string]string{"memory": "480Mi"}, // 475 rounded up to 16
		},
		"ReservedInterfacesDoNotCount": {
			why:  "interfaces are as EC2 says",
			info: m5Large(),
			setup: setup(
				awsv1.AMIFamilyAL2023,
				func(s *Setup) { s.ReservedENIs, s.Kubelet.MaxPods = 1, formula("default_enis") },
			),
			pods: 3,
		},
		"Windows": {
			why:  "the family's default is the kubelet's",
			info: m5Large(),
			setup: setup(
				awsv1.AMIFamilyWindows2022,
				func(s *Setup) { s.Kubelet.MaxPods = formula("max_pods") },
			),
			pods: 110,
		},
		"Units": {
			why:  "milli-cores, MiB, GiB and numbers; quantities stay",
			info: p4d(),
			setup: setup(awsv1.AMIFamilyAL2023, func(s *Setup) {
				s.Kubelet.MaxPods = fixed(58)
				s.Kubelet.SystemReserved = map[string]string{
					"cpu":               "double(vcpus) / 7.0 * 0.0 + 91.9",
					"memory":            "memory_mib / 100",
					"ephemeral-storage": "2 + 1",
					"pid":               "max_pods * 3",
				}
				s.Kubelet.KubeReserved = map[string]string{
					"cpu":    "0.1",
					"memory": "instance_type.startsWith('p4') ? 1 : 2",
				}
			}),
			pods: 58,
			sys: map[string]string{
				"cpu":               "100m",
				"memory":            "11808Mi",
				"ephemeral-storage": "3Gi",
				"pid":               "174",
			},
			kube: map[string]string{"cpu": "0.1", "memory": "16Mi"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tc.setup.For(tc.info)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(
				[]any{fixed(tc.pods), tc.kube, tc.sys},
				[]any{got.Kubelet.MaxPods, got.Kubelet.KubeReserved, got.Kubelet.SystemReserved},
			); diff != "" {
				t.Errorf("%s: -want +got\n%s", tc.why, diff)
			}
			if n := New(tc.info, got).Capacity.Pods; n != int64(tc.pods) {
				t.Errorf("%s: planned with %d pods, want %d", tc.why, n, tc.pods)
			}
		})
	}
}
