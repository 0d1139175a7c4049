package terminate

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// workers is how many nodes are emptied at once: most of the time each of them waits.
const workers = 50

// Register has the manager call both Reconcilers. The manager's cache must have lookup's indexes.
func Register(m manager.Manager, nodes *Nodes, claims *Claims) error {
	err := builder.ControllerManagedBy(m).Named("node.termination").WithOptions(calm.Options(workers)).
		For(&corev1.Node{}, builder.WithPredicates(leaving())).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(nodeOf), builder.WithPredicates(freed())).
		Watches(
			&karpenterv1.NodeClaim{},
			handler.EnqueueRequestsFromMapFunc(ofClaim),
			builder.WithPredicates(rescheduled()),
		).
		Watches(
			&policyv1.PodDisruptionBudget{},
			handler.EnqueueRequestsFromMapFunc(nodes.loosened),
			builder.WithPredicates(loosens()),
		).
		Complete(calm.Conflicts(nodes))
	if err != nil {
		return fmt.Errorf("registering the termination of nodes: %w", err)
	}
	err = builder.ControllerManagedBy(m).Named("nodeclaim.termination").WithOptions(calm.Options(workers)).
		For(&karpenterv1.NodeClaim{}, builder.WithPredicates(leaving())).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(claims.ofNode), builder.WithPredicates(gone())).
		Complete(calm.Conflicts(claims))
	if err != nil {
		return fmt.Errorf("registering the termination of NodeClaims: %w", err)
	}
	return nil
}

// leaving lets through objects that are being deleted.
func leaving() predicate.Predicate {
	return predicate.NewPredicateFuncs(func(o client.Object) bool { return !o.GetDeletionTimestamp().IsZero() })
}

// gone lets through the end of an object.
func gone() predicate.Funcs {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(event.UpdateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// freed lets through pods that may hold up a drain no longer: they are gone, have finished, or are not kept any more.
func freed() predicate.Predicate {
	out := gone()
	out.UpdateFunc = func(e event.UpdateEvent) bool {
		before, ok := e.ObjectOld.(*corev1.Pod)
		after, also := e.ObjectNew.(*corev1.Pod)
		return ok && also && (!translate.Finished(before) && translate.Finished(after) ||
			before.Annotations[karpenterv1.DoNotDisruptAnnotationKey] !=
				after.Annotations[karpenterv1.DoNotDisruptAnnotationKey])
	}
	return out
}

// rescheduled lets through claims whose drain is to be over at another time than before.
func rescheduled() predicate.Predicate {
	deadline := func(o client.Object) string {
		a := o.GetAnnotations()
		return a[karpenterv1.NodeClaimTerminationTimestampAnnotationKey] + " " + a[translate.AnnotationMachineEnds]
	}
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		UpdateFunc:  func(e event.UpdateEvent) bool { return deadline(e.ObjectOld) != deadline(e.ObjectNew) },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

func ofClaim(_ context.Context, o client.Object) []reconcile.Request {
	claim, ok := o.(*karpenterv1.NodeClaim)
	if !ok || claim.Status.NodeName == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: claim.Status.NodeName}}}
}

// loosens lets through PodDisruptionBudgets that let pods go again.
func loosens() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*policyv1.PodDisruptionBudget)
			after, also := e.ObjectNew.(*policyv1.PodDisruptionBudget)
			return ok && also && after.Status.DisruptionsAllowed > before.Status.DisruptionsAllowed
		},
		GenericFunc: func(event.GenericEvent) bool { return false },
	}
}

// loosened are the nodes with pods that may be evicted now that a budget has changed.
func (r *Nodes) loosened(_ context.Context, budget client.Object) []reconcile.Request {
	var out []reconcile.Request
	for node := range r.refusals.end(budget.GetNamespace()) {
		out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Name: node}})
	}
	return out
}

func nodeOf(_ context.Context, o client.Object) []reconcile.Request {
	pod, ok := o.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: pod.Spec.NodeName}}}
}

func (r *Claims) ofNode(ctx context.Context, o client.Object) []reconcile.Request {
	node, ok := o.(*corev1.Node)
	if !ok {
		return nil
	}
	claim, err := lookup.Claim(ctx, r.Client, node.Spec.ProviderID)
	if claim == nil || err != nil {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKeyFromObject(claim)}}
}
