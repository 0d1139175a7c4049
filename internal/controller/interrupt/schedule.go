package interrupt

import (
	"context"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// AnnotationScheduledChange is when maintenance of a claim's machine begins, in RFC 3339. It outlives the daemon, which
// the message does not. Without it the node stays.
const AnnotationScheduledChange = "dovetail.sh/scheduled-change"

// lead is how long before maintenance a node is given up at least. Nodes whose drain may take longer have that long.
const lead = time.Hour

// schedule notes on a claim when its machine's maintenance begins. Of several the first counts. Maintenance without a
// time is taken to begin now.
func (l *Listener) schedule(ctx context.Context, claim *karpenterv1.NodeClaim, n provider.Notice) error {
	had, noted := claim.Annotations[AnnotationScheduledChange]
	start := n.Start.UTC().Format(time.RFC3339)
	switch known, err := time.Parse(time.RFC3339, had); {
	case n.Over:
		if !noted || had != start {
			return nil
		}
		return l.annotate(ctx, claim, func(a map[string]string) {
			delete(a, AnnotationScheduledChange)
			if a[translate.AnnotationMachineEnds] == start {
				delete(a, translate.AnnotationMachineEnds)
			}
		})
	case n.Start.IsZero() && !claim.DeletionTimestamp.IsZero():
		return nil
	case n.Start.IsZero():
		l.tell(
			ctx,
			claim,
			observe.InstanceUnhealthy,
			"The cloud has planned maintenance of the machine and did not say when",
		)
		return l.retire(ctx, claim, n.Kind)
	case err == nil && !n.Start.Before(known):
		return nil
	}
	l.tell(ctx, claim, observe.InstanceUnhealthy, "The cloud has planned maintenance of the machine from "+start)
	return l.annotate(ctx, claim, func(a map[string]string) { a[AnnotationScheduledChange] = start })
}

func (l *Listener) annotate(ctx context.Context, claim *karpenterv1.NodeClaim, change func(map[string]string)) error {
	changed := claim.DeepCopy()
	if changed.Annotations == nil {
		changed.Annotations = map[string]string{}
	}
	change(changed.Annotations)
	if err := l.Client.Patch(ctx, changed, client.MergeFrom(claim)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("annotating NodeClaim %s: %w", claim.Name, err)
	}
	return nil
}

// Reconcile deletes a claim whose machine's maintenance is near, or comes back when it is. The drain of one that goes
// already is over when maintenance begins.
func (l *Listener) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	claim := &karpenterv1.NodeClaim{}
	if err := l.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	start, left, planned, err := remaining(claim, l.Clock.Now())
	if err != nil {
		l.Log.Error(
			err,
			"reading when maintenance begins; the annotation has no effect",
			observe.LogNodeClaim,
			claim.Name,
		)
	}
	switch {
	case !planned:
		return reconcile.Result{}, nil
	case left > 0:
		return reconcile.Result{RequeueAfter: left}, nil
	}
	if err := l.ends(ctx, claim, start); err != nil || !claim.DeletionTimestamp.IsZero() {
		return reconcile.Result{}, err
	}
	return reconcile.Result{}, l.retire(ctx, claim, provider.ScheduledChange)
}

// remaining is how long a claim may still live before maintenance, and when that begins. planned is false for claims
// that have none ahead.
func remaining(
	claim *karpenterv1.NodeClaim,
	now time.Time,
) (start time.Time, left time.Duration, planned bool, err error) {
	text, ok := claim.Annotations[AnnotationScheduledChange]
	if !ok {
		return time.Time{}, 0, false, nil
	}
	if start, err = time.Parse(time.RFC3339, text); err != nil {
		return time.Time{}, 0, false, fmt.Errorf(
			"annotation %s of NodeClaim %s must be a time such as 2026-01-02T15:04:05Z: %w",
			AnnotationScheduledChange,
			claim.Name,
			err,
		)
	}
	before := lead
	if grace := claim.Spec.TerminationGracePeriod; grace != nil {
		before = max(before, grace.Duration)
	}
	return start, start.Add(-before).Sub(now), true, nil
}

// RegisterSchedule has the manager call the Listener for claims with maintenance ahead.
func (l *Listener) RegisterSchedule(m manager.Manager) error {
	planned := predicate.NewPredicateFuncs(func(o client.Object) bool {
		_, ok := o.GetAnnotations()[AnnotationScheduledChange]
		return ok
	})
	return builder.ControllerManagedBy(m).
		Named("interruption").
		WithOptions(calm.Options(1)).
		For(&karpenterv1.NodeClaim{}, builder.WithPredicates(planned)).
		Complete(l)
}
