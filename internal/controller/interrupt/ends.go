package interrupt

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

const (
	// shortestNotice is what EC2 gives at the least before it takes a machine back, and the most that is left of a
	// notice which comes at once.
	shortestNotice = 2 * time.Minute

	// lateNotice is what pods are given when a notice was read after its time: the machine may run on for a moment.
	lateNotice = 30 * time.Second
)

// endOf is when a notice's machine ends; zero if nobody knows.
func endOf(n provider.Notice, now time.Time) time.Time {
	switch n.Kind {
	case provider.SpotInterrupted, provider.CapacityReservationInterrupted:
		latest := now.Add(shortestNotice)
		if n.Ends.IsZero() || n.Ends.After(latest) {
			return latest
		}
		if earliest := now.Add(lateNotice); n.Ends.Before(earliest) {
			return earliest
		}
		return n.Ends
	case provider.InstanceStopped:
		return now.Add(lateNotice) // it may be about to stop, and its kubelet with it
	case provider.InstanceTerminated:
		return now
	}
	return time.Time{}
}

// ends notes on a claim when its machine ends, for the drain, whether that has begun or is about to. Of several times
// the first counts.
func (l *Listener) ends(ctx context.Context, claim *karpenterv1.NodeClaim, at time.Time) error {
	return NoteEnd(ctx, l.Client, claim, at)
}

// NoteEnd notes on a claim when the cloud ends its machine; zero is no news. Of several times the first counts.
func NoteEnd(ctx context.Context, c client.Client, claim *karpenterv1.NodeClaim, at time.Time) error {
	at = at.Truncate(time.Second)
	known, err := translate.MachineEnds(claim)
	if at.IsZero() || err == nil && !known.IsZero() && !at.Before(known) {
		return nil
	}
	changed := claim.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	changed.Annotations[translate.AnnotationMachineEnds] = at.UTC().Format(time.RFC3339)
	if err := c.Patch(ctx, changed, client.MergeFrom(claim)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("noting on NodeClaim %s when its machine ends: %w", claim.Name, err)
	}
	return nil
}
