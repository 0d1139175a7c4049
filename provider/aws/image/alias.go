package image

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// parameter is an SSM parameter that holds an image, and what a type must be to run it.
type parameter struct {
	path         string
	requirements []corev1.NodeSelectorRequirement
}

// hardware is what an image brings drivers for.
type hardware int

const (
	anyHardware hardware = iota
	plain
	plainOrNeuron
	nvidia
	nvidiaOrNeuron
	neuron
)

var architectures = []struct{ label, aws string }{
	{karpenterv1.ArchitectureAmd64, "x86_64"},
	{karpenterv1.ArchitectureArm64, "arm64"},
}

// Unsupported says why an alias cannot be used with this version of Kubernetes, and what to do.
type Unsupported struct{ Message string }

// Error is the message.
func (u Unsupported) Error() string { return u.Message }

// parameters lists what an alias stands for on one version of Kubernetes, such as "1.36"; empty is one that has them
// all.
func parameters(alias awsv1.Alias, version string) ([]parameter, error) {
	switch alias.Family {
	case awsv1.AMIFamilyAL2:
		if minor(version) >= 33 {
			return nil, Unsupported{
				fmt.Sprintf(
					"alias %s is not published for Kubernetes %s; use al2023@latest, or name the AMI by id",
					alias,
					version,
				),
			}
		}
		return al2(alias, version), nil
	case awsv1.AMIFamilyAL2023:
		return al2023(alias, version), nil
	case awsv1.AMIFamilyBottlerocket:
		return bottlerocket(alias, version), nil
	case awsv1.AMIFamilyWindows2019:
		return windows("2019", version), nil
	case awsv1.AMIFamilyWindows2022:
		return windows("2022", version), nil
	case awsv1.AMIFamilyWindows2025:
		if version != "" && minor(version) < 35 {
			return nil, Unsupported{
				fmt.Sprintf(
					"alias %s is published from Kubernetes 1.35 on, this is %s; use windows2022@latest",
					alias,
					version,
				),
			}
		}
		return windows("2025", version), nil
	}
	return nil, Unsupported{fmt.Sprintf("alias %s is of no family that has aliases", alias)}
}

func al2(alias awsv1.Alias, version string) []parameter {
	path := func(suffix string) string {
		leaf := "recommended"
		if alias.Version != awsv1.AliasVersionLatest {
			leaf = fmt.Sprintf("amazon-eks%s-node-%s-%s", suffix, version, alias.Version)
		}
		return fmt.Sprintf("/aws/service/eks/optimized-ami/%s/amazon-linux-2%s/%s/image_id", version, suffix, leaf)
	}
	return append([]parameter{
		{path(""), needs(karpenterv1.ArchitectureAmd64, plain)},
		{path("-arm64"), needs(karpenterv1.ArchitectureArm64, plain)},
	}, alternatives(path("-gpu"), karpenterv1.ArchitectureAmd64, nvidiaOrNeuron)...)
}

func al2023(alias awsv1.Alias, version string) []parameter {
	path := func(arch, variant string) string {
		leaf := "recommended"
		if alias.Version != awsv1.AliasVersionLatest {
			leaf = fmt.Sprintf("amazon-eks-node-al2023-%s-%s-%s-%s", arch, variant, version, alias.Version)
		}
		return fmt.Sprintf(
			"/aws/service/eks/optimized-ami/%s/amazon-linux-2023/%s/%s/%s/image_id",
			version,
			arch,
			variant,
			leaf,
		)
	}
	var out []parameter
	for _, arch := range architectures {
		out = append(out,
			parameter{path(arch.aws, "standard"), needs(arch.label, plain)},
			parameter{path(arch.aws, "nvidia"), needs(arch.label, nvidia)})
	}
	return append(out, parameter{path("x86_64", "neuron"), needs(karpenterv1.ArchitectureAmd64, neuron)})
}

func bottlerocket(alias awsv1.Alias, version string) []parameter {
	release := strings.TrimPrefix(alias.Version, "v")
	path := func(variant, arch string) string {
		return fmt.Sprintf("/aws/service/bottlerocket/aws-k8s-%s%s/%s/%s/image_id", version, variant, arch, release)
	}
	var out []parameter
	for _, arch := range architectures {
		standard := plain
		if arch.label == karpenterv1.ArchitectureAmd64 {
			standard = plainOrNeuron
		}
		out = append(out, alternatives(path("", arch.aws), arch.label, standard)...)
		out = append(out, parameter{path("-nvidia", arch.aws), needs(arch.label, nvidia)})
	}
	return out
}

var windowsBuilds = map[string]string{
	"2019": awsv1.Windows2019Build, "2022": awsv1.Windows2022Build, "2025": awsv1.Windows2025Build,
}

func windows(year, version string) []parameter {
	return []parameter{
		{
			fmt.Sprintf(
				"/aws/service/ami-windows-latest/Windows_Server-%s-English-Core-EKS_Optimized-%s/image_id",
				year,
				version,
			),
			append(
				needs(karpenterv1.ArchitectureAmd64, anyHardware),
				corev1.NodeSelectorRequirement{
					Key:      corev1.LabelOSStable,
					Operator: corev1.NodeSelectorOpIn,
					Values:   []string{string(corev1.Windows)},
				},
				corev1.NodeSelectorRequirement{
					Key:      corev1.LabelWindowsBuild,
					Operator: corev1.NodeSelectorOpIn,
					Values:   []string{windowsBuilds[year]},
				},
			),
		},
	}
}

// alternatives splits an image that serves two kinds of hardware, since requirements have no "or".
func alternatives(path, arch string, h hardware) []parameter {
	switch h {
	case plainOrNeuron:
		return []parameter{{path, needs(arch, plain)}, {path, needs(arch, neuron)}}
	case nvidiaOrNeuron:
		return []parameter{{path, needs(arch, nvidia)}, {path, needs(arch, neuron)}}
	}
	return []parameter{{path, needs(arch, h)}}
}

// needs says what a type must be to run an image for one architecture and kind of hardware.
func needs(arch string, h hardware) []corev1.NodeSelectorRequirement {
	out := []corev1.NodeSelectorRequirement{
		{Key: corev1.LabelArchStable, Operator: corev1.NodeSelectorOpIn, Values: []string{arch}},
	}
	switch h {
	case plain:
		out = append(
			out,
			corev1.NodeSelectorRequirement{
				Key:      awsv1.LabelInstanceGPUCount,
				Operator: corev1.NodeSelectorOpDoesNotExist,
			},
			corev1.NodeSelectorRequirement{
				Key:      awsv1.LabelInstanceAcceleratorCount,
				Operator: corev1.NodeSelectorOpDoesNotExist,
			},
		)
	case nvidia:
		out = append(
			out,
			corev1.NodeSelectorRequirement{Key: awsv1.LabelInstanceGPUCount, Operator: corev1.NodeSelectorOpExists},
		)
	case neuron:
		out = append(
			out,
			corev1.NodeSelectorRequirement{
				Key:      awsv1.LabelInstanceAcceleratorCount,
				Operator: corev1.NodeSelectorOpExists,
			},
		)
	}
	return out
}

// minor is the minor version of "1.36", 0 if it does not read.
func minor(version string) int {
	_, text, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}
