package v1alpha1

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Annotations on NodeClaims that an overlay took part in.
const (
	// PriceOverlayAppliedAnnotationKey is set when a price came from an overlay.
	PriceOverlayAppliedAnnotationKey = Group + "/price-overlay-applied"
	// CapacityOverlayAppliedAnnotationKey is set when capacity came from an overlay.
	CapacityOverlayAppliedAnnotationKey = Group + "/capacity-overlay-applied"
)

// Condition types and reasons of NodeOverlay.
const (
	// ConditionReady rolls up ConditionValidationSucceeded.
	ConditionReady = "Ready"
	// ConditionValidationSucceeded is False when the overlay is ignored: see the reasons.
	ConditionValidationSucceeded = "ValidationSucceeded"

	// ReasonConflict means another overlay of the same weight sets the same field of the same offering.
	ReasonConflict = "Conflict"
	// ReasonRuntimeValidation means the spec breaks a rule that the schema cannot state.
	ReasonRuntimeValidation = "RuntimeValidation"
)

// Requirement says which values of a label an instance type may have for the
// overlay to apply to it.
type Requirement struct {
	// Key is the label.
	// +kubebuilder:validation:MaxLength=316
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(\/))?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`
	// +kubebuilder:validation:XValidation:message="label domain karpenter.sh is reserved, except for karpenter.sh/capacity-type and karpenter.sh/nodepool",rule="self in [\"karpenter.sh/capacity-type\", \"karpenter.sh/nodepool\"] || !self.find(\"^([^/]+)\").endsWith(\"karpenter.sh\")"
	// +kubebuilder:validation:XValidation:message="label kubernetes.io/hostname differs on every node, so it cannot be used here",rule="self != \"kubernetes.io/hostname\""
	// +kubebuilder:validation:XValidation:message="label domain karpenter.k8s.aws is reserved, except for the labels that instance types have",rule="self in [\"karpenter.k8s.aws/ec2nodeclass\", \"karpenter.k8s.aws/instance-accelerator-count\", \"karpenter.k8s.aws/instance-accelerator-manufacturer\", \"karpenter.k8s.aws/instance-accelerator-name\", \"karpenter.k8s.aws/instance-capability-flex\", \"karpenter.k8s.aws/instance-category\", \"karpenter.k8s.aws/instance-cpu\", \"karpenter.k8s.aws/instance-cpu-manufacturer\", \"karpenter.k8s.aws/instance-cpu-sustained-clock-speed-mhz\", \"karpenter.k8s.aws/instance-ebs-bandwidth\", \"karpenter.k8s.aws/instance-encryption-in-transit-supported\", \"karpenter.k8s.aws/instance-family\", \"karpenter.k8s.aws/instance-generation\", \"karpenter.k8s.aws/instance-gpu-count\", \"karpenter.k8s.aws/instance-gpu-manufacturer\", \"karpenter.k8s.aws/instance-gpu-memory\", \"karpenter.k8s.aws/instance-gpu-name\", \"karpenter.k8s.aws/instance-hypervisor\", \"karpenter.k8s.aws/instance-local-nvme\", \"karpenter.k8s.aws/instance-memory\", \"karpenter.k8s.aws/instance-network-bandwidth\", \"karpenter.k8s.aws/instance-size\"] || !self.find(\"^([^/]+)\").endsWith(\"karpenter.k8s.aws\")"
	// +required
	Key string `json:"key"`

	// Operator relates the label to the values: In, NotIn, Exists, DoesNotExist,
	// or one of the integer comparisons Gt, Lt, Gte, Lte.
	// +kubebuilder:validation:Enum=In;NotIn;Exists;DoesNotExist;Gt;Lt;Gte;Lte
	// +required
	Operator corev1.NodeSelectorOperator `json:"operator"`

	// Values of the label. In and NotIn need at least one; Gt, Lt, Gte and Lte
	// need exactly one integer of 0 or more; Exists and DoesNotExist take none.
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
	// +optional
	// +listType=atomic
	Values []string `json:"values,omitempty"`
}

// NodeOverlaySpec says which instance types to change, and how.
type NodeOverlaySpec struct {
	// Requirements that an instance type must meet, by well-known labels or by
	// the labels of a NodePool's template.
	// +kubebuilder:validation:XValidation:rule="self.all(r, !(r.operator in ['In', 'NotIn']) || (has(r.values) && r.values.size() > 0))",message="operators In and NotIn need at least one value"
	// +kubebuilder:validation:XValidation:rule="self.all(r, !(r.operator in ['Gt', 'Lt', 'Gte', 'Lte']) || (has(r.values) && r.values.size() == 1 && r.values[0].matches('^[0-9]+$') && int(r.values[0]) >= 0))",message="operators Gt, Lt, Gte and Lte need exactly one value, an integer of 0 or more"
	// +kubebuilder:validation:MaxItems=100
	// +required
	// +listType=atomic
	Requirements []Requirement `json:"requirements"`

	// PriceAdjustment changes the price per hour by a signed amount ("-0.5",
	// "+1.2") or a signed percentage ("-15%", "+10%"; no lower than "-100%").
	// Cannot be used with price.
	// +kubebuilder:validation:Pattern=`^(([+-]{1}(\d*\.?\d+))|(\+{1}\d*\.?\d+%)|(^(-\d{1,2}(\.\d+)?%)$)|(-100%))$`
	// +optional
	PriceAdjustment *string `json:"priceAdjustment,omitempty"`

	// Price per hour, in place of the cloud's. Cannot be used with priceAdjustment.
	// +kubebuilder:validation:Pattern=`^\d+(\.\d+)?$`
	// +optional
	Price *string `json:"price,omitempty"`

	// Capacity adds extended resources. What the instance type says about cpu,
	// memory, ephemeral-storage and pods cannot be changed.
	// +kubebuilder:validation:XValidation:rule="self.all(k, !(k in ['cpu', 'memory', 'ephemeral-storage', 'pods']))",message="only extended resources may be set, not cpu, memory, ephemeral-storage or pods"
	// +optional
	Capacity corev1.ResourceList `json:"capacity,omitempty"`

	// Weight decides between overlays that set the same field: the highest wins.
	// An overlay without a weight counts as 0.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	// +optional
	Weight *int32 `json:"weight,omitempty"`
}

// NodeOverlayStatus is what the controller made of an overlay.
type NodeOverlayStatus struct {
	// Conditions say whether the overlay is in use.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// NodeOverlay changes what the planner knows of some instance types.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:resource:path=nodeoverlays,scope=Cluster,categories=karpenter,shortName=overlays
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="Weight",type="integer",JSONPath=".spec.weight",priority=1
// +kubebuilder:subresource:status
type NodeOverlay struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:validation:XValidation:rule="!has(self.price) || !has(self.priceAdjustment)",message="only one of 'price' and 'priceAdjustment' may be set"
	// +required
	Spec   NodeOverlaySpec   `json:"spec"`
	Status NodeOverlayStatus `json:"status,omitempty"`
}

// Conditions is where the NodeOverlay keeps its conditions.
func (o *NodeOverlay) Conditions() *[]metav1.Condition { return &o.Status.Conditions }

// ReadyDependsOn lists the conditions that the NodeOverlay's Ready rolls up.
func (o *NodeOverlay) ReadyDependsOn() []string { return []string{ConditionValidationSucceeded} }

// NodeOverlayList is a list of NodeOverlays.
//
// +kubebuilder:object:root=true
type NodeOverlayList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodeOverlay `json:"items"`
}

// SortByPrecedence orders overlays by falling weight, then by falling name:
// the first that sets a field wins.
func SortByPrecedence(overlays []NodeOverlay) {
	slices.SortFunc(overlays, func(a, b NodeOverlay) int {
		return cmp.Or(
			cmp.Compare(b.weight(), a.weight()),
			cmp.Compare(b.Name, a.Name), // names are unique: never a tie
		)
	})
}

func (o *NodeOverlay) weight() int32 {
	if o.Spec.Weight == nil {
		return 0
	}
	return *o.Spec.Weight
}
