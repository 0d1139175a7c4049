package v1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ConditionReady is the roll-up of a kind's other conditions.
const ConditionReady = "Ready"

// Condition types of NodePool.
const (
	// ConditionValidationSucceeded is False when the spec breaks a rule that the schema cannot state.
	ConditionValidationSucceeded = "ValidationSucceeded"
	// ConditionNodeClassReady is True when the node class exists and is ready.
	ConditionNodeClassReady = "NodeClassReady"
	// ConditionNodeRegistrationHealthy is False after launches whose nodes never
	// registered. It says so and does not count for Ready.
	ConditionNodeRegistrationHealthy = "NodeRegistrationHealthy"

	// The conditions below are Dovetail's own. None counts for Ready.

	// ConditionRolledOut is True when no node of the pool is left that is not what its NodePool and node class ask for.
	ConditionRolledOut = "RolledOut"
	// ConditionDisruptionHeld is True while somebody holds the pool still, and absent otherwise.
	ConditionDisruptionHeld = "DisruptionHeld"
	// ConditionLaunchable is False while the pool is switched off by its limits, and absent otherwise.
	ConditionLaunchable = "Launchable"
	// ConditionReplicasReady is True when a static pool has all its nodes, and they are ready for pods.
	ConditionReplicasReady = "ReplicasReady"
)

// Condition types of NodeClaim.
const (
	// ConditionLaunched is True when the cloud has made the machine.
	ConditionLaunched = "Launched"
	// ConditionRegistered is True when the machine's Node has joined and carries the claim's labels and taints.
	ConditionRegistered = "Registered"
	// ConditionInitialized is True when the node is ready for pods: startup taints gone, resources there.
	ConditionInitialized = "Initialized"
	// ConditionConsolidatable is True when the node has been quiet for the pool's consolidateAfter.
	ConditionConsolidatable = "Consolidatable"
	// ConditionDrifted is True when the node no longer is what its NodePool or node class asks for.
	ConditionDrifted = "Drifted"
	// ConditionDrained is True when a terminating node's pods are gone.
	ConditionDrained = "Drained"
	// ConditionVolumesDetached is True when a drained node's volumes are free again.
	ConditionVolumesDetached = "VolumesDetached"
	// ConditionInstanceTerminating is True when the cloud has been told to end the machine.
	ConditionInstanceTerminating = "InstanceTerminating"
	// ConditionConsistentStateFound is False when claim, node and machine contradict each other.
	ConditionConsistentStateFound = "ConsistentStateFound"
	// ConditionDisruptionReason is True, with the reason, on nodes chosen to be given up.
	ConditionDisruptionReason = "DisruptionReason"
	// ConditionRebooting is True while a reboot mends the node, False when the last one is over, and absent on nodes
	// that were never rebooted.
	ConditionRebooting = "Rebooting"
)

// Reasons of NodePool conditions.
const (
	ReasonNodeClassNotFound         = "NodeClassNotFound"
	ReasonNodeClassTerminating      = "NodeClassTerminating"
	ReasonNodeClassReadinessUnknown = "NodeClassReadinessUnknown"
	ReasonNodePoolValidationFailed  = "NodePoolValidationFailed"
	ReasonRegistrationFailed        = "RegistrationFailed"
	ReasonReplacing                 = "Replacing"
	ReasonSwitchedOff               = "SwitchedOff"
	ReasonPoolNotReady              = "PoolNotReady"
	ReasonNothingSuits              = "NoCompatibleInstanceTypes"
	ReasonNoCapacity                = "NoCapacity"
	ReasonLimitReached              = "LimitReached"
	ReasonNodesStarting             = "NodesStarting"
)

// Reasons of NodeClaim conditions. A cloud may add its own to Launched and Drifted.
const (
	ReasonLaunchFailed                  = "LaunchFailed"
	ReasonNodeNotFound                  = "NodeNotFound"
	ReasonMultipleNodesFound            = "MultipleNodesFound"
	ReasonNodeNotReady                  = "NodeNotReady"
	ReasonStartupTaintsExist            = "StartupTaintsExist"
	ReasonKnownEphemeralTaintsExist     = "KnownEphemeralTaintsExist"
	ReasonResourceNotRegistered         = "ResourceNotRegistered"
	ReasonDRADriverPoolsNotPublished    = "DRADriverPoolsNotPublished"
	ReasonNodePoolDrifted               = "NodePoolDrifted"
	ReasonRequirementsDrifted           = "RequirementsDrifted"
	ReasonInstanceTypeNotFound          = "InstanceTypeNotFound"
	ReasonDraining                      = "Draining"
	ReasonAwaitingVolumeDetachment      = "AwaitingVolumeDetachment"
	ReasonTerminationGracePeriodElapsed = "TerminationGracePeriodElapsed"
	ReasonConsistencyCheckFailed        = "ConsistencyCheckFailed"
	ReasonRebootRequested               = "RebootRequested"
	ReasonRebootIssued                  = "RebootIssued"
	ReasonRebootSucceeded               = "RebootSucceeded"
	ReasonRebootFailed                  = "RebootFailed"
	ReasonRebooting                     = "Rebooting"
)

// Conditions is where the NodePool keeps its conditions.
func (p *NodePool) Conditions() *[]metav1.Condition { return &p.Status.Conditions }

// ReadyDependsOn lists the conditions that the NodePool's Ready rolls up.
func (p *NodePool) ReadyDependsOn() []string {
	return []string{ConditionValidationSucceeded, ConditionNodeClassReady}
}

// Conditions is where the NodeClaim keeps its conditions.
func (c *NodeClaim) Conditions() *[]metav1.Condition { return &c.Status.Conditions }

// ReadyDependsOn lists the conditions that the NodeClaim's Ready rolls up.
func (c *NodeClaim) ReadyDependsOn() []string {
	return []string{ConditionLaunched, ConditionRegistered, ConditionInitialized}
}
