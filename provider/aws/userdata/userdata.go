// Package userdata writes what an instance is told at its first start, so that its node
// joins the cluster: in the form that the AMI family understands, merged with what the user
// wrote. Where both say something about joining, ours wins.
//
// It is text in, text out. Input that does not read is a *Malformed error which names the
// line where that is known.
package userdata

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider/aws/kubelet"
)

// MaxBytes is how long user data may be, before it is base64-encoded.
const MaxBytes = 16384

// Options is what goes into user data.
type Options struct {
	ClusterName string
	Endpoint    string
	CABundle    string // base64
	ServiceCIDR string
	DNS         []string // addresses of the cluster's DNS; those in Kubelet win

	Labels map[string]string
	Taints []corev1.Taint // startup taints included

	// Kubelet is what the class sets, worked out for the instance type; MaxPods counts instead of Kubelet's own.
	Kubelet kubelet.Settings
	MaxPods int64

	// KubeletConfig is all that the class sets, as written, for families that take every field.
	KubeletConfig awsv1.KubeletConfiguration

	RAID0 bool // join the disks inside the machine

	User string // what the user wrote, may be empty
}

// Malformed says what is wrong with the user's part.
type Malformed struct {
	Line   int // from 1; 0 if not known
	Detail string
}

// Error is the message for the EC2NodeClass's condition.
func (m *Malformed) Error() string {
	if m.Line > 0 {
		return fmt.Sprintf("userData, line %d: %s", m.Line, m.Detail)
	}
	return "userData: " + m.Detail
}

// TooLong is an error for user data of more than MaxBytes.
type TooLong struct{ Bytes int }

// Error is the message for the EC2NodeClass's condition.
func (t TooLong) Error() string {
	return fmt.Sprintf(
		"userData comes to %d bytes with what the node needs to join, AWS allows %d; shorten it, or download the rest "+
			"at start",
		t.Bytes,
		MaxBytes,
	)
}

// Render writes user data for an AMI family. The result is not yet base64-encoded.
func Render(family string, o Options) (string, error) {
	text, err := render(family, o)
	if err != nil {
		return "", err
	}
	if len(text) > MaxBytes {
		return "", TooLong{len(text)}
	}
	return text, nil
}

func render(family string, o Options) (string, error) {
	switch family {
	case awsv1.AMIFamilyAL2:
		return al2(o)
	case awsv1.AMIFamilyAL2023:
		return al2023(o)
	case awsv1.AMIFamilyBottlerocket:
		return bottlerocket(o)
	case awsv1.AMIFamilyWindows2019, awsv1.AMIFamilyWindows2022, awsv1.AMIFamilyWindows2025:
		return windows(o)
	case awsv1.AMIFamilyCustom:
		return o.User, nil
	}
	return "", fmt.Errorf("writing user data: there is no AMI family %q", family)
}

// nodeLabels are the labels that the node registers with, as the kubelet may set them.
func (o Options) nodeLabels() map[string]string {
	out := map[string]string{karpenterv1.NodeDoNotSyncTaintsLabelKey: "true"}
	for key, value := range o.Labels {
		if kubeletMaySet(key) {
			out[key] = value
		}
	}
	return out
}

// nodeTaints are the taints that the node registers with.
func (o Options) nodeTaints() []corev1.Taint {
	unregistered := karpenterv1.UnregisteredTaint()
	if slices.ContainsFunc(o.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&unregistered) }) {
		return o.Taints
	}
	return append(slices.Clone(o.Taints), unregistered)
}

// dns are the addresses of the cluster's DNS.
func (o Options) dns() []string {
	if len(o.Kubelet.ClusterDNS) > 0 {
		return o.Kubelet.ClusterDNS
	}
	return o.DNS
}

// ipv6 reports whether the cluster's services have IPv6 addresses.
func (o Options) ipv6() bool {
	dns := o.dns()
	if len(dns) == 0 {
		return false
	}
	ip, err := netip.ParseAddr(dns[0])
	return err == nil && ip.Is6()
}

// selfSet are labels of Kubernetes' own domains that a kubelet may give its node. See the
// NodeRestriction admission plugin.
var selfSet = map[string]bool{
	corev1.LabelHostname:                true,
	corev1.LabelArchStable:              true,
	corev1.LabelOSStable:                true,
	"beta.kubernetes.io/arch":           true,
	"beta.kubernetes.io/os":             true,
	corev1.LabelInstanceType:            true,
	corev1.LabelInstanceTypeStable:      true,
	corev1.LabelTopologyZone:            true,
	corev1.LabelTopologyRegion:          true,
	corev1.LabelFailureDomainBetaZone:   true,
	corev1.LabelFailureDomainBetaRegion: true,
	corev1.LabelWindowsBuild:            true,
}

func kubeletMaySet(key string) bool {
	domain := karpenterv1.LabelDomain(key)
	within := func(parent string) bool { return domain == parent || strings.HasSuffix(domain, "."+parent) }
	if within("kubelet.kubernetes.io") || within("node.kubernetes.io") || selfSet[key] {
		return true
	}
	return !within("kubernetes.io") && !within("k8s.io")
}

// kubeletArgs are the kubelet's flags for families that take flags. Equal input, equal text.
func (o Options) kubeletArgs() []string {
	var args []string
	add := func(flag, value string) {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	add("node-labels", pairs(o.nodeLabels(), "="))
	add("register-with-taints", taintList(o.nodeTaints()))
	add("max-pods", strconv.FormatInt(o.MaxPods, 10))
	k := o.Kubelet
	if k.PodsPerCore != nil {
		add("pods-per-core", strconv.Itoa(int(*k.PodsPerCore)))
	}
	add("system-reserved", pairs(k.SystemReserved, "="))
	add("kube-reserved", pairs(k.KubeReserved, "="))
	add("eviction-hard", pairs(k.EvictionHard, "<"))
	add("eviction-soft", pairs(k.EvictionSoft, "<"))
	add("eviction-soft-grace-period", pairs(gracePeriods(k), "="))
	if k.EvictionMaxPodGracePeriod != nil {
		add("eviction-max-pod-grace-period", strconv.Itoa(int(*k.EvictionMaxPodGracePeriod)))
	}
	if k.ImageGCHighThresholdPercent != nil {
		add("image-gc-high-threshold", strconv.Itoa(int(*k.ImageGCHighThresholdPercent)))
	}
	if k.ImageGCLowThresholdPercent != nil {
		add("image-gc-low-threshold", strconv.Itoa(int(*k.ImageGCLowThresholdPercent)))
	}
	if k.CPUCFSQuota != nil {
		add("cpu-cfs-quota", strconv.FormatBool(*k.CPUCFSQuota))
	}
	return args
}

func gracePeriods(k kubelet.Settings) map[string]string {
	out := map[string]string{}
	for signal, d := range k.EvictionSoftGracePeriod {
		out[signal] = d.Duration.String()
	}
	return out
}

// pairs joins a map as "a=1,b=2", ascending by key.
func pairs[V ~string](m map[string]V, sign string) string {
	out := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+sign+string(m[key]))
	}
	return strings.Join(out, ",")
}

func taintList(taints []corev1.Taint) string {
	out := make([]string, len(taints))
	for i, t := range taints {
		out[i] = fmt.Sprintf("%s=%s:%s", t.Key, t.Value, t.Effect)
	}
	return strings.Join(out, ",")
}
