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
)
