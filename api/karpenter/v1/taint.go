package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Keys of the taints that this controller puts on nodes.
const (
	DisruptedTaintKey    = Group + "/disrupted"
	UnregisteredTaintKey = Group + "/unregistered"
	RebootingTaintKey    = Group + "/rebooting"
)

// RebootingTaint keeps new pods off a node from the request of a reboot until the node has booted anew.
func RebootingTaint() corev1.Taint {
	return corev1.Taint{Key: RebootingTaintKey, Effect: corev1.TaintEffectNoSchedule}
}

// DisruptedTaint keeps new pods off a node that is being given up.
func DisruptedTaint() corev1.Taint {
	return corev1.Taint{Key: DisruptedTaintKey, Effect: corev1.TaintEffectNoSchedule}
}

// UnregisteredTaint keeps pods off a node from its first heartbeat until its
// NodeClaim's labels and taints are on it.
func UnregisteredTaint() corev1.Taint {
	return corev1.Taint{Key: UnregisteredTaintKey, Effect: corev1.TaintEffectNoExecute}
}

// Taint is a node taint as it may be written in a NodePool or NodeClaim.
//
// It has the fields of corev1.Taint, so either converts to the other; it is a
// type of its own because its values are checked when they are written, not
// when the first node fails to register with them.
type Taint struct {
	// Key of the taint: an optional DNS prefix and a name.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(\/))?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`
	// +required
	Key string `json:"key"`

	// Value of the taint; may be left out.
	// +kubebuilder:validation:Pattern=`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*(\/))?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`
	// +optional
	Value string `json:"value,omitempty"`

	// Effect on pods that do not tolerate the taint.
	// +kubebuilder:validation:Enum=NoSchedule;PreferNoSchedule;NoExecute
	// +required
	Effect corev1.TaintEffect `json:"effect"`

	// TimeAdded is when the taint was added. Kubernetes sets it on nodes; in a
	// template it has no meaning.
	// +optional
	TimeAdded *metav1.Time `json:"timeAdded,omitempty"`
}

// CoreTaints converts to the type that nodes and the scheduler use.
func CoreTaints(taints []Taint) []corev1.Taint {
	if taints == nil {
		return nil
	}
	out := make([]corev1.Taint, len(taints))
	for i, t := range taints {
		out[i] = corev1.Taint(t)
	}
	return out
}

// TaintsFromCore converts from the type that nodes and the scheduler use.
func TaintsFromCore(taints []corev1.Taint) []Taint {
	if taints == nil {
		return nil
	}
	out := make([]Taint, len(taints))
	for i, t := range taints {
		out[i] = Taint(t)
	}
	return out
}
