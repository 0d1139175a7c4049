package lifecycle

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Reasons for giving a claim up, as metrics name them.
const (
	ReasonInsufficientCapacity  = "insufficient_capacity"
	ReasonNodeClassNotReady     = "nodeclass_not_ready"
	ReasonLaunchTimeout         = "launch_timeout"
	ReasonRegistrationTimeout   = "registration_timeout"
	ReasonInitializationTimeout = "initialization_timeout"
)

// Limits say how long each stage may take; 0 is without limit.
type Limits struct {
	Launch, Registration, Initialization time.Duration
}

// sight is all that is seen before deciding.
type sight struct {
	claim  *karpenterv1.NodeClaim
	nodes  []corev1.Node // of the claim's machine
	now    time.Time
	limits Limits
}

type kind int

const (
	rest       kind = iota // nothing but to write the condition and to come back
	launch                 // buy the machine
	register               // make the node the claim's
	initialize             // say that the node is ready for pods
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
	case !condition.IsTrue(s.claim, karpenterv1.ConditionRegistered):
		return nextRegister(s)
	case s.lost(karpenterv1.NodeRegisteredLabelKey):
		return step{kind: register}
	case !condition.IsTrue(s.claim, karpenterv1.ConditionInitialized):
		return nextInitialize(s)
	case s.lost(karpenterv1.NodeInitializedLabelKey):
		if reason, _ := obstacle(s.claim, &s.nodes[0]); reason == "" {
			return step{kind: initialize}
		}
	}
	return step{kind: rest}
}

// lost reports whether a node that was registered lacks one of our labels because it is another one: somebody deleted the Node by
// force, and the machine's kubelet made it anew, with the taint that only we take away.
func (s sight) lost(label string) bool {
	return len(s.nodes) == 1 && s.nodes[0].Labels[label] != "true" &&
		s.nodes[0].CreationTimestamp.After(s.since(karpenterv1.ConditionRegistered))
}

func nextLaunch(s sight) step {
	left, over := s.left(s.limits.Launch, s.claim.CreationTimestamp.Time)
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
	left, over := s.left(s.limits.Initialization, s.since(karpenterv1.ConditionRegistered))
	reason, message := "", ""
	if len(s.nodes) == 0 {
		reason, message = karpenterv1.ReasonNodeNotFound, "The node is not there."
	} else {
		reason, message = obstacle(s.claim, &s.nodes[0])
	}
	if reason == "" {
		return step{kind: initialize}
	}
	if over {
		return step{kind: giveUp, reason: ReasonInitializationTimeout}
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
