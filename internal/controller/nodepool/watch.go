package nodepool

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
)

// Register has the manager call the Reconciler whenever a pool, its class, a claim or a node of it changes.
// classes are empty objects of the kinds that Cloud.ClassKinds names.
func (r *Reconciler) Register(m manager.Manager, classes ...client.Object) error {
	b := builder.ControllerManagedBy(m).Named("nodepool").
		For(&karpenterv1.NodePool{}).
		Watches(&karpenterv1.NodeClaim{}, handler.EnqueueRequestsFromMapFunc(byLabel)).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(byLabel))
	for _, class := range classes {
		gvk, err := m.GetClient().GroupVersionKindFor(class)
		if err != nil {
			return fmt.Errorf("finding the kind of node class %T: %w", class, err)
		}
		b = b.Watches(class, handler.EnqueueRequestsFromMapFunc(r.users(gvk.GroupKind())))
	}
	return b.Complete(calm.Conflicts(r))
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
			if ref := pools.Items[i].Spec.Template.Spec.NodeClassRef; ref.GroupKind() == kind && ref.Name == class.GetName() {
				out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&pools.Items[i])})
			}
		}
		return out
	}
}
