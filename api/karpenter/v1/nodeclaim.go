package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodeClaimSpec says which node is wanted. It cannot change.
type NodeClaimSpec struct {
	// Taints of the node.
	// +optional
	// +listType=atomic
	Taints []Taint `json:"taints,omitempty"`

	// StartupTaints are on the node when it joins and are taken away by someone
	// else, usually a DaemonSet; the node is not initialized before they are gone.
	// +optional
	// +listType=atomic
	StartupTaints []Taint `json:"startupTaints,omitempty"`

	// Requirements on the labels of the node, and with them on its instance
	// type, zone and capacity type.
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.operator != 'In' || (has(r.values) && r.values.size() > 0))",message="operator In needs at least one value"
	// +kubebuilder:validation:XValidation:rule="self.all(r, !(r.operator in ['Gt', 'Lt', 'Gte', 'Lte']) || (has(r.values) && r.values.size() == 1 && r.values[0].matches('^[0-9]+$') && int(r.values[0]) >= 0))",message="operators Gt, Lt, Gte and Lte need exactly one value, an integer of 0 or more"
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.operator != 'In' || !has(r.minValues) || (has(r.values) && r.values.size() >= r.minValues))",message="minValues is larger than the number of values"
	// +kubebuilder:validation:MaxItems=100
	// +required
	// +listType=atomic
	Requirements []Requirement `json:"requirements"`

	// Resources that the node must offer.
	// +optional
	Resources ResourceRequirements `json:"resources,omitempty"`

	// NodeClassRef names the object with the settings of the cloud.
	// +required
	NodeClassRef *NodeClassReference `json:"nodeClassRef"`

	// TerminationGracePeriod is the longest that draining the node may take.
	// When it is over, pods are deleted whatever disruption budgets and the
	// karpenter.sh/do-not-disrupt annotation say. Without it draining waits for
	// as long as it takes.
	// +kubebuilder:validation:Pattern=`^([0-9]+(s|m|h))+$`
	// +kubebuilder:validation:Type=string
	// +optional
	TerminationGracePeriod *metav1.Duration `json:"terminationGracePeriod,omitempty"`

	// ExpireAfter is the age at which the node is given up, or Never.
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:Pattern=`^(([0-9]+(s|m|h))+|Never)$`
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Schemaless
	// +optional
	ExpireAfter NillableDuration `json:"expireAfter,omitempty"`
}

// ResourceRequirements is what a node must offer.
type ResourceRequirements struct {
	// Requests is the least of each resource that the node must have allocatable.
	// +optional
	Requests corev1.ResourceList `json:"requests,omitempty"`
}

// NodeClaimStatus is what the controller has seen of a node.
type NodeClaimStatus struct {
	// NodeName is the name of the Node.
	// +optional
	NodeName string `json:"nodeName,omitempty"`

	// ProviderID is the cloud's name for the machine, as in the Node's spec.
	// +optional
	ProviderID string `json:"providerID,omitempty"`

	// ImageID is the image that the machine was started from.
	// +optional
	ImageID string `json:"imageID,omitempty"`

	// Capacity that the node is expected to have.
	// +optional
	Capacity corev1.ResourceList `json:"capacity,omitempty"`

	// Allocatable is what pods are expected to be able to use of the capacity.
	// +optional
	Allocatable corev1.ResourceList `json:"allocatable,omitempty"`

	// Conditions say how far the node is on its way from launch to the end.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// LastPodEventTime is when a pod was last bound to the node or left it.
	// Finishing and being deleted count as leaving.
	// +optional
	LastPodEventTime *metav1.Time `json:"lastPodEventTime,omitempty"`
}

// NodeClaim is one node, wanted or there.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:resource:path=nodeclaims,scope=Cluster,categories=karpenter
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Type",type="string",JSONPath=".metadata.labels.node\\.kubernetes\\.io/instance-type"
// +kubebuilder:printcolumn:name="Capacity",type="string",JSONPath=".metadata.labels.karpenter\\.sh/capacity-type"
// +kubebuilder:printcolumn:name="Zone",type="string",JSONPath=".metadata.labels.topology\\.kubernetes\\.io/zone"
// +kubebuilder:printcolumn:name="Node",type="string",JSONPath=".status.nodeName"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="ImageID",type="string",JSONPath=".status.imageID",priority=1
// +kubebuilder:printcolumn:name="ID",type="string",JSONPath=".status.providerID",priority=1
// +kubebuilder:printcolumn:name="NodePool",type="string",JSONPath=".metadata.labels.karpenter\\.sh/nodepool",priority=1
// +kubebuilder:printcolumn:name="NodeClass",type="string",JSONPath=".spec.nodeClassRef.name",priority=1
// +kubebuilder:printcolumn:name="Drifted",type="string",JSONPath=".status.conditions[?(@.type==\"Drifted\")].status",priority=1
type NodeClaim struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +kubebuilder:validation:XValidation:rule="self == oldSelf",message="spec is immutable"
	// +required
	Spec   NodeClaimSpec   `json:"spec"`
	Status NodeClaimStatus `json:"status,omitempty"`
}

// NodeClaimList is a list of NodeClaims.
//
// +kubebuilder:object:root=true
type NodeClaimList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodeClaim `json:"items"`
}
