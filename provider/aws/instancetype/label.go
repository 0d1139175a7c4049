package instancetype

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/catalog"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// typeName splits names like m5.large, u-6tb1.metal and im4gn.xlarge into category letters,
// an optional amount of memory, and generation.
var typeName = regexp.MustCompile(`^([a-z]+)(?:-[0-9]+tb)?([0-9]+).*\.`)

// labelsOf lists what is known of the type's labels, one requirement for each key, ascending.
// Labels that do not apply are there as DoesNotExist, so that a wish for them is refused.
func labelsOf(info ec2types.InstanceTypeInfo, s Setup) []shape.Requirement {
	set := map[string]string{}
	for _, add := range []func(ec2types.InstanceTypeInfo, map[string]string){nameLabels, machineLabels, gpuLabels,
		acceleratorLabels} {
		add(info, set)
	}
	set[corev1.LabelTopologyRegion] = s.Region
	systemLabels(info, s.Family, set)

	keys := spokenOf()
	out := make([]shape.Requirement, len(keys))
	for i, key := range keys {
		out[i] = shape.Requirement{Key: key, Operator: shape.DoesNotExist}
		if value := set[key]; value != "" {
			out[i] = shape.Requirement{Key: key, Operator: shape.In, Values: []string{value}}
		}
	}
	if s.Family != awsv1.AMIFamilyCustom { // whose user data is the user's
		out = append(
			out,
			shape.Requirement{
				Key:      karpenterv1.NodeDoNotSyncTaintsLabelKey,
				Operator: shape.In,
				Values:   []string{"true"},
			},
		)
		slices.SortFunc(out, func(a, b shape.Requirement) int { return strings.Compare(a.Key, b.Key) })
	}
	return out
}

// spokenOf are the labels that every type says something about, ascending. The zone's ID and
// the tenancy are the offerings'.
var spokenOf = sync.OnceValue(func() []string {
	keys := awsv1.LabelRules().WellKnown.Insert(corev1.LabelInstanceTypeStable, corev1.LabelArchStable,
		corev1.LabelOSStable, corev1.LabelTopologyRegion, corev1.LabelWindowsBuild)
	return sets.List(keys.Delete(awsv1.LabelTopologyZoneID, awsv1.LabelInstanceTenancy))
})

func nameLabels(info ec2types.InstanceTypeInfo, set map[string]string) {
	name := string(info.InstanceType)
	set[corev1.LabelInstanceTypeStable] = name
	if m := typeName.FindStringSubmatch(name); m != nil {
		set[awsv1.LabelInstanceCategory], set[awsv1.LabelInstanceGeneration] = m[1], m[2]
	}
	family := familyOf(name)
	set[awsv1.LabelInstanceFamily] = family
	set[awsv1.LabelInstanceSize] = strings.TrimPrefix(name, family+".")
	set[awsv1.LabelInstanceCapabilityFlex] = strconv.FormatBool(strings.Contains(family, "-flex"))
}

func familyOf(name string) string {
	family, _, _ := strings.Cut(name, ".")
	return family
}

func isMetal(size string) bool { return strings.HasPrefix(size, "metal") }

func machineLabels(info ec2types.InstanceTypeInfo, set map[string]string) {
	set[corev1.LabelArchStable] = arch(info)
	set[awsv1.LabelInstanceHypervisor] = string(info.Hypervisor)
	set[awsv1.LabelInstanceCPU] = strconv.Itoa(int(vcpus(info)))
	set[awsv1.LabelInstanceMemory] = strconv.FormatInt(nominalMiB(info), 10)
	if p := info.ProcessorInfo; p != nil {
		set[awsv1.LabelInstanceCPUManufacturer] = kebab(deref(p.Manufacturer))
		if ghz := deref(p.SustainedClockSpeedInGhz); ghz > 0 {
			set[awsv1.LabelInstanceCPUSustainedClockSpeedMhz] = strconv.Itoa(int(math.Round(ghz * 1000)))
		}
	}
	encrypted := info.NetworkInfo != nil && deref(info.NetworkInfo.EncryptionInTransitSupported)
	set[awsv1.LabelInstanceEncryptionInTransitSupported] = strconv.FormatBool(encrypted)
	if mbps := ebsMbps(info); mbps > 0 {
		set[awsv1.LabelInstanceEBSBandwidth] = strconv.Itoa(int(mbps))
	}
	if mbps := networkMbps(info); mbps > 0 {
		set[awsv1.LabelInstanceNetworkBandwidth] = strconv.Itoa(mbps)
	}
	if gb := nvmeGB(info); gb > 0 {
		set[awsv1.LabelInstanceLocalNVME] = strconv.FormatInt(gb, 10)
	}
}

func ebsMbps(info ec2types.InstanceTypeInfo) int32 {
	e := info.EbsInfo
	if e == nil || e.EbsOptimizedInfo == nil || e.EbsOptimizedSupport == ec2types.EbsOptimizedSupportUnsupported {
		return 0
	}
	return deref(e.EbsOptimizedInfo.MaximumBandwidthInMbps)
}

// networkMbps is the bandwidth that lasts. EC2 tells it for each card; where it does not,
// the catalogue does.
func networkMbps(info ec2types.InstanceTypeInfo) int {
	sum := 0.0
	if info.NetworkInfo != nil {
		for _, card := range info.NetworkInfo.NetworkCards {
			sum += deref(card.BaselineBandwidthInGbps)
		}
	}
	if sum > 0 {
		return int(math.Round(sum * 1000))
	}
	if t, ok := catalog.Lookup(string(info.InstanceType)); ok {
		return t.Network.BaselineMbps
	}
	return 0
}

// gpuLabels are set when the type has GPUs of one kind.
func gpuLabels(info ec2types.InstanceTypeInfo, set map[string]string) {
	if info.GpuInfo == nil || len(info.GpuInfo.Gpus) != 1 {
		return
	}
	g := info.GpuInfo.Gpus[0]
	set[awsv1.LabelInstanceGPUName] = kebab(deref(g.Name))
	set[awsv1.LabelInstanceGPUManufacturer] = kebab(deref(g.Manufacturer))
	set[awsv1.LabelInstanceGPUCount] = strconv.Itoa(int(deref(g.Count)))
	if g.MemoryInfo != nil {
		set[awsv1.LabelInstanceGPUMemory] = strconv.Itoa(int(deref(g.MemoryInfo.SizeInMiB)))
	}
}

func acceleratorLabels(info ec2types.InstanceTypeInfo, set map[string]string) {
	name, maker, count := "", "AWS", int32(0)
	switch {
	case info.NeuronInfo != nil && len(info.NeuronInfo.NeuronDevices) == 1:
		d := info.NeuronInfo.NeuronDevices[0]
		name, count = deref(d.Name), deref(d.Count)
	case info.InferenceAcceleratorInfo != nil && len(info.InferenceAcceleratorInfo.Accelerators) == 1:
		a := info.InferenceAcceleratorInfo.Accelerators[0]
		name, maker, count = deref(a.Name), deref(a.Manufacturer), deref(a.Count)
	default:
		return
	}
	set[awsv1.LabelInstanceAcceleratorName] = kebab(name)
	set[awsv1.LabelInstanceAcceleratorManufacturer] = kebab(maker)
	set[awsv1.LabelInstanceAcceleratorCount] = strconv.Itoa(int(count))
}

// kebab is a product's name as a label's value.
func kebab(name string) string {
	return strings.ToLower(strings.Join(strings.Fields(name), "-"))
}
