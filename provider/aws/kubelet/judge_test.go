package kubelet

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
)

func read(t *testing.T, text string) awsv1.KubeletConfiguration {
	t.Helper()
	var out awsv1.KubeletConfiguration
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const everything = `{clusterDNS: [10.0.0.10], maxPods: 110, podsPerCore: 10, systemReserved: {cpu: 100m, pid: "100"}, kubeReserved: {memory: 1Gi, ephemeral-storage: 1Gi},
  evictionHard: {memory.available: 5%, pid.available: "100"}, evictionSoft: {nodefs.available: 10.5%, nodefs.inodesFree: 100%},
  evictionSoftGracePeriod: {nodefs.available: 1m, nodefs.inodesFree: 1m30s}, evictionMinimumReclaim: {imagefs.available: 2Gi, imagefs.inodesFree: 0%}, evictionMaxPodGracePeriod: 60,
  imageGCHighThresholdPercent: 85, imageGCLowThresholdPercent: 80, cpuCFSQuota: false,
  cpuManagerPolicy: static, featureGates: {NodeSwap: true}, memorySwap: {swapBehavior: LimitedSwap}, defaultPodSysctls: {net.core.somaxconn: "1024"},
  kind: KubeletConfiguration, apiVersion: kubelet.config.k8s.io/v1beta1, logging: {verbosity: 3}, shutdownGracePeriod: 30s, allowedUnsafeSysctls: [kernel.msg*]}`

// managedOnly is what every family but Bottlerocket is told.
const managedOnly = `{clusterDNS: [10.0.0.10], maxPods: 110, podsPerCore: 10, systemReserved: {cpu: 100m}, kubeReserved: {memory: 1Gi}, evictionHard: {memory.available: 5%},
  evictionSoft: {nodefs.available: 10%}, evictionSoftGracePeriod: {nodefs.available: 1m}, evictionMaxPodGracePeriod: 60, imageGCHighThresholdPercent: 85,
  imageGCLowThresholdPercent: 80, cpuCFSQuota: false}`

const unknownSignal = `"cpu.available" isn't a valid eviction signal, must be one of memory.available, nodefs.available, nodefs.inodesFree, imagefs.available, imagefs.inodesFree, pid.available`

func TestJudge(t *testing.T) {
	t.Parallel()
	const (
		invalid  = awsv1.ReasonInvalidKubeletConfiguration
		off      = awsv1.ReasonKubeletExpressionsDisabled
		wrong    = awsv1.ReasonKubeletExpressionInvalid
		unfitted = awsv1.ReasonUnsupportedKubeletConfiguration
		al2023   = awsv1.AMIFamilyAL2023
	)
	cases := map[string]struct {
		family, config string
		gate           bool
		reason, says   string // empty for nothing wrong; says has all parts of the message, separated by "; "
	}{
		"Nothing":    {family: al2023},
		"Everything": {family: al2023, config: everything},
		"Managed":    {family: awsv1.AMIFamilyAL2, config: managedOnly},
		"Custom":     {family: awsv1.AMIFamilyCustom, config: everything},
		"Null":       {family: al2023, config: `{maxPods: null, evictionSoft: null}`},

		"UnknownField": {
			al2023, `{cpuManagerPolcy: static}`, false, invalid, `spec.kubelet: unknown field "cpuManagerPolcy"`,
		},
		"UnknownNested": {
			al2023, `{memorySwap: {swap: x}}`, false, invalid, `spec.kubelet: unknown field "memorySwap.swap"`,
		},
		"WrongType": {
			al2023, `{podsPerCore: many}`, false, invalid,
			`spec.kubelet: json: cannot unmarshal string into Go struct field`,
		},
		"Taints": {
			al2023,
			`{registerWithTaints: []}`,
			false,
			invalid,
			"spec.kubelet.registerWithTaints: can't be set, Karpenter sets it from the NodeClaim's taints so the node " +
				"registers unschedulable until it's ready",
		},
		"SignalHard": {
			al2023, `{evictionHard: {cpu.available: 5%}}`, false, invalid,
			"spec.kubelet.evictionHard: " + unknownSignal,
		},
		"SignalReclaim": {
			al2023, `{evictionMinimumReclaim: {cpu.available: 5%}}`, false, invalid,
			"spec.kubelet.evictionMinimumReclaim: " + unknownSignal,
		},
		"SignalSoft": {
			al2023,
			`{evictionSoft: {cpu.available: 5%}, evictionSoftGracePeriod: {cpu.available: 1m}}`,
			false,
			invalid,
			"spec.kubelet.evictionSoft: " + unknownSignal + "; spec.kubelet.evictionSoftGracePeriod: " + unknownSignal,
		},
		"Over100": {
			al2023, `{evictionHard: {memory.available: 110%}}`, false, invalid,
			`spec.kubelet.evictionHard[memory.available]: "110%" must be a percentage or a resource quantity`,
		},
		"NoNumber": {
			al2023, `{evictionHard: {memory.available: NaN%}}`, false, invalid,
			`spec.kubelet.evictionHard[memory.available]: "NaN%" must be a percentage or a resource quantity`,
		},
		"NoQuantity": {
			al2023,
			`{evictionMinimumReclaim: {memory.available: some}}`,
			false,
			invalid,
			`spec.kubelet.evictionMinimumReclaim[memory.available]: "some" must be a percentage or a resource quantity`,
		},
		"NegativeLeft": {
			al2023, `{evictionHard: {memory.available: "-1Gi"}}`, false, invalid,
			`spec.kubelet.evictionHard[memory.available]: "-1Gi" can't be a negative resource quantity`,
		},
		"NoDuration": {
			al2023, `{evictionSoft: {pid.available: 5%}, evictionSoftGracePeriod: {pid.available: soon}}`, false,
			invalid, `spec.kubelet.evictionSoftGracePeriod[pid.available]: "soon" must be a duration`,
		},
		"NegativeGrace": {
			al2023, `{evictionSoft: {pid.available: 5%}, evictionSoftGracePeriod: {pid.available: -1m}}`, false,
			invalid, `spec.kubelet.evictionSoftGracePeriod[pid.available]: "-1m" can't be a negative duration`,
		},
		"NoGrace": {
			al2023, `{evictionSoft: {pid.available: 5%}}`, false, invalid,
			"spec.kubelet.evictionSoft[pid.available]: has no matching evictionSoftGracePeriod",
		},
		"NoSoft": {
			al2023, `{evictionSoftGracePeriod: {pid.available: 1m}}`, false, invalid,
			"spec.kubelet.evictionSoftGracePeriod[pid.available]: has no matching evictionSoft",
		},
		"Reserved": {
			al2023,
			`{kubeReserved: {gpu: "1"}}`,
			false,
			invalid,
			`spec.kubelet.kubeReserved: "gpu" isn't a reservable resource, must be one of cpu, memory, ephemeral-storage, pid`,
		},
		"ReservedBelow": {
			al2023, `{systemReserved: {cpu: "-1"}}`, false, invalid,
			`spec.kubelet.systemReserved[cpu]: "-1" can't be a negative resource quantity`,
		},
		"PercentHigh": {
			al2023, `{imageGCHighThresholdPercent: 101}`, false, invalid,
			"spec.kubelet.imageGCHighThresholdPercent: 101 must be between 0 and 100",
		},
		"PercentLow": {
			al2023, `{imageGCLowThresholdPercent: -1}`, false, invalid,
			"spec.kubelet.imageGCLowThresholdPercent: -1 must be between 0 and 100",
		},
		"ImagesEqual": {al2023, `{imageGCHighThresholdPercent: 80, imageGCLowThresholdPercent: 80}`, false, invalid,
			"spec.kubelet: imageGCHighThresholdPercent (80) must be greater than imageGCLowThresholdPercent (80)"},
		"PodsPerCore": {
			al2023,
			`{podsPerCore: -1}`,
			false,
			invalid,
			"spec.kubelet.podsPerCore: -1 can't be negative",
		},
		"PodGrace": {
			al2023, `{evictionMaxPodGracePeriod: -1}`, false, invalid,
			"spec.kubelet.evictionMaxPodGracePeriod: -1 can't be negative",
		},
		"MaxPods": {al2023, `{maxPods: -1}`, false, invalid, "spec.kubelet.maxPods: -1 can't be negative"},
		"Several": {al2023, `{podsPerCore: -1, what: 1, maxPods: vcpus}`, true, invalid,
			`spec.kubelet: unknown field "what"; spec.kubelet.podsPerCore: -1 can't be negative`},

		"ExpressionOff": {
			al2023, `{maxPods: "min(110, vcpus * 20)"}`, false, off,
			"spec.kubelet contains a CEL expression, but the NodeClassCEL feature gate is disabled",
		},
		"SlipOff": {
			al2023,
			`{kubeReserved: {cpu: 100mm}}`,
			false,
			off,
			`spec.kubelet contains a CEL expression, but the NodeClassCEL feature gate is disabled; spec.kubelet.kubeReserved[cpu] is "100mm", which is no quantity (such as 100m, 1Gi) and no expression`,
		},
		"QuotedOff": {al2023, `{maxPods: "110"}`, false, off, `spec.kubelet.maxPods is "110"`},
		"Expressions": {
			family: al2023,
			gate:   true,
			config: `{maxPods: "min(110, vcpus * 20)", kubeReserved: {cpu: "max(60, vcpus * 30)", memory: 1Gi}, systemReserved: {memory: "double(max_pods) * 1.5", pid: "max(1.5, 2)"}}`,
		},
		"Syntax": {
			al2023, `{kubeReserved: {cpu: "vcpus *"}}`, true, wrong,
			`spec.kubelet.kubeReserved[cpu]: "vcpus *" does not compile`,
		},
		"Undeclared": {
			al2023, `{systemReserved: {memory: bogus * 2}}`, true, wrong,
			`spec.kubelet.systemReserved[memory]: "bogus * 2" does not compile`,
		},
		"MixedArithmetic": {
			al2023, `{maxPods: vcpus * 1.5}`, true, wrong, `spec.kubelet.maxPods: "vcpus * 1.5" does not compile`,
		},
		"NotANumber": {al2023, `{maxPods: instance_type}`, true, wrong, "expression must return int or double"},

		"DroppedOnAL2": {
			awsv1.AMIFamilyAL2,
			`{cpuManagerPolicy: static, containerLogMaxFiles: 3}`,
			false,
			unfitted,
			"spec.kubelet has fields not applied by the AL2 AMI family that would be silently dropped: " +
				"containerLogMaxFiles, cpuManagerPolicy",
		},
		"DroppedOnBottle": {
			awsv1.AMIFamilyBottlerocket,
			`{podsPerCore: 2}`,
			false,
			unfitted,
			"spec.kubelet has fields not applied by the Bottlerocket AMI family that would be silently dropped: " +
				"podsPerCore",
		},
		"DroppedOnWindows": {
			awsv1.AMIFamilyWindows2025,
			`{seccompDefault: true}`,
			false,
			unfitted,
			"spec.kubelet has fields not applied by the Windows2025 AMI family that would be silently dropped: " +
				"seccompDefault",
		},
		"AddressesOnAL2023": {family: al2023, config: `{clusterDNS: [10.0.0.1, 10.0.0.2]}`},
		"AddressesElsewhere": {
			awsv1.AMIFamilyAL2, `{clusterDNS: [10.0.0.1, 10.0.0.2]}`, false, unfitted,
			"spec.kubelet.clusterDNS: the AL2 AMI family doesn't accept multiple entries, only one, but 2 were set",
		},
		"BottlerocketManaged": {
			family: awsv1.AMIFamilyBottlerocket, config: strings.Replace(managedOnly, "podsPerCore: 10, ", "", 1),
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Judge(read(t, tc.config), tc.family, tc.gate)
			if got == nil {
				got = &Refusal{}
			}
			if got.Reason != tc.reason {
				t.Fatalf("reason %q (%s), want %q", got.Reason, got.Message, tc.reason)
			}
			if !strings.Contains(
				got.Message, tc.says,
			) || tc.says != "" && !strings.HasPrefix(got.Message, "spec.kubelet") {
				t.Errorf("message\n%s\ndoes not say\n%s", got.Message, tc.says)
			}
		})
	}
}

func TestResolveRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	v := Variables{VCPUs: 2, MemoryMiB: 8192, MaxPods: 29, InstanceType: "m5.large"}
	for config, says := range map[string]string{
		`{maxPods: 0 - 1}`:                                          `spec.kubelet.maxPods: "0 - 1" for m5.large gives -1, must be from 0 to 2147483647`,
		`{maxPods: 2147483647 + 1}`:                                 "must be from 0 to",
		`{kubeReserved: {cpu: 0 - 1}}`:                              `spec.kubelet.kubeReserved[cpu]: "0 - 1" for m5.large gives -1, must not be negative`,
		`{systemReserved: {memory: 1048576 / (vcpus - vcpus)}}`:     "division by zero",
		`{systemReserved: {memory: 1.0 / 0.0}}`:                     "expression returned a non-finite value",
		`{systemReserved: {memory: 1e300 * 1.0}}`:                   "too large",
		`{systemReserved: {pid: 9223372036854775807 * memory_mib}}`: "overflow",
	} {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			s, err := Parse(read(t, config))
			if err == nil {
				_, err = s.Resolve(v, func(Settings) int64 { return 29 })
			}
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("error %v does not say %q", err, says)
			}
		})
	}
}

// A class is an input like any other: nobody may stop the controller with an endless formula.
func TestAnExpressionMayNotRunForEver(t *testing.T) {
	t.Parallel()
	list := "[" + strings.Repeat("1,", 99) + "1]"
	s, err := Parse(
		awsv1.KubeletConfiguration{
			"maxPods": {
				Raw: []byte(
					`"` + list + `.map(a, ` + list + `.map(b, ` + list + `.map(c, a*b*c).size()).size()).size()"`,
				),
			},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Resolve(
		Variables{InstanceType: "m5.large"}, func(Settings) int64 { return 0 },
	); err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("error %v, want one about the cost", err)
	}
}
