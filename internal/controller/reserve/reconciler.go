package reserve

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/controller/interrupt"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// Reason is why claims are deleted whose reservation ends, as metrics name it.
const Reason = "capacity_reservation_expiration"

// every is how often a claim on reserved capacity is looked at.
const every = time.Minute

// Deps are what a Reconciler needs; all are required.
type Deps struct {
	// Client has the indexes of lookup.
	Client client.Client
	Cloud  provider.Reserver

	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error
}

// Reconciler looks at the claims on reserved capacity.
type Reconciler struct{ Deps }

// Reconcile compares one claim with its machine.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	going := !claim.DeletionTimestamp.IsZero()
	if _, told := claim.Annotations[translate.AnnotationMachineEnds]; !reserved(claim) || going && told {
		return reconcile.Result{}, nil
	}
	if claim.Status.ProviderID == "" {
		return reconcile.Result{RequeueAfter: every}, nil
	}
	state, ends, err := r.Cloud.Reservation(ctx, claim)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return reconcile.Result{}, nil // collect deletes the claim
	case err != nil:
		return reconcile.Result{}, fmt.Errorf("looking at the reservation of NodeClaim %s: %w", claim.Name, err)
	}
	switch state {
	case provider.ReservationLost:
		if going {
			return reconcile.Result{}, nil
		}
		return reconcile.Result{}, r.relabel(ctx, claim)
	case provider.ReservationEnding:
		if err := interrupt.NoteEnd(ctx, r.Client, claim, ends); err != nil {
			return reconcile.Result{}, err
		}
		if err := r.Delete(ctx, claim, Reason); err != nil {
			return reconcile.Result{}, fmt.Errorf("deleting NodeClaim %s, whose reservation ends: %w", claim.Name, err)
		}
		return reconcile.Result{}, nil
	}
	return reconcile.Result{RequeueAfter: every}, nil
}

func reserved(o client.Object) bool {
	return o.GetLabels()[karpenterv1.CapacityTypeLabelKey] == karpenterv1.CapacityTypeReserved
}

// relabel makes a claim and its node on demand. The node comes first: once the claim is done nobody looks again.
func (r *Reconciler) relabel(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	nodes, err := lookup.Nodes(ctx, r.Client, claim.Status.ProviderID)
	if err != nil {
		return err
	}
	for i := range nodes {
		if err := r.relabelOne(ctx, &nodes[i]); err != nil {
			return fmt.Errorf("relabelling node %s, whose reservation ended: %w", nodes[i].Name, err)
		}
	}
	if err := r.relabelOne(ctx, claim); err != nil {
		return fmt.Errorf("relabelling NodeClaim %s, whose reservation ended: %w", claim.Name, err)
	}
	return nil
}

func (r *Reconciler) relabelOne(ctx context.Context, o client.Object) error {
	changed, ok := o.DeepCopyObject().(client.Object)
	if !ok {
		return fmt.Errorf("%T is no object of the API", o)
	}
	labels := changed.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[karpenterv1.CapacityTypeLabelKey] = karpenterv1.CapacityTypeOnDemand
	for _, key := range r.Cloud.ReservationLabels() {
		delete(labels, key)
	}
	changed.SetLabels(labels)
	return client.IgnoreNotFound(r.Client.Patch(ctx, changed, client.MergeFrom(o)))
}

// Register has the manager call the Reconciler for claims on reserved capacity.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).Named("capacityreservation").WithOptions(calm.Options(1)).
		For(&karpenterv1.NodeClaim{}, builder.WithPredicates(predicate.NewPredicateFuncs(reserved))).
		Complete(calm.Conflicts(r))
}
