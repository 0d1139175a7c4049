package apply

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// Termination modes, as metrics name them.
const (
	graceful = "graceful" // pods leave in their own time
	eventual = "eventual" // until terminationGracePeriod runs out
	forceful = "forceful" // no budget was asked
)

// forced are the reasons that ask no budget: the cloud, the user, or a limit has decided, whatever runs on the node.
// All others are choices, and are looked at a last time.
var forced = map[string]bool{
	"expired": true, "unhealthy": true, "garbage_collected": true, "insufficient_capacity": true,
	"nodeclass_not_ready": true, "launch_timeout": true, "registration_timeout": true, "initialization_timeout": true,
	"spot_interrupted": true, "instance_stopped": true, "instance_terminated": true, "scheduled_change": true,
	"instance_status": true, "system_status": true, "node_gone": true,
	"capacity_reservation_interrupted": true, "capacity_reservation_expiration": true,
}

// consolidation are the reasons that follow from a pool's consolidationPolicy.
var consolidation = map[string]bool{"empty": true, "underutilized": true}

// rememberAtMost bounds what is remembered of claims; past it a deletion may be counted twice.
const rememberAtMost = 10_000

// Retire begins the deletion of a claim, for a reason as metrics name it. It deletes exactly this claim, not another
// one of its name, and counts once: a claim that is going already, or gone, is nil. For every reason that is not forced
// it looks at the node a last time first, and the error is ErrNotAsSeen when that shows something new.
func (a *Applier) Retire(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error {
	if !claim.DeletionTimestamp.IsZero() {
		return nil
	}
	if err := a.lastLook(ctx, claim, reason); err != nil {
		return err
	}
	if a.Retiring != nil {
		a.Retiring(ctx, claim, reason)
	}
	err := a.Client.Delete(ctx, claim, client.Preconditions{UID: &claim.UID})
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("deleting NodeClaim %s: %w", claim.Name, err)
	}
	if err != nil || !a.first(claim.UID) {
		return nil
	}
	a.count(ctx, claim, reason)
	a.Log.Info(
		"deleting nodeclaim",
		observe.LogNodeClaim,
		claim.Name,
		observe.LogNode,
		claim.Status.NodeName,
		observe.LogReason,
		reason,
	)
	return nil
}

// first reports whether this is the first time that a claim's deletion began. The API server takes a second one as
// well, and caches show the first a moment late.
func (a *Applier) first(claim types.UID) bool {
	a.retiring.Lock()
	defer a.retiring.Unlock()
	if a.retired[claim] {
		return false
	}
	if a.retired == nil || len(a.retired) >= rememberAtMost {
		a.retired = map[types.UID]bool{}
	}
	a.retired[claim] = true
	return true
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
	if consolidation[reason] {
		pool := &karpenterv1.NodePool{}
		if err := a.Client.Get(ctx, types.NamespacedName{Name: poolName}, pool); err == nil {
			policy = observe.SnakeCase(string(pool.Spec.Disruption.ConsolidationPolicy))
		}
	}
	labels := []string{reason, poolName, claim.Labels[karpenterv1.CapacityTypeLabelKey], policy, mode}
	a.Metrics.Claims.Disrupted.WithLabelValues(labels...).Inc()
	if claim.Status.NodeName == "" {
		return
	}
	if pods, err := lookup.Pods(ctx, a.Client, claim.Status.NodeName); err == nil {
		moved := 0
		for i := range pods {
			if moves(&pods[i]) {
				moved++
			}
		}
		a.Metrics.Pods.DisruptionInitiated.WithLabelValues(labels...).Add(float64(moved))
	}
}

// moves reports whether a pod needs another node when its own goes. Finished pods and those that belong to the node do
// not.
func moves(pod *corev1.Pod) bool {
	return !translate.Finished(pod) && pod.DeletionTimestamp.IsZero() && !translate.BoundByOwner(pod)
}
