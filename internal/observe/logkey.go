package observe

// Keys of log lines. Capitalised keys hold a reference to an object of that kind.
const (
	LogCommit     = "commit"
	LogController = "controller"

	LogNode      = "Node"
	LogNodeClaim = "NodeClaim"
	LogNodePool  = "NodePool"
	LogPod       = "Pod"

	LogReason        = "reason"
	LogPodCount      = "pod-count"
	LogDuration      = "duration"
	LogProviderID    = "provider-id"
	LogInstanceType  = "instance-type"
	LogInstanceTypes = "instance-types"
	LogZone          = "zone"
	LogCapacityType  = "capacity-type"
	LogRequests      = "requests"
	LogAllocatable   = "allocatable"
	LogMessageKind   = "messageKind"
)

// Messages that log parsers, alerts and runbooks for Karpenter look for. docs/messages.md lists them.
const (
	SaidPodsFound      = "found provisionable pod(s)"
	SaidClaimsComputed = "computed new nodeclaim(s) to fit pod(s)"
	SaidPodUnplaced    = "could not schedule pod"
	SaidClaimCreated   = "created nodeclaim"
	SaidClaimLaunched  = "launched nodeclaim"
	SaidLaunchFailed   = "failed launching nodeclaim"
	SaidRegistered     = "registered nodeclaim"
	SaidInitialized    = "initialized nodeclaim"
	SaidDisrupting     = "disrupting node(s)"
	SaidInterruption   = "initiating delete from interruption message"
	SaidTainted        = "tainted node"
	SaidNodeDeleted    = "deleted node"
	SaidClaimDeleted   = "deleted nodeclaim"
)

// Messages lists them.
func Messages() []string {
	return []string{
		SaidPodsFound,
		SaidClaimsComputed,
		SaidPodUnplaced,
		SaidClaimCreated,
		SaidClaimLaunched,
		SaidLaunchFailed,
		SaidRegistered,
		SaidInitialized,
		SaidDisrupting,
		SaidInterruption,
		SaidTainted,
		SaidNodeDeleted,
		SaidClaimDeleted,
	}
}
