package provision

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
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
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Register has the manager trigger a batch when a pod finds no room, and when something changes that may give
// room to one that found none: a pool that becomes ready or changes, a claim or node that goes.
func Register(m manager.Manager, b *Batch) error {
	trigger := reconcile.Func(func(context.Context, reconcile.Request) (reconcile.Result, error) {
		b.Trigger()
		return reconcile.Result{}, nil
	})
	any := handler.EnqueueRequestsFromMapFunc(func(context.Context, client.Object) []reconcile.Request {
		return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: "batch"}}}
	})
	err := builder.ControllerManagedBy(m).Named("provisioner.trigger").
		Watches(&corev1.Pod{}, any, builder.WithPredicates(predicate.NewPredicateFuncs(waits))).
		Watches(&karpenterv1.NodePool{}, any, builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, readiness()))).
		Watches(&karpenterv1.NodeClaim{}, any, builder.WithPredicates(goes())).
		Watches(&corev1.Node{}, any, builder.WithPredicates(goes())).
		Complete(trigger)
	if err != nil {
		return fmt.Errorf("registering the provisioner's triggers: %w", err)
	}
	return nil
}

// waits lets through pods that need a node.
func waits(o client.Object) bool {
	pod, ok := o.(*corev1.Pod)
	return ok && translate.Provisionable(pod)
}

// goes lets through the beginning and the end of a deletion.
func goes() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetDeletionTimestamp().IsZero() && !e.ObjectNew.GetDeletionTimestamp().IsZero()
		},
	}
}

// readiness lets through pools whose Ready changed.
func readiness() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*karpenterv1.NodePool)
		after, also := e.ObjectNew.(*karpenterv1.NodePool)
		return ok && also && condition.IsTrue(before, condition.Ready) != condition.IsTrue(after, condition.Ready)
	}}
}
