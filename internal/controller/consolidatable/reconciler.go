package consolidatable

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
)

// workers is how many claims are written at once: in a busy cluster each node comes by every few seconds.
const workers = 10

// Reconciler keeps the condition Consolidatable.
type Reconciler struct {
	Client client.Client
	Clock  clock.PassiveClock
}

// Reconcile sets or clears the condition of one claim, and comes back when it is due.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(
		ctx,
		types.NamespacedName{Name: claim.Labels[karpenterv1.NodePoolLabelKey]},
		pool,
	); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	now := r.Clock.Now()
	left, ever := Quiet(claim, pool, now)

	before := claim.DeepCopy()
	changed := false
	if ever && left <= 0 {
		changed = condition.True(claim, now, karpenterv1.ConditionConsolidatable)
	} else {
		changed = condition.Clear(claim, karpenterv1.ConditionConsolidatable)
	}
	if changed {
		patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
		if err := r.Client.Status().Patch(ctx, claim, patch); err != nil {
			return reconcile.Result{}, client.IgnoreNotFound(
				fmt.Errorf("writing Consolidatable of NodeClaim %s: %w", claim.Name, err),
			)
		}
	}
	if ever && left > 0 {
		return reconcile.Result{RequeueAfter: left}, nil
	}
	return reconcile.Result{}, nil
}

// Quiet is how long a claim's node has yet to be quiet. ever is false while there is nothing to
// wait for: the node is not initialized, or its pool never consolidates.
func Quiet(claim *karpenterv1.NodeClaim, pool *karpenterv1.NodePool, now time.Time) (left time.Duration, ever bool) {
	initialized := condition.Get(claim, karpenterv1.ConditionInitialized)
	switch {
	case pool.Spec.Replicas != nil, pool.Spec.Disruption.ConsolidateAfter.IsNever(),
		!condition.IsTrue(claim, karpenterv1.ConditionInitialized):
		return 0, false
	}
	since := initialized.LastTransitionTime.Time
	if last := claim.Status.LastPodEventTime; last != nil && last.After(since) {
		since = last.Time
	}
	return since.Add(*pool.Spec.Disruption.ConsolidateAfter.Duration).Sub(now), true
}

// Register has the manager call the Reconciler for every claim, and for all claims of a pool that changes.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("nodeclaim.consolidatable").WithOptions(calm.Options(workers)).
		For(&karpenterv1.NodeClaim{}).
		Watches(&karpenterv1.NodePool{}, handler.EnqueueRequestsFromMapFunc(r.claimsOf)).
		Complete(calm.Conflicts(r))
}

func (r *Reconciler) claimsOf(ctx context.Context, pool client.Object) []reconcile.Request {
	var claims karpenterv1.NodeClaimList
	if err := r.Client.List(
		ctx,
		&claims,
		client.MatchingLabels{karpenterv1.NodePoolLabelKey: pool.GetName()},
	); err != nil {
		return nil // the cache is not filled yet; each claim is reconciled once it is
	}
	out := make([]reconcile.Request, 0, len(claims.Items))
	for i := range claims.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&claims.Items[i])})
	}
	return out
}
