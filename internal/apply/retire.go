package apply

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Termination modes, as metrics name them.
const (
	graceful = "graceful" // pods leave in their own time
	eventual = "eventual" // until terminationGracePeriod runs out
	forceful = "forceful" // no budget was asked
)

// forced are the reasons that ask no budget.
var forced = map[string]bool{
	"expired": true, "unhealthy": true, "garbage_collected": true, "insufficient_capacity": true,
	"nodeclass_not_ready": true, "launch_timeout": true, "registration_timeout": true, "initialization_timeout": true,
	"spot_interrupted": true, "instance_stopped": true, "instance_terminated": true, "scheduled_change": true,
	"capacity_reservation_interrupted": true,
}

// Retire begins the deletion of a claim, for a reason as metrics name it. It deletes exactly this claim, not another one
// of its name, and counts once: a claim that is going already, or gone, is nil.
func (a *Applier) Retire(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error {
	if !claim.DeletionTimestamp.IsZero() {
		return nil
	}
	err := a.Client.Delete(ctx, claim, client.Preconditions{UID: &claim.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting NodeClaim %s: %w", claim.Name, err)
	}
	if err != nil {
		return nil
	}
	a.count(ctx, claim, reason)
	a.Log.Info("deleting nodeclaim", observe.LogNodeClaim, claim.Name, observe.LogNode, claim.Status.NodeName, observe.LogReason, reason)
	return nil
}

func (a *Applier) count(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) {
	poolName := claim.Labels[karpenterv1.NodePoolLabelKey]
	mode := graceful
	switch {
	case forced[reason]:
		mode = forceful
	case claim.Spec.TerminationGracePeriod != nil:
		mode = eventual
	}
	var policy string
	pool := &karpenterv1.NodePool{}
	if err := a.Client.Get(ctx, types.NamespacedName{Name: poolName}, pool); err == nil {
		policy = string(pool.Spec.Disruption.ConsolidationPolicy)
	}
	labels := []string{reason, poolName, claim.Labels[karpenterv1.CapacityTypeLabelKey], policy, mode}
	a.Metrics.Claims.Disrupted.WithLabelValues(labels...).Inc()
	if claim.Status.NodeName == "" {
		return
	}
	if pods, err := lookup.Pods(ctx, a.Client, claim.Status.NodeName); err == nil {
		a.Metrics.Pods.DisruptionInitiated.WithLabelValues(labels...).Add(float64(len(pods)))
	}
}
