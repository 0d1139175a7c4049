package static

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// remove deletes a claim. The drain of a sick node is bounded first.
func (r *Reconciler) remove(
	ctx context.Context,
	pool *karpenterv1.NodePool,
	claim *karpenterv1.NodeClaim,
	todo step,
) error {
	if todo.reason == reasonUnhealthy && r.Health != nil {
		if err := r.limitDrain(ctx, claim); err != nil {
			return err
		}
	}
	if err := r.Delete(ctx, claim, todo.reason); err != nil {
		return err
	}
	if todo.first != "" {
		r.Metrics.Disruption.TerminateFirst.WithLabelValues(pool.Name, todo.reason, todo.first).Inc()
		r.Metrics.Disruption.Decisions.WithLabelValues("terminate-first", todo.reason, "").Inc()
		r.Metrics.Disruption.DecisionsByPool.WithLabelValues("terminate-first", todo.reason, "", pool.Name).Inc()
	}
	return nil
}

func (r *Reconciler) limitDrain(ctx context.Context, claim *karpenterv1.NodeClaim) error {
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, client.ObjectKey{Name: claim.Status.NodeName}, node); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("reading node %s: %w", claim.Status.NodeName, err))
	}
	now := r.Clock.Now()
	bound := r.Health.Diagnose(node, claim, now).DrainBound(claim)
	before := claim.DeepCopy()
	if bound == nil || !nodehealth.EndDrain(claim, now.Add(*bound)) {
		return nil
	}
	if err := r.Client.Patch(ctx, claim, client.MergeFrom(before)); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("writing the deadline of NodeClaim %s: %w", claim.Name, err))
	}
	return nil
}

// tell says on nodes why they stay although they are to be replaced.
func (r *Reconciler) tell(todo step) {
	for _, claim := range todo.blocked {
		message := "The node stays: " + todo.why + "."
		r.Events.Emit(claim, observe.DisruptionBlocked, message)
		if claim.Status.NodeName != "" {
			node := &corev1.Node{}
			node.Name = claim.Status.NodeName
			r.Events.Emit(node, observe.DisruptionBlocked, message)
		}
	}
}
