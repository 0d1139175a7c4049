package kwok

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
	"github.com/dovetail-sh/dovetail/provider"
)

// Annotations on Nodes, by which a machine is known again.
const (
	claimAnnotation = v1alpha1.Group + "/nodeclaim"
	// goneAnnotation marks a Node whose machine was given back. The Node itself may stay on
	// for as long as a finalizer holds it.
	goneAnnotation = v1alpha1.Group + "/terminated"
)

// scheme of provider IDs; the Node's name follows.
const idPrefix = "kwok://"

// partitions that PartitionLabelKey spreads nodes over.
const partitions = "abcdefghij"

// nodeName follows from the token alone, so that launching again finds the same Node.
func nodeName(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "kwok-" + hex.EncodeToString(sum[:6])
}

func providerID(name string) string { return idPrefix + name }

// nodeOf reads a provider ID. It is false for the IDs of other clouds.
func nodeOf(id string) (name string, ok bool) {
	name, ok = strings.CutPrefix(id, idPrefix)
	return name, ok && name != ""
}

// labelsFor are all labels that the machine brings to its node.
func labelsFor(c provider.Candidate, name string) map[string]string {
	labels := c.Labels()
	labels[v1alpha1.NodeLabelKey] = v1alpha1.NodeLabelValue
	labels[v1alpha1.PriceLabelKey] = c.Offering.Price.String()
	labels[v1alpha1.PartitionLabelKey] = partitionOf(name)
	return labels
}

func partitionOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return string(partitions[int(sum[0])%len(partitions)])
}

// newNode is the Node as a kubelet would register it.
func newNode(claim *karpenterv1.NodeClaim, m provider.Machine) *corev1.Node {
	name, _ := nodeOf(m.ProviderID)
	labels := maps.Clone(claim.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	maps.Copy(labels, m.Labels)
	labels[corev1.LabelHostname] = name
	annotations := maps.Clone(claim.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.NodeLabelKey] = v1alpha1.NodeLabelValue
	annotations[claimAnnotation] = claim.Name
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels, Annotations: annotations},
		Spec: corev1.NodeSpec{
			ProviderID: m.ProviderID,
			Taints: slices.Concat(
				karpenterv1.CoreTaints(claim.Spec.Taints),
				karpenterv1.CoreTaints(claim.Spec.StartupTaints),
				[]corev1.Taint{karpenterv1.UnregisteredTaint()},
			),
		},
		Status: corev1.NodeStatus{
			Capacity:    m.Capacity,
			Allocatable: m.Allocatable,
			Phase:       corev1.NodePending,
			// As of every machine that booted; Reboot gives it another one.
			NodeInfo: corev1.NodeSystemInfo{BootID: "kwok-" + claim.Name},
		},
	}
}

// machineOf reads a machine off its Node.
func machineOf(node *corev1.Node) provider.Machine {
	return describe(provider.Machine{
		ProviderID:  node.Spec.ProviderID,
		State:       provider.Running,
		Launched:    node.CreationTimestamp.Time,
		Claim:       node.Annotations[claimAnnotation],
		Labels:      maps.Clone(node.Labels),
		Capacity:    node.Status.Capacity,
		Allocatable: node.Status.Allocatable,
	})
}

// pendingMachine reads a machine off its claim, while it has no Node yet.
func pendingMachine(claim *karpenterv1.NodeClaim, launched metav1.Time) provider.Machine {
	return describe(provider.Machine{
		ProviderID:  claim.Status.ProviderID,
		State:       provider.Pending,
		Launched:    launched.Time,
		Claim:       claim.Name,
		Labels:      maps.Clone(claim.Labels),
		Capacity:    claim.Status.Capacity,
		Allocatable: claim.Status.Allocatable,
	})
}

// describe fills in what the labels say.
func describe(m provider.Machine) provider.Machine {
	m.Pool = m.Labels[karpenterv1.NodePoolLabelKey]
	m.InstanceType = m.Labels[corev1.LabelInstanceTypeStable]
	m.Zone = m.Labels[corev1.LabelTopologyZone]
	m.CapacityType = m.Labels[karpenterv1.CapacityTypeLabelKey]
	return m
}
