package nodehealth

import (
	"encoding/json"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

// AnnotationReboots on a NodeClaim has the times, in RFC 3339 as a JSON list, at which its node's last reboots were
// issued. It is on the claim so that another controller does not reboot a node again and again.
const AnnotationReboots = "dovetail.sh/reboots"

// Annotations on a NodeClaim of a reboot that is under way: when the cloud was first asked for it, and when it agreed,
// both in RFC 3339. A controller that takes over goes by them.
const (
	AnnotationRebootAsked  = "dovetail.sh/reboot-asked-at"
	AnnotationRebootIssued = "dovetail.sh/reboot-issued-at"
)

// ForgetReboot takes away what is written on a claim of a reboot that is over. It reports whether there was anything.
func ForgetReboot(claim *karpenterv1.NodeClaim) (changed bool) {
	for _, key := range []string{
		karpenterv1.RebootPreBootIDAnnotationKey, AnnotationRebootAsked, AnnotationRebootIssued,
	} {
		if _, has := claim.Annotations[key]; has {
			delete(claim.Annotations, key)
			changed = true
		}
	}
	return changed
}

// A node that was rebooted mostReboots times within rebootsWithin, and is still unhealthy, is replaced. Karpenter's
// figures.
const (
	mostReboots   = 2
	rebootsWithin = 24 * time.Hour
)

// Reboots are those of a claim's node that still count.
func Reboots(claim *karpenterv1.NodeClaim, now time.Time) []metav1.Time {
	var all, out []metav1.Time
	if json.Unmarshal([]byte(claim.Annotations[AnnotationReboots]), &all) != nil {
		return nil // what cannot be read counts for nothing
	}
	for _, at := range all {
		if now.Sub(at.Time) < rebootsWithin {
			out = append(out, at)
		}
	}
	return out
}

// WithReboot is the value of AnnotationReboots after one more reboot.
func WithReboot(claim *karpenterv1.NodeClaim, now time.Time) string {
	text, err := json.Marshal(append(Reboots(claim, now), metav1.NewTime(now.UTC().Truncate(time.Second))))
	if err != nil {
		return "" // a list of times always can be written
	}
	return string(text)
}

// Rebooting reports whether a claim's node is to be rebooted, or is booting.
func Rebooting(claim *karpenterv1.NodeClaim) bool {
	return condition.IsTrue(claim, karpenterv1.ConditionRebooting)
}

// freshSince is when a claim's machine was last rebooted with success: nothing that is wrong with it counts from
// before. The zero time is never.
func freshSince(claim *karpenterv1.NodeClaim) time.Time {
	c := condition.Get(claim, karpenterv1.ConditionRebooting)
	if c != nil && c.Status == metav1.ConditionFalse && c.Reason == karpenterv1.ReasonRebootSucceeded {
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}

// RebootFailed reports whether the last reboot of a claim's node was in vain.
func RebootFailed(claim *karpenterv1.NodeClaim) bool {
	c := condition.Get(claim, karpenterv1.ConditionRebooting)
	return c != nil && c.Status == metav1.ConditionFalse && c.Reason == karpenterv1.ReasonRebootFailed
}

// Stands reports whether a node that was chosen to be replaced because it is sick still is to go.
func (d Diagnosis) Stands(claim *karpenterv1.NodeClaim) bool {
	return d.Cure != nil || d.Bad && RebootFailed(claim)
}

// Replaces reports whether a sick node's time is over and a reboot would not help.
func (d Diagnosis) Replaces(claim *karpenterv1.NodeClaim, now time.Time) bool {
	return d.Cure != nil && (d.Cure.Action == provider.ReplaceNode || Escalates(claim, now))
}

// Escalates reports whether another reboot would not help: there were enough of them, or the last one failed.
func Escalates(claim *karpenterv1.NodeClaim, now time.Time) bool {
	c := condition.Get(claim, karpenterv1.ConditionRebooting)
	return RebootFailed(claim) && now.Sub(c.LastTransitionTime.Time) < rebootsWithin ||
		len(Reboots(claim, now)) >= mostReboots
}
