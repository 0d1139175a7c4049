package expire

import (
	"context"
	"fmt"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Reason is why expired claims are disrupted, as metrics name it.
const Reason = "expired"

// Deps are what a Reconciler needs; all are required.
type Deps struct {
	Client client.Reader
	Clock  clock.PassiveClock

	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error
}

// Reconciler deletes claims when their time is over.
type Reconciler struct{ Deps }

// Reconcile deletes a claim, or comes back when it is due.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	left, expires := remaining(claim, r.Clock.Now())
	switch {
	case !expires:
		return reconcile.Result{}, nil
	case left > 0:
		return reconcile.Result{RequeueAfter: left}, nil
	}
	if err := r.Delete(ctx, claim, Reason); err != nil {
		return reconcile.Result{}, fmt.Errorf("deleting expired NodeClaim %s: %w", claim.Name, err)
	}
	return reconcile.Result{}, nil
}

// remaining is how long a claim may still live. expires is false for claims that never do, or are going already.
func remaining(claim *karpenterv1.NodeClaim, now time.Time) (left time.Duration, expires bool) {
	if !claim.DeletionTimestamp.IsZero() || claim.Spec.ExpireAfter.IsNever() {
		return 0, false
	}
	return claim.CreationTimestamp.Add(*claim.Spec.ExpireAfter.Duration).Sub(now), true
}

// Register has the manager call the Reconciler for every claim.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("nodeclaim.expiration").For(&karpenterv1.NodeClaim{}).Complete(r)
}
