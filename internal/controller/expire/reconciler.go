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

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/hold"
)

// AnnotationGraceful on a NodePool, with the value "true", has its expired nodes replaced like drifted ones: a new node
// first, within the pool's budgets for drift, and not while a pod or a PodDisruptionBudget forbids it. Without it they
// go at once.
const AnnotationGraceful = "dovetail.sh/graceful-expiration"

// Graceful reports whether a pool's expired nodes are replaced first.
func Graceful(pool *karpenterv1.NodePool) bool { return pool.Annotations[AnnotationGraceful] == "true" }

// lookAgain is how soon it is looked again whether an expired claim that drift sees to is still drift's business, or
// one that is held still held.
const lookAgain = time.Minute

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
	left, expires := Remaining(claim, r.Clock.Now())
	switch {
	case !expires:
		return reconcile.Result{}, nil
	case left > 0:
		return reconcile.Result{RequeueAfter: left}, nil
	}
	switch again, err := r.heldFor(ctx, claim); {
	case err != nil:
		return reconcile.Result{}, fmt.Errorf(
			"looking for holds before expired NodeClaim %s goes: %w",
			claim.Name,
			err,
		)
	case again > 0:
		return reconcile.Result{RequeueAfter: again}, nil
	}
	switch graceful, err := r.graceful(ctx, claim); {
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("reading the NodePool of expired NodeClaim %s: %w", claim.Name, err)
	case graceful:
		return reconcile.Result{RequeueAfter: lookAgain}, nil
	}
	if err := r.Delete(ctx, claim, Reason); err != nil {
		return reconcile.Result{}, fmt.Errorf("deleting expired NodeClaim %s: %w", claim.Name, err)
	}
	return reconcile.Result{}, nil
}

// heldFor is when to look again at an expired claim whose pool is held still; 0 if it is not.
func (r *Reconciler) heldFor(ctx context.Context, claim *karpenterv1.NodeClaim) (time.Duration, error) {
	var pools karpenterv1.NodePoolList
	if err := r.Client.List(ctx, &pools); err != nil {
		return 0, err
	}
	h, held := hold.All(pools.Items, r.Clock.Now())[claim.Labels[karpenterv1.NodePoolLabelKey]]
	switch {
	case !held:
		return 0, nil
	case h.Until.IsZero():
		return lookAgain, nil
	}
	return min(max(h.Until.Sub(r.Clock.Now()), time.Second), lookAgain), nil
}

// graceful reports whether drift sees to an expired claim: its node is in use, and its pool wants that.
func (r *Reconciler) graceful(ctx context.Context, claim *karpenterv1.NodeClaim) (bool, error) {
	name := claim.Labels[karpenterv1.NodePoolLabelKey]
	if name == "" || !condition.IsTrue(claim, karpenterv1.ConditionInitialized) {
		return false, nil
	}
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: name}, pool); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return Graceful(pool), nil
}

// Remaining is how long a claim may still live. expires is false for claims that never do, or are going already.
func Remaining(claim *karpenterv1.NodeClaim, now time.Time) (left time.Duration, expires bool) {
	if !claim.DeletionTimestamp.IsZero() || claim.Spec.ExpireAfter.IsNever() {
		return 0, false
	}
	return claim.CreationTimestamp.Add(*claim.Spec.ExpireAfter.Duration).Sub(now), true
}

// Register has the manager call the Reconciler for every claim.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).
		Named("nodeclaim.expiration").
		WithOptions(calm.Options(1)).
		For(&karpenterv1.NodeClaim{}).
		Complete(r)
}
