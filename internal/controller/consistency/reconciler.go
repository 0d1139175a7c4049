package consistency

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

const (
	// every is how often an initialized claim is checked. Karpenter's figure.
	every = 10 * time.Minute
)

// Reconciler keeps the condition ConsistentStateFound.
type Reconciler struct {
	Client client.Client
	Clock  clock.PassiveClock
	Events *observe.Recorder
}

// Reconcile checks one claim.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if !claim.DeletionTimestamp.IsZero() || !condition.IsTrue(claim, karpenterv1.ConditionInitialized) {
		return reconcile.Result{}, nil
	}
	nodes, err := lookup.Nodes(ctx, r.Client, claim.Status.ProviderID)
	if err != nil || len(nodes) != 1 {
		return reconcile.Result{}, err // no node or two: lifecycle and collect say so
	}
	return r.write(ctx, claim, problems(claim, &nodes[0]), &nodes[0])
}

func (r *Reconciler) write(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
	found []string,
	node *corev1.Node,
) (reconcile.Result, error) {
	before := claim.DeepCopy()
	changed := false
	if len(found) == 0 {
		changed = condition.True(claim, r.Clock.Now(), karpenterv1.ConditionConsistentStateFound)
	} else {
		message := strings.Join(found, "; ")
		r.Events.Emitf(
			claim,
			observe.FailedConsistencyCheck,
			"Node %s is not what was launched: %s.",
			node.Name,
			message,
		)
		changed = condition.False(
			claim,
			r.Clock.Now(),
			karpenterv1.ConditionConsistentStateFound,
			karpenterv1.ReasonConsistencyCheckFailed,
			message,
		)
	}
	if !changed {
		return reconcile.Result{RequeueAfter: every}, nil
	}
	err := r.Client.Status().
		Patch(ctx, claim, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("writing ConsistentStateFound of NodeClaim %s: %w", claim.Name, err)
	}
	return reconcile.Result{RequeueAfter: every}, nil
}

// Register has the manager call the Reconciler when a claim is initialized, and from then on at intervals.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("nodeclaim.consistency").WithOptions(calm.Options(1)).
		For(&karpenterv1.NodeClaim{}, builder.WithPredicates(becameInitialized())).
		Complete(calm.Conflicts(r))
}

func becameInitialized() predicate.Predicate {
	initialized := func(o client.Object) bool {
		claim, ok := o.(*karpenterv1.NodeClaim)
		return ok && condition.IsTrue(claim, karpenterv1.ConditionInitialized)
	}
	return predicate.Funcs{
		UpdateFunc: func(e event.UpdateEvent) bool { return !initialized(e.ObjectOld) && initialized(e.ObjectNew) },
	}
}
