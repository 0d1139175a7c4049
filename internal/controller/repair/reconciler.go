package repair

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/calm"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Reason is why unhealthy nodes are disrupted, as metrics name it.
const Reason = "unhealthy"

// blockedEvery is how often a node that the breaker holds is looked at again. Karpenter's figure.
const blockedEvery = 5 * time.Minute

// Deps are what a Reconciler needs; all are required.
type Deps struct {
	Client client.Client
	// Live reads what the API server has now, not what a cache remembers.
	Live     client.Reader
	Clock    clock.PassiveClock
	Events   *observe.Recorder
	Metrics  *observe.Metrics
	Policies *nodehealth.Policies

	// Delete begins the deletion of a claim. It is idempotent.
	Delete func(ctx context.Context, claim *karpenterv1.NodeClaim, reason string) error
}

// Reconciler gives up unhealthy nodes.
type Reconciler struct{ Deps }

// Reconcile looks at one node.
func (r *Reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	// See.
	node := &corev1.Node{}
	if err := r.Client.Get(ctx, req.NamespacedName, node); err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	now := r.Clock.Now()
	claim, err := lookup.Claim(ctx, r.Client, node.Spec.ProviderID)
	if err != nil || claim == nil || ending(claim, now) {
		return reconcile.Result{}, err
	}
	if err := note(ctx, r.Client, node, claim, r.Policies, now); err != nil {
		return reconcile.Result{}, err
	}
	sick := r.Policies.Diagnose(node, claim, now)
	if sick.Cure == nil {
		return reconcile.Result{RequeueAfter: sick.In}, nil
	}

	// Decide.
	unhealthy, total, err := r.count(ctx, claim.Labels[karpenterv1.NodePoolLabelKey])
	if err != nil {
		return reconcile.Result{}, err
	}
	if nodehealth.TooMany(unhealthy, total) {
		return reconcile.Result{RequeueAfter: blockedEvery}, r.blocked(ctx, node, claim, unhealthy, total)
	}

	// Act.
	switch still, err := r.still(ctx, node, claim, now); {
	case err != nil:
		return reconcile.Result{}, err
	case !still:
		return reconcile.Result{RequeueAfter: staleAgain}, nil
	}
	return reconcile.Result{}, r.giveUp(ctx, node, claim, sick.Cure)
}

// staleAgain is how soon a node is looked at again that the cache shows unhealthy and the API server does not.
const staleAgain = 10 * time.Second

// still asks the API server itself whether a node is unhealthy, and for too long: its pods get no time to stop.
func (r *Reconciler) still(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
	now time.Time,
) (bool, error) {
	live := &corev1.Node{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(node), live); err != nil {
		return false, client.IgnoreNotFound(fmt.Errorf("looking at node %s a last time: %w", node.Name, err))
	}
	return live.UID == node.UID && r.Policies.Diagnose(live, claim, now).Cure != nil, nil
}

// count looks at the nodes of the pool, or for a claim without one at all nodes. Those whose time is not over are
// unhealthy too: nodes that fail together fall due one after the other, and the first of them must not go either.
func (r *Reconciler) count(ctx context.Context, pool string) (unhealthy, total int, err error) {
	var which client.MatchingLabels
	if pool != "" {
		which = client.MatchingLabels{karpenterv1.NodePoolLabelKey: pool}
	}
	var nodes corev1.NodeList
	if err := r.Client.List(ctx, &nodes, which); err != nil {
		return 0, 0, fmt.Errorf("listing nodes: %w", err)
	}
	for i := range nodes.Items {
		if r.Policies.Bad(&nodes.Items[i]) {
			unhealthy++
		}
	}
	return unhealthy, len(nodes.Items), nil
}

func (r *Reconciler) blocked(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
	unhealthy, total int,
) error {
	message := fmt.Sprintf(
		"%d of %d nodes are unhealthy, more than %d %%: none of them is replaced.",
		unhealthy,
		total,
		nodehealth.BreakerPercent,
	)
	r.Events.Emit(node, observe.NodeRepairBlocked, message)
	r.Events.Emit(claim, observe.NodeRepairBlocked, message)
	name := claim.Labels[karpenterv1.NodePoolLabelKey]
	if name == "" {
		return nil
	}
	pool := &karpenterv1.NodePool{}
	if err := r.Client.Get(ctx, types.NamespacedName{Name: name}, pool); err != nil {
		return client.IgnoreNotFound(err)
	}
	r.Events.Emit(pool, observe.NodeRepairBlocked, message)
	return nil
}

// ending reports whether a claim is on its way out and nothing on its node is waited for any more.
func ending(claim *karpenterv1.NodeClaim, now time.Time) bool {
	deadline, err := time.Parse(
		time.RFC3339,
		claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey],
	)
	return !claim.DeletionTimestamp.IsZero() && err == nil && !deadline.After(now)
}

// giveUp deletes the claim, with a drain that is over at once: nothing on a broken node is waited for. A drain that has
// begun is over, too.
func (r *Reconciler) giveUp(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
	sick *nodehealth.Cure,
) error {
	before := claim.DeepCopy()
	if claim.Annotations == nil {
		claim.Annotations = map[string]string{}
	}
	claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey] = r.Clock.Now().
		UTC().
		Format(time.RFC3339)
	// A cache that is behind shows a claim that was given up a moment ago as it was before: it counts once.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, claim, patch); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("writing the deadline of NodeClaim %s: %w", claim.Name, err))
	}
	if !claim.DeletionTimestamp.IsZero() {
		return nil
	}
	if err := r.Delete(ctx, claim, Reason); err != nil {
		return fmt.Errorf("deleting NodeClaim %s, whose node is unhealthy: %w", claim.Name, err)
	}
	message := fmt.Sprintf("Giving up the node because it has been unhealthy for too long (%s).", sick.Condition.Type)
	r.Events.Emit(claim, observe.DisruptionTerminating, message)
	r.Events.Emit(node, observe.DisruptionTerminating, message)
	r.Metrics.Claims.UnhealthyDisrupted.WithLabelValues(
		observe.SnakeCase(string(sick.Condition.Type)),
		claim.Labels[karpenterv1.NodePoolLabelKey],
		claim.Labels[karpenterv1.CapacityTypeLabelKey],
		claim.Status.ImageID,
		"forceful",
	).
		Inc()
	return nil
}

// Register has the manager call the Reconciler for every node.
func (r *Reconciler) Register(m manager.Manager) error {
	return builder.ControllerManagedBy(m).
		Named("node.health").
		WithOptions(calm.Options(1)).
		For(&corev1.Node{}).
		Complete(calm.Conflicts(r))
}
