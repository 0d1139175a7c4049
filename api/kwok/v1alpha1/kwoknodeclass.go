package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ConditionReady says that NodePools may use the class. The API server sets it
// on new objects.
const ConditionReady = "Ready"

// KWOKNodeClassSpec says how nodes without machines behave.
type KWOKNodeClassSpec struct {
	// NodeRegistrationDelay is the time from launch until the Node appears, as
	// if a machine had to boot.
	// +kubebuilder:validation:Pattern=`^([0-9]+(s|m|h))+$`
	// +kubebuilder:validation:Type=string
	// +optional
	NodeRegistrationDelay *metav1.Duration `json:"nodeRegistrationDelay,omitempty"`
}

// KWOKNodeClassStatus is what the controller has seen of a class.
type KWOKNodeClassStatus struct {
	// Conditions say whether NodePools may use the class.
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// KWOKNodeClass is a kind of node without a machine behind it.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:resource:path=kwoknodeclasses,scope=Cluster,categories=karpenter,shortName={kwoknc,kwokncs}
// +kubebuilder:subresource:status
type KWOKNodeClass struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec KWOKNodeClassSpec `json:"spec,omitempty"`
	// +kubebuilder:default={conditions: {{type: "Ready", status: "True", reason: "Ready", lastTransitionTime: "2024-01-01T01:01:01Z", message: ""}}}
	Status KWOKNodeClassStatus `json:"status,omitempty"`
}

// Conditions is where the KWOKNodeClass keeps its conditions.
func (c *KWOKNodeClass) Conditions() *[]metav1.Condition { return &c.Status.Conditions }

// ReadyDependsOn is empty: nothing can be wrong with a class that has no machines.
func (c *KWOKNodeClass) ReadyDependsOn() []string { return nil }

// KWOKNodeClassList is a list of KWOKNodeClasses.
//
// +kubebuilder:object:root=true
type KWOKNodeClassList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []KWOKNodeClass `json:"items"`
}
