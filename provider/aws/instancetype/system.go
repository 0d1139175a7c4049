package instancetype

import (
	"regexp"
	"slices"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// windowsBuild is the build of Windows that each family runs.
var windowsBuild = map[string]string{
	awsv1.AMIFamilyWindows2019: awsv1.Windows2019Build,
	awsv1.AMIFamilyWindows2022: awsv1.Windows2022Build,
	awsv1.AMIFamilyWindows2025: awsv1.Windows2025Build,
}

// noWindows are the families of types of which RunInstances says that they do not run Windows: those with Gaudi,
// Neuron, video and FPGA accelerators, and the larger GPU machines (EC2's price list has no Windows price for them),
// and older ones that EKS's guide to Windows nodes rules out.
var noWindows = regexp.MustCompile(`^(dl[0-9]|f[12]\.|inf|trn|vt[0-9]|p4d|p[5-9]|c[34]\.|d2\.|i2\.|m4\.|r3\.)`)

// windowsToo is the one type of its family that EKS's guide lets run Windows.
const windowsToo = "m4.16xlarge"

// systemLabels are the operating system and its build, of types that the family has a system for: others have neither
// label.
func systemLabels(info ec2types.InstanceTypeInfo, family string, set map[string]string) {
	build, windows := windowsBuild[family]
	switch {
	case !windows:
		set[corev1.LabelOSStable] = string(corev1.Linux)
	case runsWindows(info):
		set[corev1.LabelOSStable], set[corev1.LabelWindowsBuild] = string(corev1.Windows), build
	}
}

// boots reports whether some image of the family starts on the type.
func boots(info ec2types.InstanceTypeInfo, family string) bool {
	if arch(info) == "" {
		return false // a Mac, or 32 bits only
	}
	if _, windows := windowsBuild[family]; windows {
		return runsWindows(info)
	}
	// The first Graviton cannot run AL2023's kernel, which is built for a later ARM revision.
	return family != awsv1.AMIFamilyAL2023 || familyOf(string(info.InstanceType)) != "a1"
}

func runsWindows(info ec2types.InstanceTypeInfo) bool {
	name := string(info.InstanceType)
	return arch(info) == karpenterv1.ArchitectureAmd64 && (name == windowsToo || !noWindows.MatchString(name))
}

// arch is the architecture as Kubernetes spells it. Types that run both are amd64.
func arch(info ec2types.InstanceTypeInfo) string {
	if info.ProcessorInfo == nil {
		return ""
	}
	switch supported := info.ProcessorInfo.SupportedArchitectures; {
	case slices.Contains(supported, ec2types.ArchitectureTypeX8664):
		return karpenterv1.ArchitectureAmd64
	case slices.Contains(supported, ec2types.ArchitectureTypeArm64):
		return karpenterv1.ArchitectureArm64
	}
	return ""
}
