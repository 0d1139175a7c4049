package observe

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Component is the source of all events.
const Component = "karpenter"

// Reason is one row of the table of events.
type Reason struct {
	Name string
	Type string // Normal or Warning
	On   string // the kinds of objects that get it
	Doc  string

	// Every is how long the next event of this reason about the same object and cause is kept back; 0 means two
	// minutes.
	Every time.Duration

	// PerSecond and Burst limit all events of this reason together; 0 means no limit.
	PerSecond float64
	Burst     int
}

const (
	normal  = corev1.EventTypeNormal
	warning = corev1.EventTypeWarning
)

// Reasons of events about pods.
var (
	Nominated = row(
		Reason{
			Name:      "Nominated",
			Type:      normal,
			On:        "Pod",
			PerSecond: 5,
			Burst:     10,
			Doc:       "The pod is expected on a node that is there or on its way.",
		},
	)
	FailedScheduling = row(
		Reason{
			Name:  "FailedScheduling",
			Type:  warning,
			On:    "Pod",
			Every: 5 * time.Minute,
			Doc:   "No node that may be bought can hold the pod; the message says why.",
		},
	)
	Evicted = row(
		Reason{Name: "Evicted", Type: normal, On: "Pod", Doc: "The pod was evicted because its node goes."},
	)
	Disrupted = row(
		Reason{
			Name: "Disrupted",
			Type: normal,
			On:   "Pod",
			Doc:  "The pod was deleted, without the Eviction API, because its node must go by a deadline.",
		},
	)
	InvalidDoNotDisruptAnnotation = row(
		Reason{
			Name: "InvalidDoNotDisruptAnnotation",
			Type: warning,
			On:   "Pod",
			Doc:  "The pod's do-not-disrupt annotation is neither true nor a duration and has no effect.",
		},
	)
	PodInsufficientCapacity = row(Reason{
		Name:      "InsufficientCapacityError",
		Type:      warning,
		On:        "Pod",
		PerSecond: 5,
		Burst:     10,
		Doc: "The NodeClaim that the pod was planned onto could not be launched; the message says what the " +
			"cloud had none of.",
	})
	DoNotDisruptUntil = row(
		Reason{
			Name: "DoNotDisruptUntil",
			Type: normal,
			On:   "Pod",
			Doc:  "The pod's do-not-disrupt annotation keeps its node until a time.",
		},
	)
	DoNotDisruptGracePeriodElapsed = row(
		Reason{
			Name: "DoNotDisruptGracePeriodElapsed",
			Type: normal,
			On:   "Pod",
			Doc:  "The time of the pod's do-not-disrupt annotation is over.",
		},
	)
)

// Reasons of events about nodes, claims and pools.
var (
	NoCompatibleInstanceTypes = row(
		Reason{
			Name:  "NoCompatibleInstanceTypes",
			Type:  warning,
			On:    "NodePool",
			Every: time.Minute,
			Doc:   "No instance type satisfies the NodePool's requirements.",
		},
	)
	DisruptionLaunching = row(
		Reason{
			Name: "DisruptionLaunching",
			Type: normal,
			On:   "NodeClaim",
			Doc:  "The claim was made to replace nodes that are given up.",
		},
	)
	DisruptionWaitingReadiness = row(
		Reason{
			Name: "DisruptionWaitingReadiness",
			Type: normal,
			On:   "NodeClaim",
			Doc:  "A disruption waits until this replacement is ready.",
		},
	)
	DisruptionTerminating = row(
		Reason{
			Name: "DisruptionTerminating",
			Type: normal,
			On:   "Node, NodeClaim",
			Doc:  "The node is given up; the message says why.",
		},
	)
	DisruptionBlocked = row(
		Reason{
			Name: "DisruptionBlocked",
			Type: normal,
			On:   "Node, NodeClaim",
			Doc:  "The node cannot be given up voluntarily; the message says why.",
		},
	)
	PoolDisruptionBlocked = row(
		Reason{
			Name:  "DisruptionBlocked",
			Type:  normal,
			On:    "NodePool",
			Every: time.Minute,
			Doc:   "The NodePool's budgets allow no further disruption.",
		},
	)
	Unconsolidatable = row(
		Reason{
			Name:  "Unconsolidatable",
			Type:  normal,
			On:    "Node, NodeClaim",
			Every: 15 * time.Minute,
			Doc:   "Consolidation keeps the node; the message says why.",
		},
	)
	ConsolidationCandidate = row(
		Reason{
			Name: "ConsolidationCandidate",
			Type: normal,
			On:   "Node, NodeClaim",
			Doc:  "Consolidation looks at the node.",
		},
	)
	ConsolidationRejected = row(
		Reason{
			Name: "ConsolidationRejected",
			Type: normal,
			On:   "Node, NodeClaim",
			Doc:  "A move was not made: budget, scheduling or churn.",
		},
	)
	ConsolidationApproved = row(
		Reason{Name: "ConsolidationApproved", Type: normal, On: "Node, NodeClaim, NodePool", Doc: "A move is made."},
	)
	NodeRepairBlocked = row(
		Reason{
			Name:  "NodeRepairBlocked",
			Type:  warning,
			On:    "Node, NodeClaim, NodePool",
			Every: 15 * time.Minute,
			Doc:   "Too many nodes are unhealthy at once for any of them to be replaced.",
		},
	)
	RebootObserved = row(
		Reason{
			Name:  "RebootObserved",
			Type:  normal,
			On:    "NodeClaim",
			Every: 30 * time.Minute,
			Doc:   "The node has booted anew, and is waited for until it is ready.",
		},
	)
	RebootFailed = row(
		Reason{
			Name:  "RebootFailed",
			Type:  warning,
			On:    "NodeClaim",
			Every: 30 * time.Minute,
			Doc:   "The reboot did not mend the node; the message says why. The node is replaced.",
		},
	)
	FailedDraining = row(
		Reason{
			Name: "FailedDraining",
			Type: warning,
			On:   "Node",
			Doc:  "The node is not drained yet; the message says which pods stay and why.",
		},
	)
	AwaitingVolumeDetachment = row(
		Reason{
			Name: "AwaitingVolumeDetachment",
			Type: normal,
			On:   "Node",
			Doc:  "The drained node waits for its volumes to be detached.",
		},
	)
	TerminationGracePeriodExpires = row(
		Reason{
			Name: "TerminationGracePeriodExpiring",
			Type: warning,
			On:   "Node, NodeClaim",
			Doc:  "What is left on the node is deleted at a deadline.",
		},
	)
	InsufficientCapacity = row(
		Reason{
			Name: "InsufficientCapacityError",
			Type: warning,
			On:   "NodeClaim",
			Doc:  "The cloud had none of the claim's offerings; the claim is given up.",
		},
	)
	LaunchFailed = row(
		Reason{
			Name: "LaunchFailed",
			Type: warning,
			On:   "NodeClaim, NodePool",
			Doc: "The cloud refused to launch the claim's machine, and is asked again; the message says what it " +
				"said. Karpenter only logs this.",
		},
	)
	UnregisteredTaintMissing = row(
		Reason{
			Name: "UnregisteredTaintMissing",
			Type: warning,
			On:   "NodeClaim",
			Doc:  "The node joined without the taint karpenter.sh/unregistered, so pods may have come too early.",
		},
	)
	FailedConsistencyCheck = row(
		Reason{
			Name: "FailedConsistencyCheck",
			Type: warning,
			On:   "NodeClaim",
			Doc:  "Claim, node and machine contradict each other.",
		},
	)
	FailedTermination = row(
		Reason{
			Name: "FailedTermination",
			Type: warning,
			On:   "Node, NodeClaim",
			Doc:  "The cloud does not end the machine; the message says why.",
		},
	)
	NodeClassNotReady = row(
		Reason{
			Name: "NodeClassNotReady",
			Type: warning,
			On:   "NodeClaim",
			Doc:  "The claim's node class cannot launch anything; the claim is given up.",
		},
	)
	WaitingOnNodeClaims = row(
		Reason{
			Name: "WaitingOnNodeClaimTermination",
			Type: normal,
			On:   "EC2NodeClass",
			Doc:  "The node class is being deleted and waits for the NodeClaims that use it.",
		},
	)
	Finalized = row(
		Reason{
			Name: "Finalized",
			Type: normal,
			On:   "Node, NodeClaim, NodePool, CapacityBuffer",
			Doc:  "The object's finalizer was removed.",
		},
	)
)

// Reasons of events about machines that the cloud takes away.
var (
	SpotInterrupted = row(
		Reason{
			Name: "SpotInterrupted",
			Type: warning,
			On:   "Node, NodeClaim",
			Doc:  "The cloud takes the spot machine back within minutes.",
		},
	)
	SpotRebalanceRecommendation = row(
		Reason{
			Name: "SpotRebalanceRecommendation",
			Type: normal,
			On:   "Node, NodeClaim",
			Doc: "The spot machine is more likely to be interrupted. With --rebalance-action Replace its node is " +
				"replaced.",
		},
	)
	CapacityReservationInterruption = row(
		Reason{
			Name: "CapacityReservationInstanceInterrupted",
			Type: warning,
			On:   "Node, NodeClaim",
			Doc:  "The owner of the capacity reservation takes the machine back.",
		},
	)
	InstanceStopping = row(
		Reason{
			Name: "InstanceStopping",
			Type: warning,
			On:   "Node, NodeClaim",
			Doc:  "The machine was stopped by someone else.",
		},
	)
	InstanceTerminating = row(
		Reason{
			Name: "InstanceTerminating",
			Type: warning,
			On:   "Node, NodeClaim",
			Doc:  "The machine was terminated by someone else.",
		},
	)
	InstanceUnhealthy = row(
		Reason{
			Name: "InstanceUnhealthy",
			Type: warning,
			On:   "Node, NodeClaim",
			Doc: "The cloud has planned maintenance of the machine, or its status checks fail; the message says " +
				"which.",
		},
	)
	TerminatingOnInterruption = row(
		Reason{
			Name: "TerminatingOnInterruption",
			Type: warning,
			On:   "Node, NodeClaim",
			Doc:  "The node is drained and replaced because its machine is taken away.",
		},
	)
)

// Reasons of ours about the cloud's regular work, which Karpenter only logs. internal/regular keeps back what it said.
var (
	CloudWorkFailed = row(
		Reason{
			Name:  "CloudWorkFailed",
			Type:  warning,
			On:    "EC2NodeClass, KWOKNodeClass",
			Every: time.Minute,
			Doc: "What the daemon asks of the cloud regularly, such as listing machines or reading the queue, " +
				"fails; the message says what and why.",
		},
	)
	CloudWorkRecovered = row(
		Reason{
			Name:  "CloudWorkRecovered",
			Type:  normal,
			On:    "EC2NodeClass, KWOKNodeClass",
			Every: time.Minute,
			Doc:   "What the event CloudWorkFailed told of works again.",
		},
	)
	ZoneLeftOut = row(
		Reason{
			Name: "ZoneLeftOut",
			Type: warning,
			On:   "EC2NodeClass",
			Doc:  "The cluster's traffic was shifted away from a zone, and nothing is launched there.",
		},
	)
	ReservationIdle = row(Reason{
		Name:  "CapacityReservationIdle",
		Type:  normal,
		On:    "EC2NodeClass",
		Every: time.Hour,
		Doc: "The account pays for room in a capacity reservation that no EC2NodeClass selects; the message says " +
			"which, and what it costs.",
	})
	ZoneBack = row(
		Reason{
			Name: "ZoneBack",
			Type: normal,
			On:   "EC2NodeClass",
			Doc:  "The zonal shift is over, and the zone is used again.",
		},
	)
)

// Reasons of events about zones that traffic is shifted away from.
var (
	ZonalShiftActive = row(Reason{
		Name: "ZonalShiftActive",
		Type: warning,
		On:   "NodePool",
		Doc: "Traffic was shifted away from a zone in which the NodePool buys: it buys nothing there until that is " +
			"over.",
	})
	ZonalShiftCleared = row(Reason{
		Name: "ZonalShiftCleared", Type: normal, On: "NodePool",
		Doc: "The zonal shift is over, and the NodePool buys in the zone again.",
	})
)

// Reasons of ours about single pods whose successor is started before they are evicted.
var (
	SuccessorStarted = row(
		Reason{
			Name: "SuccessorStarted",
			Type: normal,
			On:   "Pod",
			Doc:  "The pod's Deployment starts another one before this one is evicted (--surge-single-replicas).",
		},
	)
	SuccessorFailed = row(
		Reason{
			Name: "SuccessorFailed",
			Type: warning,
			On:   "Pod",
			Doc:  "The pod that was to take its place was not ready in time; the pod stays.",
		},
	)
)

// Reasons of ours that answer why.
var (
	SmallestChange = row(Reason{
		Name: "SmallestChange", Type: normal, On: "Pod", Every: 15 * time.Minute,
		Doc: "The smallest change that would give the pod a place, and where it would go then; a plan with it was " +
			"made.",
	})
	NodeClaimGone = row(Reason{
		Name: "NodeClaimGone", Type: normal, On: "NodeClaim",
		Doc: "The claim's last words: how long it was here, why it came and why it went. The annotation " +
			"dovetail.sh/life has all of it as JSON, for dovetail history.",
	})
)

// Reasons of ours about the hold switch.
var (
	DisruptionHeld = row(
		Reason{
			Name: "DisruptionHeld",
			Type: normal,
			On:   "NodePool",
			Doc:  "Somebody holds disruption; the message says who, why and until when.",
		},
	)
	DisruptionResumed = row(
		Reason{Name: "DisruptionResumed", Type: normal, On: "NodePool", Doc: "The hold is over, or was taken back."},
	)
)

var reasons []*Reason

func row(r Reason) *Reason {
	if r.Every == 0 {
		r.Every = defaultEvery
	}
	reasons = append(reasons, &r)
	return &r
}

// defaultEvery is how long the next event about the same is kept back.
const defaultEvery = 2 * time.Minute

// Transition is the event of a condition that changed: its reason is the condition's type.
func Transition(conditionType string) *Reason {
	return &Reason{Name: conditionType, Type: normal, Every: defaultEvery, Doc: "The condition of that name changed."}
}

// Reasons documents all events but those of conditions' transitions, in no order that matters.
func Reasons() []Reason {
	out := make([]Reason, 0, len(reasons))
	for _, r := range reasons {
		out = append(out, *r)
	}
	return out
}
