package awspeer

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Meant is a difference as docs/karpenter-oracle.md names it.
type Meant struct {
	Name string

	// is is told what follows "capacity" or "allocatable", and "label", in what differs; else they are empty.
	is func(d Difference, amount, label string) bool
}

// meant is found by what the value, the type and the class are, never by the type's name.
var meant = []Meant{
	{"windows: types that do not run it have no system, no addresses and no launch", noWindows},
	{"taints: images that register a node with all of its taints say so", func(d Difference, _, label string) bool {
		return label == karpenterv1.NodeDoNotSyncTaintsLabelKey && d.Class.AMIFamily() != awsv1.AMIFamilyCustom
	}},
	{"bare metal: it has no hypervisor, not one without a name", func(d Difference, _, label string) bool {
		return label == awsv1.LabelInstanceHypervisor && d.Bare && d.Ours == ""
	}},
	{"bare metal: it tracks connections as the class says", func(d Difference, _, _ string) bool {
		return d.What == launched && d.Class.Spec.ConnectionTracking != nil && d.Bare && d.Ours == "true"
	}},
	{"clock speed: a type of which none is known has no label", func(d Difference, _, label string) bool {
		return label == awsv1.LabelInstanceCPUSustainedClockSpeedMhz && d.Ours == "" && d.Theirs == "[0]"
	}},
	{"instance store: only NVMe disks become part of a RAID", func(d Difference, amount, _ string) bool {
		return amount == string(corev1.ResourceEphemeralStorage) && d.Class.Spec.InstanceStorePolicy != nil && !d.NVMe
	}},
	{"memory: start-up scripts reserve for the addresses of all interfaces that the type has", allInterfaces},
	{"amounts: nothing is left rather than less than nothing", func(d Difference, amount, _ string) bool {
		return amount != "" && d.Ours == "0" && strings.HasPrefix(d.Theirs, "-")
	}},
	{"network bandwidth: what EC2 tells counts, offline the catalogue", func(_ Difference, _, label string) bool {
		return label == awsv1.LabelInstanceNetworkBandwidth
	}},
	{"branch interfaces: the catalogue has another edition of AWS's list", func(d Difference, amount, _ string) bool {
		return amount == string(awsv1.ResourcePodENI) && (d.Ours == "0" || d.Theirs == "0")
	}},
}

func noWindows(d Difference, amount, label string) bool {
	if !strings.HasPrefix(d.Class.AMIFamily(), "Windows") || d.Boots {
		return false
	}
	return label == corev1.LabelOSStable || label == corev1.LabelWindowsBuild ||
		amount == string(awsv1.ResourcePrivateIPv4Address) || d.What == launched && d.Ours == "false"
}

func allInterfaces(d Difference, _, _ string) bool {
	return d.What == "allocatable memory" && less(d.Ours, d.Theirs) &&
		slices.ContainsFunc(d.Class.Spec.NetworkInterfaces, func(n awsv1.NetworkInterface) bool {
			return n.NetworkCardIndex == 0 && n.InterfaceType == awsv1.InterfaceTypeEFAOnly
		})
}

const launched = "launched"

// less compares two numbers without a sign.
func less(a, b string) bool {
	return len(a) < len(b) || len(a) == len(b) && a < b
}

// Name is what a difference is called if it is meant.
func (d Difference) Name() (name string, ok bool) {
	_, label, _ := strings.Cut(d.What, "label ")
	amount := ""
	for _, what := range []string{"capacity ", "allocatable "} {
		if _, name, found := strings.Cut(d.What, what); found {
			amount = name
		}
	}
	i := slices.IndexFunc(meant, func(m Meant) bool { return m.is(d, amount, label) })
	if i < 0 {
		return "", false
	}
	return meant[i].Name, true
}
