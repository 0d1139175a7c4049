package translate

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// AnnotationMachineEnds on a NodeClaim is when the cloud ends its machine, in RFC 3339. Whatever is on the node must
// have stopped by then, so pods that must not be disrupted move too.
const AnnotationMachineEnds = "dovetail.sh/machine-ends"

// MachineEnds is when the cloud ends a claim's machine; zero if nothing is known of that. The error names the claim and
// the way out.
func MachineEnds(claim *karpenterv1.NodeClaim) (time.Time, error) {
	text, noted := claim.Annotations[AnnotationMachineEnds]
	if !noted {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf(
			"reading annotation %s of NodeClaim %s: %w; set it to a time such as 2026-01-31T12:00:00Z",
			AnnotationMachineEnds,
			claim.Name,
			err,
		)
	}
	return at, nil
}

// forced reports whether a claim's pods have to go by a time that nobody can put off.
func forced(claim *karpenterv1.NodeClaim) bool {
	if claim == nil {
		return false
	}
	at, err := MachineEnds(claim)
	return err == nil && !at.IsZero()
}

// Gone reports whether a claim had a Node and has it no more, though its machine may run: somebody deleted the Node by
// force, and kubelets do not always make it anew.
func Gone(claim *karpenterv1.NodeClaim) bool {
	c := condition.Get(claim, karpenterv1.ConditionRegistered)
	return claim.Status.NodeName != "" && c != nil && c.Status != metav1.ConditionTrue
}
