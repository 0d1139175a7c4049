package drift

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/controller/expire"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/provider"
)

const (
	// every is how often a claim is looked at when nothing is seen to change: images and types
	// change in the cloud without a word. Karpenter's figure.
	every = 5 * time.Minute

	// workers is how many claims are looked at at once.
	workers = 10
)

// cloud is the part of a provider.Cloud that drift needs.
type cloud interface {
	Drift(ctx context.Context, claim *karpenterv1.NodeClaim) (reason string, err error)
}

// Reconciler keeps the condition Drifted.
type Reconciler struct {
	Client client.Client
	Cloud  cloud
	Market *market.Market
	Clock  clock.PassiveClock

	// Aliases are the cloud's other names of well-known labels.
	Aliases karpenterv1.LabelAliases
}

// Reconcile sets or clears Drifted on one claim.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	name := claim.Labels[karpenterv1.NodePoolLabelKey]
	if name == "" || !claim.DeletionTimestamp.IsZero() || claim.Spec.NodeClassRef == nil {
		return reconcile.Result{}, nil
	}
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(ctx, types.NamespacedName{Name: name}, pool); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	why, err := r.why(ctx, claim, pool)
	if err != nil {
		return reconcile.Result{}, err
	}
	result, err := r.write(ctx, claim, why)
	if left, expires := expire.Remaining(claim, r.Clock.Now()); expires && expire.Graceful(pool) && left > 0 {
		result.RequeueAfter = min(result.RequeueAfter, left)
	}
	return result, err
}

// why asks in the order in which reasons count, the costly questions last.
func (r *Reconciler) why(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
	pool *karpenterv1.NodePool,
) (cause, error) {
	if !condition.IsTrue(claim, karpenterv1.ConditionLaunched) {
		return cause{}, nil
	}
	if why := onPaper(claim, pool, r.Aliases, r.Clock.Now()); why.reason != "" {
		return why, nil
	}
	offered, err := r.Market.ForClaim(ctx, claim, pool)
	if err != nil && !unready(err) {
		return cause{}, fmt.Errorf("listing instance types for NodeClaim %s: %w", claim.Name, err)
	}
	if why := typeDrift(claim, offered, r.Clock.Now()); why.reason != "" {
		return why, nil
	}
	reason, err := r.Cloud.Drift(ctx, claim)
	switch {
	case err != nil && unready(err):
		return standing(claim), nil // the class's own condition says what is wrong
	case errors.Is(err, provider.ErrNotFound):
		return cause{}, nil // collect deletes the claim
	case err != nil:
		return cause{}, fmt.Errorf("asking the cloud whether NodeClaim %s has drifted: %w", claim.Name, err)
	case reason != "":
		return cause{
			reason,
			fmt.Sprintf(
				"The machine no longer matches %s %s.",
				claim.Spec.NodeClassRef.Kind,
				claim.Spec.NodeClassRef.Name,
			),
		}, nil
	}
	return cause{}, nil
}

// unready errors say that the class cannot be compared with just now.
func unready(err error) bool {
	return errors.Is(err, provider.ErrClassNotFound) || errors.Is(err, provider.ErrClassNotReady)
}

func (r *Reconciler) write(ctx context.Context, claim *karpenterv1.NodeClaim, why cause) (reconcile.Result, error) {
	before := claim.DeepCopy()
	changed := false
	if why.reason == "" {
		changed = condition.Clear(claim, karpenterv1.ConditionDrifted)
	} else {
		changed = condition.TrueBecause(claim, r.Clock.Now(), karpenterv1.ConditionDrifted, why.reason, why.message)
	}
	if !changed {
		return reconcile.Result{RequeueAfter: every}, nil
	}
	err := r.Client.Status().
		Patch(ctx, claim, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}))
	if client.IgnoreNotFound(err) != nil {
		return reconcile.Result{}, fmt.Errorf("writing Drifted of NodeClaim %s: %w", claim.Name, err)
	}
	return reconcile.Result{RequeueAfter: every}, nil
}

// Register has the manager call the Reconciler for claims, and for all claims of a pool or of
// a class that changes. classes are empty objects of the cloud's kinds.
func (r *Reconciler) Register(m manager.Manager, classes ...client.Object) error {
	// Pools and classes may change what they say of themselves; only their specs and stamps count.
	meant := builder.WithPredicates(
		predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}),
	)
	b := builder.ControllerManagedBy(m).Named("nodeclaim.disruption").
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			// Each claim asks the cloud: one that cannot keep up is not to be asked more than on other days.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, every),
		}).
		For(&karpenterv1.NodeClaim{}).
		Watches(&karpenterv1.NodePool{}, handler.EnqueueRequestsFromMapFunc(r.ofPool), meant)
	for _, class := range classes {
		gvk, err := m.GetClient().GroupVersionKindFor(class)
		if err != nil {
			return fmt.Errorf("finding the kind of node class %T: %w", class, err)
		}
		// A class's status is what its machines are compared with.
		b = b.Watches(class, handler.EnqueueRequestsFromMapFunc(r.ofClass(gvk.GroupKind())))
	}
	return b.Complete(calm.Conflicts(r))
}

func (r *Reconciler) ofPool(ctx context.Context, pool client.Object) []reconcile.Request {
	return r.claims(ctx, func(claim *karpenterv1.NodeClaim) bool {
		return claim.Labels[karpenterv1.NodePoolLabelKey] == pool.GetName()
	})
}

func (r *Reconciler) ofClass(kind schema.GroupKind) handler.MapFunc {
	return func(ctx context.Context, class client.Object) []reconcile.Request {
		return r.claims(ctx, func(claim *karpenterv1.NodeClaim) bool {
			ref := claim.Spec.NodeClassRef
			return ref != nil && ref.GroupKind() == kind && ref.Name == class.GetName()
		})
	}
}

func (r *Reconciler) claims(ctx context.Context, which func(*karpenterv1.NodeClaim) bool) []reconcile.Request {
	var list karpenterv1.NodeClaimList
	if err := r.Client.List(ctx, &list); err != nil {
		return nil // the cache is not filled yet; each claim is looked at once it is
	}
	var out []reconcile.Request
	for i := range list.Items {
		if which(&list.Items[i]) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list.Items[i])})
		}
	}
	return out
}
