package v1

import corev1 "k8s.io/api/core/v1"

// Operators that requirements have on top of those of node affinity.
const (
	// OpGte accepts values of at least the given integer.
	OpGte corev1.NodeSelectorOperator = "Gte"
	// OpLte accepts values of at most the given integer.
	OpLte corev1.NodeSelectorOperator = "Lte"
)

// Requirement says which values of a label a node may have.
type Requirement struct {
	// Key is the label.
	// +kubebuilder:validation:MaxLength=316
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(\/))?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`
	// +kubebuilder:validation:XValidation:message="label domain karpenter.sh is reserved, except for karpenter.sh/capacity-type",rule="self in [\"karpenter.sh/capacity-type\", \"karpenter.sh/nodepool\"] || !self.find(\"^([^/]+)\").endsWith(\"karpenter.sh\")"
	// +kubebuilder:validation:XValidation:message="label kubernetes.io/hostname differs on every node, so it cannot be used here",rule="self != \"kubernetes.io/hostname\""
	// +kubebuilder:validation:XValidation:message="label domain karpenter.k8s.aws is reserved, except for the labels that instance types have",rule="self in [\"karpenter.k8s.aws/capacity-reservation-id\", \"karpenter.k8s.aws/capacity-reservation-interruptible\", \"karpenter.k8s.aws/capacity-reservation-type\", \"karpenter.k8s.aws/ec2nodeclass\", \"karpenter.k8s.aws/instance-accelerator-count\", \"karpenter.k8s.aws/instance-accelerator-manufacturer\", \"karpenter.k8s.aws/instance-accelerator-name\", \"karpenter.k8s.aws/instance-capability-flex\", \"karpenter.k8s.aws/instance-category\", \"karpenter.k8s.aws/instance-cpu\", \"karpenter.k8s.aws/instance-cpu-manufacturer\", \"karpenter.k8s.aws/instance-cpu-sustained-clock-speed-mhz\", \"karpenter.k8s.aws/instance-ebs-bandwidth\", \"karpenter.k8s.aws/instance-encryption-in-transit-supported\", \"karpenter.k8s.aws/instance-family\", \"karpenter.k8s.aws/instance-generation\", \"karpenter.k8s.aws/instance-gpu-count\", \"karpenter.k8s.aws/instance-gpu-manufacturer\", \"karpenter.k8s.aws/instance-gpu-memory\", \"karpenter.k8s.aws/instance-gpu-name\", \"karpenter.k8s.aws/instance-hypervisor\", \"karpenter.k8s.aws/instance-local-nvme\", \"karpenter.k8s.aws/instance-memory\", \"karpenter.k8s.aws/instance-network-bandwidth\", \"karpenter.k8s.aws/instance-size\", \"karpenter.k8s.aws/instance-tenancy\", \"karpenter.k8s.aws/placement-group-id\", \"karpenter.k8s.aws/placement-group-partition\"] || !self.find(\"^([^/]+)\").endsWith(\"karpenter.k8s.aws\")"
	// +required
	Key string `json:"key"`

	// Operator relates the label to the values: In, NotIn, Exists, DoesNotExist,
	// or one of the integer comparisons Gt, Lt, Gte, Lte.
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist;Gt;Lt;Gte;Lte
	// +required
	Operator corev1.NodeSelectorOperator `json:"operator"`

	// Values of the label. In needs at least one; Gt, Lt, Gte and Lte need exactly
	// one integer of 0 or more; Exists and DoesNotExist take none.
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
	// +optional
	// +listType=atomic
	Values []string `json:"values,omitempty"`

	// MinValues is how many different values of the label the offered instance
	// types must cover, so that a launch stays flexible. This field is alpha.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=50
	// +optional
	MinValues *int `json:"minValues,omitempty"`
}
