// Package learn has internal/learned take down what nodes turn out to have, as soon as they tell it and whenever that
// changes. It writes nothing to the cluster.
package learn

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/learned"
	"github.com/dovetail-sh/dovetail/internal/lookup"
)

// Reconciler learns from nodes.
type Reconciler struct {
	Client client.Client
	Book   *learned.Book
}

// Reconcile looks at one node.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, req.NamespacedName, node); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	claim, err := lookup.Claim(ctx, r.Client, node.Spec.ProviderID)
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("finding the NodeClaim of node %s: %w", node.Name, err)
	}
	if claim != nil {
		r.Book.Note(claim, node)
	}
	return reconcile.Result{}, nil
}

// Register has the manager call the Reconciler for nodes that have registered, and when what they have changes.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("node.learning").WithOptions(calm.Options(1)).
		For(&corev1.Node{}, builder.WithPredicates(tells())).
		Complete(calm.Conflicts(r))
}

func tells() predicate.Predicate {
	registered := func(o client.Object) bool { return o.GetLabels()[karpenterv1.NodeRegisteredLabelKey] == "true" }
	return predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return registered(e.Object) },
		DeleteFunc: func(event.DeleteEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*corev1.Node)
			after, also := e.ObjectNew.(*corev1.Node)
			return ok && also && registered(after) &&
				(!registered(before) || !equality.Semantic.DeepEqual(before.Status.Allocatable,
					after.Status.Allocatable) ||
					!equality.Semantic.DeepEqual(before.Status.Capacity, after.Status.Capacity))
		},
	}
}
