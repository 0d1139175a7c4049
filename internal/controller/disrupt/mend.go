package disrupt

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// mender carries out what is decided about sick nodes, and writes down what moves are.
type mender struct{ *Reconciler }

// stillSick asks the API server itself whether a node is unhealthy, and for too long: its pods get little time to stop.
func (r mender) stillSick(ctx context.Context, c choice) (bool, error) {
	live := &corev1.Node{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(c.node), live); err != nil {
		return false, client.IgnoreNotFound(fmt.Errorf("looking at node %s a last time: %w", c.node.Name, err))
	}
	s := c.seen
	s.sick = r.Health.Diagnose(live, c.claim, r.Clock.Now())
	return live.UID == c.node.UID && s.stands(karpenterv1.DisruptionReasonUnhealthy), nil
}

// limitDrain writes down when the drain of a claim's node has to be over, unless that is to be sooner already.
func (r mender) limitDrain(ctx context.Context, c choice) error {
	if c.bound == nil {
		return nil
	}
	before := c.claim.DeepCopy()
	if !nodehealth.EndDrain(c.claim, r.Clock.Now().Add(*c.bound)) {
		return nil
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, c.claim, patch); err != nil {
		return fmt.Errorf("writing the deadline of NodeClaim %s: %w", c.claim.Name, err)
	}
	r.memory.claims.keep(c.claim)
	return nil
}

// commitReboot asks internal/controller/reboot, on the claim, to reboot its node: first how long its drain may take,
// then that it is to begin.
func (r mender) commitReboot(ctx context.Context, c choice) error {
	before := c.claim.DeepCopy()
	if c.claim.Annotations == nil {
		c.claim.Annotations = map[string]string{}
	}
	nodehealth.ForgetReboot(c.claim)
	if delete(c.claim.Annotations, karpenterv1.RebootGracePeriodAnnotationKey); c.bound != nil {
		c.claim.Annotations[karpenterv1.RebootGracePeriodAnnotationKey] = c.bound.String()
	}
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, c.claim, patch); err != nil {
		return fmt.Errorf("preparing the reboot of NodeClaim %s: %w", c.claim.Name, err)
	}
	before = c.claim.DeepCopy()
	now, sick := r.Clock.Now(), c.sick.Cure.Condition
	message := fmt.Sprintf("rebooting for %s/%s", sick.Type, sick.Reason)
	condition.TrueBecause(
		c.claim,
		now,
		karpenterv1.ConditionDisruptionReason,
		string(c.reason),
		"The node is rebooted because "+c.why+".",
	)
	condition.TrueBecause(c.claim, now, karpenterv1.ConditionRebooting, karpenterv1.ReasonRebootRequested, message)
	if err := r.patchStatus(ctx, c.claim, before); err != nil {
		return err
	}
	logf.FromContext(ctx).
		Info("committed node reboot", observe.LogNode, c.node.Name, observe.LogNodeClaim, c.claim.Name,
			observe.LogReason, message)
	r.decided(c)
	return nil
}

// mendedBy says which policy a sick node goes by.
func (r mender) mendedBy(ctx context.Context, c choice) {
	if c.sick.Cure == nil {
		return
	}
	grace := "none"
	if c.bound != nil {
		grace = c.bound.String()
	}
	cure := c.sick.Cure
	logf.FromContext(ctx).
		Info("selected repair policy", observe.LogNode, c.node.Name, "condition", cure.Condition.Type,
			"status", cure.Condition.Status, "reason", cure.Condition.Reason, "action", cure.Action.String(),
			"eligible-at", cure.Since.UTC().Format(time.RFC3339), "termination-grace-period", grace)
}

// countMended counts a sick claim whose deletion was asked for.
func (r mender) countMended(c choice) {
	kind := "unknown"
	if c.sick.Cure != nil {
		kind = string(c.sick.Cure.Condition.Type)
	}
	mode := "graceful"
	if c.bound != nil {
		if mode = "eventual"; *c.bound <= 0 {
			mode = "forceful"
		}
	}
	r.Metrics.Claims.UnhealthyDisrupted.WithLabelValues(
		observe.SnakeCase(kind),
		c.claim.Labels[karpenterv1.NodePoolLabelKey],
		c.claim.Labels[karpenterv1.CapacityTypeLabelKey],
		c.claim.Status.ImageID,
		mode,
	).
		Inc()
}
