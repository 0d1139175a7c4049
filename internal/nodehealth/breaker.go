package nodehealth

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// BreakerPercent of a pool's nodes, rounded up, may be unhealthy at once for any of them to be repaired: if more are,
// the reason is more likely elsewhere. Karpenter's figure.
const BreakerPercent = 20

// TooMany reports whether so many of the nodes are unhealthy that none is repaired.
func TooMany(unhealthy, total int) bool {
	return unhealthy > (total*BreakerPercent+99)/100
}

// Breaker counts the nodes of one pool that may trip it.
type Breaker struct{ bad, total int }

// Count adds a node that is neither starting nor being mended.
func (b *Breaker) Count(bad bool) {
	if b.total++; bad {
		b.bad++
	}
}

// Why says why none of the nodes is repaired, without a full stop; empty if the breaker has not tripped.
func (b *Breaker) Why() string {
	if !TooMany(b.bad, b.total) {
		return ""
	}
	return fmt.Sprintf(
		"%d of %d nodes are unhealthy, more than %d %%: none of them is replaced",
		b.bad,
		b.total,
		BreakerPercent,
	)
}

// Vetoed reports whether somebody asks to leave a sick node alone, on it or on its claim. Any other value asks for
// nothing.
func Vetoed(node *corev1.Node, claim *karpenterv1.NodeClaim) bool {
	return node.Annotations[karpenterv1.DoNotRepairAnnotationKey] == "true" ||
		claim.Annotations[karpenterv1.DoNotRepairAnnotationKey] == "true"
}

// DrainBound is how long the drain of a sick node may take; nil for as long as it takes.
func (d Diagnosis) DrainBound(claim *karpenterv1.NodeClaim) *time.Duration {
	var own *time.Duration
	if period := claim.Spec.TerminationGracePeriod; period != nil {
		own = &period.Duration
	}
	if d.Cure != nil {
		return shorter(d.Cure.GracePeriod, own)
	}
	// A reboot was in vain: what it was allowed holds.
	if g, err := time.ParseDuration(claim.Annotations[karpenterv1.RebootGracePeriodAnnotationKey]); err == nil {
		return shorter(&g, own)
	}
	return own
}

// EndDrain writes on a claim when its drain has to be over, unless that is to be sooner already. It reports whether
// there is anything to save.
func EndDrain(claim *karpenterv1.NodeClaim, at time.Time) (changed bool) {
	text, has := claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey]
	end, err := time.Parse(time.RFC3339, text)
	if has && err == nil && !at.Truncate(time.Second).Before(end) {
		return false
	}
	if claim.Annotations == nil {
		claim.Annotations = map[string]string{}
	}
	claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey] = at.UTC().Format(time.RFC3339)
	return true
}
