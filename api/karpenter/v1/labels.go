package v1

// CompatibilityGroup is the domain of annotations that only serve migration.
const CompatibilityGroup = "compatibility." + Group

// Labels on nodes and NodeClaims.
const (
	// NodePoolLabelKey names the NodePool that a node belongs to.
	NodePoolLabelKey = Group + "/nodepool"
	// NodeInitializedLabelKey is "true" on nodes that are ready for use.
	NodeInitializedLabelKey = Group + "/initialized"
	// NodeRegisteredLabelKey is "true" on nodes whose NodeClaim has been matched to them.
	NodeRegisteredLabelKey = Group + "/registered"
	// NodeDoNotSyncTaintsLabelKey is "true" on nodes whose kubelet registers with
	// all taints itself, so that the controller must not add them again.
	NodeDoNotSyncTaintsLabelKey = Group + "/do-not-sync-taints"
	// CapacityTypeLabelKey says how a node is paid for.
	CapacityTypeLabelKey = Group + "/capacity-type"
)

// Values of CapacityTypeLabelKey.
const (
	CapacityTypeOnDemand = "on-demand"
	CapacityTypeSpot     = "spot"
	CapacityTypeReserved = "reserved"
)

// Values of the label kubernetes.io/arch.
const (
	ArchitectureAmd64 = "amd64"
	ArchitectureArm64 = "arm64"
)

// The label corev1.LabelNodeExcludeBalancers has this value while a node of
// ours drains, so that load balancers stop sending to it.
const ExcludeBalancersValue = "karpenter"

// Annotations.
const (
	// DoNotDisruptAnnotationKey keeps a pod or node from being disrupted by
	// choice: "true", or on pods also a Go duration counted from the pod's start.
	DoNotDisruptAnnotationKey = Group + "/do-not-disrupt"
	// DoNotRepairAnnotationKey on a Node or its NodeClaim keeps a sick node from being replaced, if it is "true" and
	// nothing else. DoNotDisruptAnnotationKey does not.
	DoNotRepairAnnotationKey = Group + "/do-not-repair"
	// DisruptionCostAnnotationKey on a Pod is an int32: what moving it costs, 2^27 as much more as moving an ordinary
	// one. It goes before controller.kubernetes.io/pod-deletion-cost.
	DisruptionCostAnnotationKey = Group + "/disruption-cost"
	// NodePoolHashAnnotationKey carries the template hash on NodePools, and on
	// NodeClaims the hash they were made from.
	NodePoolHashAnnotationKey = Group + "/nodepool-hash"
	// NodePoolHashVersionAnnotationKey carries the NodePoolHashVersion of the hash.
	NodePoolHashVersionAnnotationKey = Group + "/nodepool-hash-version"
	// NodeClaimTerminationTimestampAnnotationKey is the RFC 3339 time at which
	// draining gives up waiting.
	NodeClaimTerminationTimestampAnnotationKey = Group + "/nodeclaim-termination-timestamp"
	// NodeClaimMinValuesRelaxedAnnotationKey is "true" when minValues were lowered to launch.
	NodeClaimMinValuesRelaxedAnnotationKey = Group + "/nodeclaim-min-values-relaxed"
	// RebootGracePeriodAnnotationKey on a NodeClaim is the Go duration that the drain before a reboot may take: "0s" is
	// no drain, and without the annotation it takes as long as it takes.
	RebootGracePeriodAnnotationKey = Group + "/reboot-termination-grace-period"
	// RebootPreBootIDAnnotationKey on a NodeClaim is the boot ID that its node had when its reboot was issued.
	RebootPreBootIDAnnotationKey = Group + "/reboot-pre-boot-id"
	// DRADriversAnnotationKey lists, with commas, the drivers whose devices the
	// planned pods were given.
	DRADriversAnnotationKey = Group + "/requested-dra-drivers"
	// ProviderCompatibilityAnnotationKey carries settings of API versions before v1.
	ProviderCompatibilityAnnotationKey = CompatibilityGroup + "/provider"
)

// TerminationFinalizer holds back the deletion of Nodes and NodeClaims until
// the node is drained and its machine is gone.
const TerminationFinalizer = Group + "/termination"
