package lifecycle

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// Reasons for giving a claim up, as metrics name them.
const (
	ReasonInsufficientCapacity  = "insufficient_capacity"
	ReasonNodeClassNotReady     = "nodeclass_not_ready"
	ReasonLaunchTimeout         = "launch_timeout"
	ReasonRegistrationTimeout   = "registration_timeout"
	ReasonInitializationTimeout = "initialization_timeout"
	ReasonNodeGone              = "node_gone"
)

const (
	// rejoinWithin is how long the Node of a registered claim may be gone before the machine is given up. A kubelet
	// that is started anew registers within seconds; one that runs on never does.
	rejoinWithin = 2 * time.Minute

	// labelsSeenWithin is how long the cache may take to show the labels that were put on a node.
	labelsSeenWithin = 30 * time.Second

	// lookForPools is how often it is seen whether the drivers of a node have published their devices.
	lookForPools = 2 * time.Second

	// launchAtMost is the limit of a launch without one: a claim that waits for its machine is room for the pods it was
	// made for, and they are not served elsewhere.
	launchAtMost = time.Hour
)

// Limits say how long each stage may take; 0 is without limit, but for a launch: that is tried for an hour then.
type Limits struct {
	Launch, Registration, Initialization time.Duration
}

// sight is all that is seen before deciding.
type sight struct {
	claim  *karpenterv1.NodeClaim
	nodes  []corev1.Node // of the claim's machine
	now    time.Time
	limits Limits

	devices *devices.World // nil if claims for devices are not planned
}

type kind int

const (
	rest       kind = iota // nothing but to write the condition and to come back
	launch                 // buy the machine
	register               // make the node the claim's
	initialize             // say that the node is ready for pods
	miss                   // make sure that the node of a registered claim is gone, and say so
	giveUp                 // delete the claim
)

// step is what to do next.
type step struct {
	kind kind

	// open is the condition that is not True yet, and why; its Type is empty if all are.
	open metav1.Condition

	// reason of giveUp, as metrics name it.
	reason string

	// again is when to come back if nothing changes before; 0 for never.
	again time.Duration
}

// next chooses the step. It is pure: see next_test.go for every case.
func next(s sight) step {
	switch {
	case !condition.IsTrue(s.claim, karpenterv1.ConditionLaunched):
		return nextLaunch(s)
	case !condition.IsTrue(s.claim, karpenterv1.ConditionRegistered) && s.claim.Status.NodeName != "":
		return nextRejoin(s)
	case !condition.IsTrue(s.claim, karpenterv1.ConditionRegistered):
		return nextRegister(s)
	case len(s.nodes) == 0 && s.claim.Status.NodeName != "":
		return step{kind: miss}
	case condition.IsTrue(s.claim, karpenterv1.ConditionRebooting):
		return step{kind: rest} // internal/controller/reboot says when it is over
	case s.lost(karpenterv1.NodeRegisteredLabelKey):
		return step{kind: register}
	case !condition.IsTrue(s.claim, karpenterv1.ConditionInitialized):
		return nextInitialize(s)
	case s.lost(karpenterv1.NodeInitializedLabelKey):
		if reason, _ := obstacle(s.claim, &s.nodes[0], s.devices); reason == "" {
			return step{kind: initialize}
		}
	case len(s.nodes) > 0 && s.nodes[0].Labels[karpenterv1.NodeInitializedLabelKey] != "true":
		return step{kind: rest, again: labelsSeenWithin}
	}
	return step{kind: rest}
}

// lost reports whether a node that was registered lacks one of our labels. Somebody took it off, or it is another Node:
// the one that was registered was deleted by force, and the machine's kubelet made it anew, with the taint that only we
// take away. Right after we wrote it the cache does not show it yet.
func (s sight) lost(label string) bool {
	if len(s.nodes) == 0 || s.nodes[0].Labels[label] == "true" {
		return false
	}
	written := s.since(karpenterv1.ConditionRegistered)
	if at := s.since(
		karpenterv1.ConditionInitialized,
	); label == karpenterv1.NodeInitializedLabelKey &&
		at.After(written) {
		written = at
	}
	return anew(s.claim, &s.nodes[0]) || s.now.Sub(written) >= labelsSeenWithin
}

// anew reports whether a node was made after the claim had registered, or made ready, another one of its name.
func anew(claim *karpenterv1.NodeClaim, node *corev1.Node) bool {
	for _, stage := range []string{karpenterv1.ConditionRegistered, karpenterv1.ConditionInitialized} {
		if c := condition.Get(
			claim,
			stage,
		); c != nil && c.Status == metav1.ConditionTrue &&
			node.CreationTimestamp.After(c.LastTransitionTime.Time) {
			return true
		}
	}
	return false
}

// nextRejoin is for a claim whose Node is gone though its machine runs: a kubelet that is started anew brings it back,
// nothing else does.
func nextRejoin(s sight) step {
	if len(s.nodes) > 0 {
		return step{kind: register}
	}
	left, over := s.left(rejoinWithin, s.since(karpenterv1.ConditionRegistered))
	if over {
		return step{kind: giveUp, reason: ReasonNodeGone}
	}
	return step{kind: rest, again: left}
}

// missing is what is said of a claim whose Node is gone.
func missing(claim *karpenterv1.NodeClaim) metav1.Condition {
	return metav1.Condition{
		Type:   karpenterv1.ConditionRegistered,
		Status: metav1.ConditionUnknown,
		Reason: karpenterv1.ReasonNodeNotFound,
		Message: fmt.Sprintf(
			"Node %s is gone and its machine is not. If it does not join again within %s, the machine is given up.",
			claim.Status.NodeName,
			rejoinWithin,
		),
	}
}

func nextLaunch(s sight) step {
	left, over := s.left(cmp.Or(s.limits.Launch, launchAtMost), s.claim.CreationTimestamp.Time)
	if over {
		return step{kind: giveUp, reason: ReasonLaunchTimeout}
	}
	return step{kind: launch, again: left}
}

func nextRegister(s sight) step {
	left, over := s.left(s.limits.Registration, s.since(karpenterv1.ConditionLaunched))
	switch len(s.nodes) {
	case 0:
		if over {
			return step{kind: giveUp, reason: ReasonRegistrationTimeout}
		}
		return open(rest, karpenterv1.ConditionRegistered, karpenterv1.ReasonNodeNotFound,
			"No node with the machine's provider ID has joined the cluster yet.", left)
	case 1:
		return step{kind: register}
	default:
		if over {
			return step{kind: giveUp, reason: ReasonRegistrationTimeout}
		}
		names := make([]string, 0, len(s.nodes))
		for i := range s.nodes {
			names = append(names, s.nodes[i].Name)
		}
		return open(rest, karpenterv1.ConditionRegistered, karpenterv1.ReasonMultipleNodesFound,
			fmt.Sprintf("Nodes %s have the same provider ID; delete all but one.", strings.Join(names, ", ")), left)
	}
}

func nextInitialize(s sight) step {
	began := s.since(karpenterv1.ConditionRegistered)
	if c := condition.Get(s.claim, karpenterv1.ConditionRebooting); c != nil && c.LastTransitionTime.After(began) {
		began = c.LastTransitionTime.Time // it starts anew after a reboot
	}
	left, over := s.left(s.limits.Initialization, began)
	reason, message := "", ""
	if len(s.nodes) == 0 {
		reason, message = karpenterv1.ReasonNodeNotFound, "The node is not there."
	} else {
		reason, message = obstacle(s.claim, &s.nodes[0], s.devices)
	}
	if reason == "" {
		return step{kind: initialize}
	}
	if over {
		return step{kind: giveUp, reason: ReasonInitializationTimeout}
	}
	if reason == karpenterv1.ReasonDRADriverPoolsNotPublished && (left <= 0 || left > lookForPools) {
		left = lookForPools
	}
	return open(rest, karpenterv1.ConditionInitialized, reason, message, left)
}

func open(k kind, conditionType, reason, message string, again time.Duration) step {
	return step{kind: k, again: again, open: metav1.Condition{
		Type: conditionType, Status: metav1.ConditionUnknown, Reason: reason, Message: message,
	}}
}

// since is when a condition got its status.
func (s sight) since(conditionType string) time.Time {
	if c := condition.Get(s.claim, conditionType); c != nil {
		return c.LastTransitionTime.Time
	}
	return s.claim.CreationTimestamp.Time
}

// left is how much of a limit is left; 0 and false when there is none.
func (s sight) left(limit time.Duration, since time.Time) (left time.Duration, over bool) {
	if limit <= 0 {
		return 0, false
	}
	left = since.Add(limit).Sub(s.now)
	return max(left, 0), left <= 0
}
