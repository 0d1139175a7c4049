package terminate

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// Claims ends NodeClaims that are being deleted: first their node, then their machine, then they.
type Claims struct{ Deps }

// NewClaims checks that nothing is missing.
func NewClaims(d Deps) (*Claims, error) { return &Claims{d}, d.validate() }

// Reconcile takes the next step for one claim that carries our finalizer and is being deleted.
func (r *Claims) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(ctx, req.NamespacedName, claim); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if claim.DeletionTimestamp.IsZero() ||
		!controllerutil.ContainsFinalizer(claim, karpenterv1.TerminationFinalizer) {
		return reconcile.Result{}, nil
	}
	if err := r.setDeadline(ctx, claim); err != nil {
		return reconcile.Result{}, err
	}
	ids, err := r.machinesOf(ctx, claim)
	if err != nil {
		return reconcile.Result{}, err
	}
	left, seen, err := r.deleteNodes(ctx, claim, ids)
	switch {
	case err != nil:
		return reconcile.Result{}, err
	case left > 0 && (!seen || claim.Status.ProviderID == ""):
		return reconcile.Result{RequeueAfter: pollMachine}, nil // nothing leads from the node to this claim
	case left > 0:
		return reconcile.Result{}, nil // the node's own end is seen
	}
	for id := range ids {
		err := r.end(ctx, claim, id)
		switch {
		case errors.Is(err, provider.ErrNotFound):
			delete(ids, id)
		case err != nil:
			r.Events.Emitf(claim, observe.FailedTermination, "The machine cannot be given back yet: %v", err)
			return reconcile.Result{}, fmt.Errorf("giving back machine %s of NodeClaim %s: %w", id, claim.Name, err)
		}
	}
	if len(ids) > 0 {
		before := claim.DeepCopy()
		if condition.True(claim, r.Clock.Now(), karpenterv1.ConditionInstanceTerminating) {
			err = r.write(ctx, claim, before)
		}
		return reconcile.Result{RequeueAfter: r.poll(claim)}, err
	}
	return reconcile.Result{}, r.finish(ctx, claim)
}

// setDeadline writes down once when the drain has to be over.
func (r *Claims) setDeadline(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	period := claim.Spec.TerminationGracePeriod
	if _, has := claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey]; has || period == nil {
		return nil
	}
	before := claim.DeepCopy()
	if claim.Annotations == nil {
		claim.Annotations = map[string]string{}
	}
	at := claim.DeletionTimestamp.Add(period.Duration).UTC().Format(time.RFC3339)
	claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey] = at
	// A deadline that was set a moment ago, and that the cache does not show yet, stays.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, claim, patch); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("writing the deadline of NodeClaim %s: %w", claim.Name, err))
	}
	r.Events.Emitf(claim, observe.TerminationGracePeriodExpires, "What is left on the node is deleted at %s.", at)
	return nil
}

// machinesOf are the provider IDs of a claim's machines. A claim that was never told of its machine, because
// the daemon ended in between, finds it by the tag that it was bought with.
func (r *Claims) machinesOf(ctx context.Context, claim *karpenterv1.NodeClaim) (map[string]bool, error) {
	if id := claim.Status.ProviderID; id != "" {
		return map[string]bool{id: true}, nil
	}
	all, err := r.Cloud.Machines(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for a machine of NodeClaim %s: %w", claim.Name, err)
	}
	ids := map[string]bool{}
	for _, m := range all {
		if m.Claim == claim.Name {
			ids[m.ProviderID] = true
		}
	}
	return ids, nil
}

// deleteNodes has the claim's nodes deleted and says how many are still there, and whether the cache shows them.
func (r *Claims) deleteNodes(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
	ids map[string]bool,
) (left int, seen bool, err error) {
	nodes, seen, err := r.nodesOf(ctx, claim, ids)
	if err != nil {
		return 0, false, err
	}
	for i := range nodes {
		node := &nodes[i]
		if !controllerutil.ContainsFinalizer(node, karpenterv1.TerminationFinalizer) &&
			node.DeletionTimestamp.IsZero() {
			// It joined and was never registered. It must be drained all the same.
			if err := r.hold(ctx, node); err != nil {
				return 0, seen, err
			}
		}
		left++
		if !node.DeletionTimestamp.IsZero() {
			continue
		}
		if err := r.Client.Delete(
			ctx,
			node,
			client.Preconditions{UID: &node.UID},
		); client.IgnoreNotFound(
			err,
		) != nil {
			return left, seen, fmt.Errorf("deleting node %s: %w", node.Name, err)
		}
	}
	return left, seen, nil
}

// nodesOf are the nodes of a claim's machines. When the cache shows none, the machine is ended next, so the API server
// is asked for the node that the claim has registered.
func (r *Claims) nodesOf(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
	ids map[string]bool,
) (nodes []corev1.Node, seen bool, err error) {
	for id := range ids {
		found, err := lookup.Nodes(ctx, r.Client, id)
		if err != nil {
			return nil, false, err
		}
		nodes = append(nodes, found...)
	}
	if len(nodes) > 0 || claim.Status.NodeName == "" ||
		condition.IsTrue(claim, karpenterv1.ConditionInstanceTerminating) {
		return nodes, true, nil
	}
	node := corev1.Node{}
	switch err := r.Live.Get(ctx, client.ObjectKey{Name: claim.Status.NodeName}, &node); {
	case client.IgnoreNotFound(err) != nil:
		return nil, false, fmt.Errorf(
			"looking for node %s of NodeClaim %s a last time: %w",
			claim.Status.NodeName,
			claim.Name,
			err,
		)
	case err == nil && ids[node.Spec.ProviderID]:
		nodes = append(nodes, node)
	}
	return nodes, false, nil
}

func (r *Claims) hold(ctx context.Context, node *corev1.Node) error {
	before := node.DeepCopy()
	controllerutil.AddFinalizer(node, karpenterv1.TerminationFinalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, node, patch); err != nil {
		return fmt.Errorf("putting a finalizer on node %s: %w", node.Name, err)
	}
	return nil
}

// finish lets the claim go.
func (r *Claims) finish(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	before := claim.DeepCopy()
	controllerutil.RemoveFinalizer(claim, karpenterv1.TerminationFinalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, claim, patch); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("removing the finalizer of NodeClaim %s: %w", claim.Name, err))
	}
	logf.FromContext(ctx).Info(observe.SaidClaimDeleted, observe.LogNodeClaim, claim.Name,
		observe.LogNode, claim.Status.NodeName, observe.LogProviderID, claim.Status.ProviderID)
	now, pool := r.Clock.Now(), poolOf(claim)
	r.Metrics.Claims.Terminated.WithLabelValues(
		pool,
		claim.Labels[karpenterv1.CapacityTypeLabelKey],
		claim.Labels[corev1.LabelTopologyZone],
	).
		Inc()
	r.Metrics.Claims.Termination.WithLabelValues(pool).Observe(now.Sub(claim.DeletionTimestamp.Time).Seconds())
	if ending := condition.Get(before, karpenterv1.ConditionInstanceTerminating); ending != nil {
		r.Metrics.Claims.InstanceTermination.WithLabelValues(pool).
			Observe(now.Sub(ending.LastTransitionTime.Time).Seconds())
	}
	r.Events.Emit(claim, observe.Finalized, "The node and its machine are gone.")
	return nil
}
