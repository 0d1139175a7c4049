package v1alpha1

import (
	"k8s.io/apimachinery/pkg/util/sets"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Labels of instance types, which pods and NodePools may select by.
const (
	InstanceSizeLabelKey   = Group + "/instance-size"
	InstanceFamilyLabelKey = Group + "/instance-family"
	// InstanceMemoryLabelKey is in MiB.
	InstanceMemoryLabelKey = Group + "/instance-memory"
	// InstanceCPULabelKey is in cores.
	InstanceCPULabelKey = Group + "/instance-cpu"
)

// Labels that only mark the nodes.
const (
	// NodeLabelKey tells the KWOK controller which nodes to keep alive.
	NodeLabelKey   = "kwok.x-k8s.io/node"
	NodeLabelValue = "fake"
	// PriceLabelKey carries the price per hour for tools that show costs.
	PriceLabelKey = "eks-node-viewer/instance-price"
	// PartitionLabelKey spreads nodes over several KWOK controllers.
	PartitionLabelKey = "kwok-partition"
)

// LabelRules are the label rules that KWOK nodes add to karpenterv1.CoreLabelRules.
func LabelRules() karpenterv1.LabelRules {
	return karpenterv1.LabelRules{
		WellKnown: sets.New(
			InstanceSizeLabelKey,
			InstanceFamilyLabelKey,
			InstanceMemoryLabelKey,
			InstanceCPULabelKey,
		),
		Reserved: sets.New(Group),
	}
}
