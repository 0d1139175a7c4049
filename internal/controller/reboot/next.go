package reboot

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
)

// Karpenter's figures.
const (
	// lookAgain is how often a reboot under way is looked at if nothing is seen to change.
	lookAgain = 15 * time.Second
	// issueWithin is how long the cloud is asked, again and again, to reboot a machine.
	issueWithin = 5 * time.Minute
	// recoverWithin is how long a node may take from there until it is ready.
	recoverWithin = 20 * time.Minute
	// leastDrain is for how long at least a node that is drained takes no new pods before it goes down.
	leastDrain = 5 * time.Second
)

// Results of reboots, as metrics name them.
const (
	succeeded       = "succeeded"
	providerError   = "provider_error"
	recoveryTimeout = "recovery_timeout"
	invalidRequest  = "invalid_request"
)

// sight is all that the next step depends on.
type sight struct {
	claim *karpenterv1.NodeClaim
	node  *corev1.Node // nil if it is gone
	now   time.Time
	// drained is set once no pod is left that the node's drain would wait for.
	drained bool
}

type kind int

const (
	rest   kind = iota // nothing but to come back
	tidy               // take away what is written on a claim whose reboot is over
	fence              // keep new pods and load balancers off the node
	drain              // ask the node's pods to go
	note               // write down the boot ID that the node has
	issue              // ask the cloud
	issued             // write down that the cloud has agreed
	sink               // the node is not ready for pods any more: take its label
	reopen             // the node has booted: let pods and load balancers come again
	succeed
	fail
)

// step is what to do next.
type step struct {
	kind kind
	// again is when to come back if nothing changes before; 0 for never.
	again time.Duration

	result, message string // of fail
}

// next chooses the step. It is pure.
func next(s sight) step {
	c := condition.Get(s.claim, karpenterv1.ConditionRebooting)
	switch {
	case c == nil || !s.claim.DeletionTimestamp.IsZero():
		return step{kind: rest}
	case c.Status != metav1.ConditionTrue:
		return step{kind: tidy}
	case c.Reason == karpenterv1.ReasonRebootIssued:
		return nextIssued(s, c.LastTransitionTime.Time)
	}
	return nextRequested(s, c.LastTransitionTime.Time)
}

// nextRequested is for a reboot that the cloud has not agreed to yet.
func nextRequested(s sight, requested time.Time) step {
	before := s.claim.Annotations[karpenterv1.RebootPreBootIDAnnotationKey]
	grace, bounded, err := graceOf(s.claim)
	switch {
	case err != nil:
		return step{kind: fail, result: invalidRequest, message: err.Error()}
	case timeOf(s.claim, nodehealth.AnnotationRebootIssued, time.Time{}).After(time.Time{}):
		return step{kind: issued}
	case s.node == nil:
		return orFail(s, requested)
	case before != "" && bootID(s.node) != before:
		return step{kind: issued} // it was rebooted, and the answer was lost
	case before != "":
		if s.now.Sub(timeOf(s.claim, nodehealth.AnnotationRebootAsked, requested)) >= issueWithin {
			return timedOut()
		}
		return step{kind: issue, again: lookAgain}
	case !has(s.node, karpenterv1.RebootingTaintKey):
		return step{kind: fence}
	case bounded && grace == 0:
		return step{kind: note}
	}
	if wait := requested.Add(leastDrain).Sub(s.now); wait > 0 {
		return step{kind: drain, again: wait}
	}
	if s.drained {
		return step{kind: note}
	}
	if !bounded {
		return step{kind: drain, again: lookAgain}
	}
	if left := requested.Add(grace).Sub(s.now); left > 0 {
		return step{kind: drain, again: min(left, lookAgain)}
	}
	return step{kind: note} // the pods that are left ride along
}

// orFail waits for a Node that is gone, for as long as the cloud would be asked.
func orFail(s sight, requested time.Time) step {
	left := requested.Add(issueWithin).Sub(s.now)
	if left <= 0 {
		return timedOut()
	}
	return step{kind: rest, again: min(left, lookAgain)}
}

func timedOut() step {
	return step{
		kind:    fail,
		result:  providerError,
		message: "the cloud did not agree to reboot the machine within " + issueWithin.String(),
	}
}

// nextIssued is for a node that boots.
func nextIssued(s sight, requested time.Time) step {
	left := timeOf(s.claim, nodehealth.AnnotationRebootIssued, requested).Add(recoverWithin).Sub(s.now)
	booted := s.node != nil && bootID(s.node) != s.claim.Annotations[karpenterv1.RebootPreBootIDAnnotationKey]
	switch {
	case booted && has(s.node, karpenterv1.RebootingTaintKey):
		return step{kind: reopen}
	case booted && condition.NodeReady(s.node) && s.node.Labels[karpenterv1.NodeInitializedLabelKey] != "true":
		return step{kind: succeed}
	case left <= 0:
		return step{
			kind:    fail,
			result:  recoveryTimeout,
			message: "the node was not ready within " + recoverWithin.String() + " after it was rebooted",
		}
	case s.node != nil && s.node.Labels[karpenterv1.NodeInitializedLabelKey] == "true":
		return step{kind: sink}
	}
	return step{kind: rest, again: min(left, lookAgain)}
}

// graceOf is how long the drain may take, if it is bounded.
func graceOf(claim *karpenterv1.NodeClaim) (grace time.Duration, bounded bool, err error) {
	text, bounded := claim.Annotations[karpenterv1.RebootGracePeriodAnnotationKey]
	if !bounded {
		return 0, false, nil
	}
	grace, err = time.ParseDuration(text)
	if err != nil || grace < 0 {
		return 0, true, fmt.Errorf(
			"annotation %s is %q, and no duration such as 5m",
			karpenterv1.RebootGracePeriodAnnotationKey,
			text,
		)
	}
	return grace, true, nil
}

// timeOf reads an annotation; what cannot be read is as if it were the other time.
func timeOf(claim *karpenterv1.NodeClaim, key string, other time.Time) time.Time {
	at, err := time.Parse(time.RFC3339, claim.Annotations[key])
	if err != nil {
		return other
	}
	return at
}

func bootID(node *corev1.Node) string { return node.Status.NodeInfo.BootID }

func has(node *corev1.Node, key string) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
}

// operation names a reboot, the same however often the cloud is asked for it.
func operation(claim *karpenterv1.NodeClaim) string {
	requested := condition.Get(claim, karpenterv1.ConditionRebooting).LastTransitionTime
	return fmt.Sprintf(
		"%s-%d-%s",
		claim.UID,
		requested.UnixNano(),
		claim.Annotations[karpenterv1.RebootPreBootIDAnnotationKey],
	)
}
