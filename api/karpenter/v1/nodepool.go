package v1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NodePoolSpec says which nodes may be launched for pods that do not fit, how
// much of them, and when they may be given up.
//
// +kubebuilder:validation:XValidation:rule="has(self.replicas) == has(oldSelf.replicas)",message="replicas cannot be added to or removed from an existing NodePool; create a new one instead"
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || !has(self.limits) || self.limits.size() == ('nodes' in self.limits ? 1 : 0)",message="a NodePool with replicas may only limit 'nodes'"
// +kubebuilder:validation:XValidation:rule="!has(self.replicas) || !has(self.weight)",message="a NodePool with replicas cannot have a weight"
type NodePoolSpec struct {
	// Template is what the NodeClaims of this pool are made from. Pods usually
	// narrow it further.
	// +required
	Template NodeClaimTemplate `json:"template"`

	// Disruption says when nodes of this pool may be given up.
	// +kubebuilder:default={consolidateAfter: "0s"}
	// +optional
	Disruption Disruption `json:"disruption"`

	// Limits caps what all nodes of this pool have together. A launch that would
	// pass a limit does not happen. The resource "nodes" counts nodes; with
	// replicas it is the only one allowed.
	// +optional
	Limits corev1.ResourceList `json:"limits,omitempty"`

	// Weight orders pools: pods go to the highest weight that can take them.
	// A pool without a weight counts as 0. Not allowed with replicas.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	// +optional
	Weight *int32 `json:"weight,omitempty"`

	// Replicas makes the pool static: it keeps this many nodes whatever the
	// pods need, and consolidation leaves it alone. Cannot be added or removed
	// later. This field is alpha.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Replicas *int64 `json:"replicas,omitempty"`
}

// Disruption says when nodes may be given up.
type Disruption struct {
	// ConsolidateAfter is how long a node must have seen no pod come or go
	// before it may be consolidated, or Never. Static pools ignore it.
	// +kubebuilder:default="0s"
	// +kubebuilder:validation:Pattern=`^(([0-9]+(s|m|h))+|Never)$`
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Schemaless
	// +optional
	ConsolidateAfter NillableDuration `json:"consolidateAfter"`

	// ConsolidationPolicy says which nodes may be consolidated: only empty ones,
	// empty and underutilized ones, or those where the saving is in balance
	// with the disruption. Static pools ignore it.
	// +kubebuilder:default=WhenEmptyOrUnderutilized
	// +kubebuilder:validation:Enum=WhenEmpty;WhenEmptyOrUnderutilized;Balanced
	// +optional
	ConsolidationPolicy ConsolidationPolicy `json:"consolidationPolicy,omitempty"`

	// Budgets limit how many nodes of this pool may be going away at once. Of
	// several that are active the smallest counts.
	// +kubebuilder:validation:XValidation:rule="self.all(b, has(b.schedule) == has(b.duration))",message="'schedule' and 'duration' must be set together"
	// +kubebuilder:default={{nodes: "10%"}}
	// +kubebuilder:validation:MaxItems=50
	// +optional
	// +listType=atomic
	Budgets []Budget `json:"budgets,omitempty" hash:"ignore"`
}

// Budget is how many nodes of a pool may be going away at once.
type Budget struct {
	// Reasons this budget applies to. Without any it applies to all.
	// +kubebuilder:validation:MaxItems=50
	// +optional
	// +listType=set
	Reasons []DisruptionReason `json:"reasons,omitempty"`

	// Nodes is a count, or a percentage of the pool's nodes, rounded up. Nodes
	// that are already going away count against it.
	// +kubebuilder:validation:Pattern=`^((100|[0-9]{1,2})%|[0-9]+)$`
	// +kubebuilder:default="10%"
	Nodes string `json:"nodes" hash:"ignore"`

	// Schedule is when the budget becomes active: five cron fields or a macro
	// such as @daily, in UTC. Needs a duration. Without it the budget is always
	// active.
	// +kubebuilder:validation:Pattern=`^(@(annually|yearly|monthly|weekly|daily|midnight|hourly))|((.+)\s(.+)\s(.+)\s(.+)\s(.+))$`
	// +optional
	Schedule *string `json:"schedule,omitempty" hash:"ignore"`

	// Duration is how long the budget stays active after each hit of the
	// schedule, in hours and minutes.
	// +kubebuilder:validation:Pattern=`^((([0-9]+(h|m))|([0-9]+h[0-9]+m))(0s)?)$`
	// +kubebuilder:validation:Type=string
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty" hash:"ignore"`
}

// ConsolidationPolicy says which nodes may be consolidated.
type ConsolidationPolicy string

const (
	// ConsolidationPolicyWhenEmpty removes nodes that run nothing worth keeping.
	ConsolidationPolicyWhenEmpty ConsolidationPolicy = "WhenEmpty"
	// ConsolidationPolicyWhenEmptyOrUnderutilized also removes or replaces nodes whose
	// pods fit elsewhere for less. It is the default.
	ConsolidationPolicyWhenEmptyOrUnderutilized ConsolidationPolicy = "WhenEmptyOrUnderutilized"
	// ConsolidationPolicyBalanced does so only when the saving's share of the pool's cost is at
	// least half of the disruption's share.
	ConsolidationPolicyBalanced ConsolidationPolicy = "Balanced"
)

// DisruptionReason is why a node is given up, as budgets name it.
// +kubebuilder:validation:Enum=Underutilized;Empty;Drifted;Unhealthy
type DisruptionReason string

const (
	// DisruptionReasonUnderutilized means the pods fit elsewhere for less.
	DisruptionReasonUnderutilized DisruptionReason = "Underutilized"
	// DisruptionReasonEmpty means nothing runs on the node.
	DisruptionReasonEmpty DisruptionReason = "Empty"
	// DisruptionReasonDrifted means the node no longer matches its NodePool or node class.
	DisruptionReasonDrifted DisruptionReason = "Drifted"
	// DisruptionReasonUnhealthy means the node has been sick for longer than its cloud lets it be.
	DisruptionReasonUnhealthy DisruptionReason = "Unhealthy"
)

// NodeClaimTemplate is what the NodeClaims of a pool are made from.
//
// The names and the order of the fields here and below are part of the
// template's hash: changing either makes every node drift. See Hash.
type NodeClaimTemplate struct {
	ObjectMeta `json:"metadata,omitempty"`

	// Spec of the NodeClaims.
	// +required
	Spec NodeClaimTemplateSpec `json:"spec"`
}

// NodeClaimTemplateSpec is a NodeClaimSpec without resource requests: those
// come from the pods.
type NodeClaimTemplateSpec struct {
	// Taints of the nodes. Only pods that tolerate them are planned there.
	// +optional
	// +listType=atomic
	Taints []Taint `json:"taints,omitempty"`

	// StartupTaints are on a node when it joins and are taken away by someone
	// else, usually a DaemonSet. Pods need not tolerate them to be planned
	// there; the node is not initialized before they are gone.
	// +optional
	// +listType=atomic
	StartupTaints []Taint `json:"startupTaints,omitempty"`

	// Requirements on the labels of the nodes, and with them on instance types,
	// zones and capacity types.
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.operator != 'In' || (has(r.values) && r.values.size() > 0))",message="operator In needs at least one value"
	// +kubebuilder:validation:XValidation:rule="self.all(r, !(r.operator in ['Gt', 'Lt', 'Gte', 'Lte']) || (has(r.values) && r.values.size() == 1 && r.values[0].matches('^[0-9]+$') && int(r.values[0]) >= 0))",message="operators Gt, Lt, Gte and Lte need exactly one value, an integer of 0 or more"
	// +kubebuilder:validation:XValidation:rule="self.all(r, r.operator != 'In' || !has(r.minValues) || (has(r.values) && r.values.size() >= r.minValues))",message="minValues is larger than the number of values"
	// +kubebuilder:validation:items:XValidation:rule="self.key != 'karpenter.sh/nodepool'",message="label karpenter.sh/nodepool is set by the controller; remove it",fieldPath=".key"
	// +kubebuilder:validation:MaxItems=100
	// +required
	// +listType=atomic
	Requirements []Requirement `json:"requirements" hash:"ignore"`

	// NodeClassRef names the object with the settings of the cloud.
	// +kubebuilder:validation:XValidation:rule="self.group == oldSelf.group",message="nodeClassRef.group is immutable"
	// +kubebuilder:validation:XValidation:rule="self.kind == oldSelf.kind",message="nodeClassRef.kind is immutable"
	// +required
	NodeClassRef *NodeClassReference `json:"nodeClassRef"`

	// TerminationGracePeriod is the longest that draining a node may take. When
	// it is over, pods are deleted whatever disruption budgets and the
	// karpenter.sh/do-not-disrupt annotation say; a pod that needs a long time
	// to stop is deleted early enough to have it. Without it draining waits
	// for as long as it takes.
	// +kubebuilder:validation:Pattern=`^([0-9]+(s|m|h))+$`
	// +kubebuilder:validation:Type=string
	// +optional
	TerminationGracePeriod *metav1.Duration `json:"terminationGracePeriod,omitempty"`

	// ExpireAfter is the age at which a node is given up, or Never.
	// +kubebuilder:default="720h"
	// +kubebuilder:validation:Pattern=`^(([0-9]+(s|m|h))+|Never)$`
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:Schemaless
	// +optional
	ExpireAfter NillableDuration `json:"expireAfter,omitempty"`
}

// LabelValue is the value of a label in a template.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:Pattern=`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`
type LabelValue string

// ObjectMeta is what a template says about the metadata of NodeClaims and nodes.
type ObjectMeta struct {
	// Labels of the NodeClaims and nodes.
	// +kubebuilder:validation:MaxProperties=100
	// +kubebuilder:validation:XValidation:message="label domain karpenter.sh is reserved, except for karpenter.sh/capacity-type",rule="self.all(k, k in [\"karpenter.sh/capacity-type\", \"karpenter.sh/nodepool\"] || !k.find(\"^([^/]+)\").endsWith(\"karpenter.sh\"))"
	// +kubebuilder:validation:XValidation:message="label karpenter.sh/nodepool is set by the controller; remove it",rule="self.all(k, k != \"karpenter.sh/nodepool\")"
	// +kubebuilder:validation:XValidation:message="label kubernetes.io/hostname differs on every node, so it cannot be used here",rule="self.all(k, k != \"kubernetes.io/hostname\")"
	// +kubebuilder:validation:XValidation:message="label domain karpenter.k8s.aws is reserved, except for the labels that instance types have",rule="self.all(k, k in [\"karpenter.k8s.aws/capacity-reservation-id\", \"karpenter.k8s.aws/capacity-reservation-interruptible\", \"karpenter.k8s.aws/capacity-reservation-type\", \"karpenter.k8s.aws/ec2nodeclass\", \"karpenter.k8s.aws/instance-accelerator-count\", \"karpenter.k8s.aws/instance-accelerator-manufacturer\", \"karpenter.k8s.aws/instance-accelerator-name\", \"karpenter.k8s.aws/instance-capability-flex\", \"karpenter.k8s.aws/instance-category\", \"karpenter.k8s.aws/instance-cpu\", \"karpenter.k8s.aws/instance-cpu-manufacturer\", \"karpenter.k8s.aws/instance-cpu-sustained-clock-speed-mhz\", \"karpenter.k8s.aws/instance-ebs-bandwidth\", \"karpenter.k8s.aws/instance-encryption-in-transit-supported\", \"karpenter.k8s.aws/instance-family\", \"karpenter.k8s.aws/instance-generation\", \"karpenter.k8s.aws/instance-gpu-count\", \"karpenter.k8s.aws/instance-gpu-manufacturer\", \"karpenter.k8s.aws/instance-gpu-memory\", \"karpenter.k8s.aws/instance-gpu-name\", \"karpenter.k8s.aws/instance-hypervisor\", \"karpenter.k8s.aws/instance-local-nvme\", \"karpenter.k8s.aws/instance-memory\", \"karpenter.k8s.aws/instance-network-bandwidth\", \"karpenter.k8s.aws/instance-size\", \"karpenter.k8s.aws/instance-tenancy\", \"karpenter.k8s.aws/placement-group-id\", \"karpenter.k8s.aws/placement-group-partition\"] || !k.find(\"^([^/]+)\").endsWith(\"karpenter.k8s.aws\"))"
	// +optional
	// +mapType=atomic
	Labels map[string]LabelValue `json:"labels,omitempty"`

	// Annotations of the NodeClaims and nodes.
	// +optional
	// +mapType=granular
	Annotations map[string]string `json:"annotations,omitempty"`
}

// LabelMap is a copy of the labels with plain string values.
func (m ObjectMeta) LabelMap() map[string]string {
	if m.Labels == nil {
		return nil
	}
	out := make(map[string]string, len(m.Labels))
	for key, value := range m.Labels {
		out[key] = string(value)
	}
	return out
}

// LabelValues turns plain labels into those of a template.
func LabelValues(labels map[string]string) map[string]LabelValue {
	if labels == nil {
		return nil
	}
	out := make(map[string]LabelValue, len(labels))
	for key, value := range labels {
		out[key] = LabelValue(value)
	}
	return out
}

// NodePoolStatus is what the controller has seen of a pool.
type NodePoolStatus struct {
	// Resources that the nodes of this pool have together.
	// +optional
	Resources corev1.ResourceList `json:"resources,omitempty"`

	// Nodes is how many nodes this pool has.
	// +kubebuilder:default=0
	// +optional
	Nodes *int64 `json:"nodes,omitempty"`

	// Rollout says how far the nodes are what this NodePool and its node class
	// ask for. It is Dovetail's own.
	// +optional
	Rollout *RolloutStatus `json:"rollout,omitempty"`

	// Hold says until when somebody holds disruption, and who. It is Dovetail's
	// own, and absent while nobody does.
	// +optional
	Hold *HoldStatus `json:"hold,omitempty"`

	// NodeClassObservedGeneration is the generation of the node class for which
	// NodeRegistrationHealthy was worked out; a newer one starts it afresh.
	// +optional
	NodeClassObservedGeneration int64 `json:"nodeClassObservedGeneration,omitempty"`

	// Conditions say whether the pool can launch nodes.
	// +optional
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// RolloutStatus counts the nodes of a pool, those included that are on their way.
type RolloutStatus struct {
	// Nodes is how many there are: UpToDate and Outdated together.
	// +optional
	Nodes int32 `json:"nodes"`

	// UpToDate is how many are what the NodePool and its node class ask for now.
	// +optional
	UpToDate int32 `json:"upToDate"`

	// Outdated is how many are not: their template, class, image or requirements
	// have changed since.
	// +optional
	Outdated int32 `json:"outdated"`

	// Replacing is how many of the outdated are chosen to go or going.
	// +optional
	Replacing int32 `json:"replacing"`

	// Starting is how many of those that are up to date are not ready for pods yet.
	// +optional
	Starting int32 `json:"starting"`
}

// HoldStatus is a hold that is in force.
type HoldStatus struct {
	// Until is when it ends by itself; absent if the annotation cannot be read.
	// +optional
	Until *metav1.Time `json:"until,omitempty"`

	// By is who holds, as written in the annotation.
	// +optional
	By string `json:"by,omitempty"`

	// Reason is why, as written in the annotation.
	// +optional
	Reason string `json:"reason,omitempty"`

	// NodePool is the one that carries the annotation.
	// +optional
	NodePool string `json:"nodePool,omitempty"`
}

// NodePool is a kind of node that may be launched, as often as pods need it.
//
// +kubebuilder:object:root=true
// +kubebuilder:storageversion
// +kubebuilder:resource:path=nodepools,scope=Cluster,categories=karpenter
// +kubebuilder:printcolumn:name="NodeClass",type="string",JSONPath=".spec.template.spec.nodeClassRef.name"
// +kubebuilder:printcolumn:name="Nodes",type="string",JSONPath=".status.nodes"
// +kubebuilder:printcolumn:name="Ready",type="string",JSONPath=".status.conditions[?(@.type==\"Ready\")].status"
// +kubebuilder:printcolumn:name="Age",type="date",JSONPath=".metadata.creationTimestamp"
// +kubebuilder:printcolumn:name="Outdated",type="integer",JSONPath=".status.rollout.outdated"
// +kubebuilder:printcolumn:name="Held",type="string",JSONPath=".status.hold.until"
// +kubebuilder:printcolumn:name="Weight",type="integer",JSONPath=".spec.weight",priority=1
// +kubebuilder:printcolumn:name="CPU",type="string",JSONPath=".status.resources.cpu",priority=1
// +kubebuilder:printcolumn:name="Memory",type="string",JSONPath=".status.resources.memory",priority=1
// +kubebuilder:subresource:status
// +kubebuilder:subresource:scale:specpath=.spec.replicas,statuspath=.status.nodes
type NodePool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// +required
	Spec   NodePoolSpec   `json:"spec"`
	Status NodePoolStatus `json:"status,omitempty"`
}

// NodePoolList is a list of NodePools.
//
// +kubebuilder:object:root=true
type NodePoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []NodePool `json:"items"`
}
