package nodepool

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/hold"
)

// Register has the manager call the Reconciler whenever a pool, its class, a claim or a node of it changes.
// classes are empty objects of the kinds that Cloud.ClassKinds names.
func (r *Reconciler) Register(m manager.Manager, classes ...client.Object) error {
	b := builder.ControllerManagedBy(m).Named("nodepool").WithOptions(calm.Options(1)).
		For(&karpenterv1.NodePool{}).
		Watches(&karpenterv1.NodePool{}, handler.EnqueueRequestsFromMapFunc(r.all), builder.WithPredicates(held())).
		Watches(&karpenterv1.NodeClaim{}, handler.EnqueueRequestsFromMapFunc(byLabel), builder.WithPredicates(counts())).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(byLabel), builder.WithPredicates(counts()))
	for _, class := range classes {
		gvk, err := m.GetClient().GroupVersionKindFor(class)
		if err != nil {
			return fmt.Errorf("finding the kind of node class %T: %w", class, err)
		}
		b = b.Watches(class, handler.EnqueueRequestsFromMapFunc(r.users(gvk.GroupKind())))
	}
	return b.Complete(calm.Conflicts(r))
}

// counts lets through what a pool's status is made of. The rest changes all the time, with each pod that comes and each
// heartbeat, and to count means to look at all nodes of the pool.
func counts() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		if !maps.Equal(e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations()) ||
			!maps.Equal(e.ObjectOld.GetLabels(), e.ObjectNew.GetLabels()) {
			return true
		}
		if before, after := progress(e.ObjectOld), progress(e.ObjectNew); before != after {
			return true
		}
		id, has := machine(e.ObjectOld)
		now, have := machine(e.ObjectNew)
		return id != now || !equality.Semantic.DeepEqual(has, have)
	}}
}

// stage is what a rollout counts a claim by.
type stage struct{ drifted, going, initialized bool }

func progress(o client.Object) stage {
	c, ok := o.(*karpenterv1.NodeClaim)
	if !ok {
		return stage{}
	}
	return stage{
		drifted:     isDrifted(c),
		going:       !c.DeletionTimestamp.IsZero() || condition.IsTrue(c, karpenterv1.ConditionDisruptionReason),
		initialized: condition.IsTrue(c, karpenterv1.ConditionInitialized),
	}
}

// held lets through pools of which the annotations that hold a cluster still have changed.
func held() predicate.Predicate {
	holds := func(o client.Object) bool { return hold.Differs(nil, o.GetAnnotations()) }
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return holds(e.Object) },
		DeleteFunc: func(e event.DeleteEvent) bool { return holds(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return hold.Differs(e.ObjectOld.GetAnnotations(), e.ObjectNew.GetAnnotations())
		},
	}
}

// all are all pools.
func (r *Reconciler) all(ctx context.Context, _ client.Object) []reconcile.Request {
	var pools karpenterv1.NodePoolList
	if err := r.Client.List(ctx, &pools); err != nil {
		return nil // the cache is not filled yet; each pool is reconciled once it is
	}
	out := make([]reconcile.Request, 0, len(pools.Items))
	for i := range pools.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pools.Items[i])})
	}
	return out
}

// machine is the machine of a claim or node, and what it has.
func machine(o client.Object) (id string, capacity corev1.ResourceList) {
	switch o := o.(type) {
	case *karpenterv1.NodeClaim:
		return o.Status.ProviderID, o.Status.Capacity
	case *corev1.Node:
		return o.Spec.ProviderID, o.Status.Capacity
	}
	return "", nil
}

func byLabel(_ context.Context, o client.Object) []reconcile.Request {
	pool := o.GetLabels()[karpenterv1.NodePoolLabelKey]
	if pool == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: pool}}}
}

// users finds the pools that refer to a class.
func (r *Reconciler) users(kind schema.GroupKind) handler.MapFunc {
	return func(ctx context.Context, class client.Object) []reconcile.Request {
		var pools karpenterv1.NodePoolList
		if err := r.Client.List(ctx, &pools); err != nil {
			return nil // the cache is not filled yet; each pool is reconciled once it is
		}
		var out []reconcile.Request
		for i := range pools.Items {
			if ref := pools.Items[i].Spec.Template.Spec.NodeClassRef; ref.GroupKind() == kind &&
				ref.Name == class.GetName() {
				out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pools.Items[i])})
			}
		}
		return out
	}
}
