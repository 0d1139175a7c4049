package terminate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// giveBack ends the machine of an emptied node and waits until it is gone.
func (r *Nodes) giveBack(
	ctx context.Context,
	node *corev1.Node,
	claim *karpenterv1.NodeClaim,
) (reconcile.Result, error) {
	err := r.end(ctx, claim, node.Spec.ProviderID)
	switch {
	case errors.Is(err, provider.ErrNotFound):
		return reconcile.Result{}, r.finish(ctx, node)
	case err != nil:
		r.Events.Emitf(node, observe.FailedTermination, "The machine cannot be given back yet: %v", err)
		return reconcile.Result{}, fmt.Errorf("giving back the machine of node %s: %w", node.Name, err)
	}
	return reconcile.Result{RequeueAfter: r.poll(claim)}, r.came(ctx, claim, karpenterv1.ConditionInstanceTerminating)
}

// end has the cloud end a machine of a claim, until it is gone: ErrNotFound. Once the cloud has been told, the machine
// is only looked at, as long as it is stopping.
func (d Deps) end(ctx context.Context, claim *karpenterv1.NodeClaim, providerID string) error {
	if condition.IsTrue(claim, karpenterv1.ConditionInstanceTerminating) {
		machine, err := d.Cloud.Machine(ctx, providerID)
		if err != nil || machine.State == provider.Stopping {
			return err
		}
	}
	return d.Cloud.Terminate(ctx, providerID)
}

// poll is when to look again at a machine that is stopping: often at first, since most are gone within seconds.
func (d Deps) poll(claim *karpenterv1.NodeClaim) time.Duration {
	ending := condition.Get(claim, karpenterv1.ConditionInstanceTerminating)
	if ending == nil || d.Clock.Since(ending.LastTransitionTime.Time) < pollOftenFor {
		return pollOften
	}
	return pollMachine
}

// abandon lets a Node go whose claim was removed by force. Its pods are left to Kubernetes while the machine is there:
// to delete them without their kubelet's word would have them run twice.
func (r *Nodes) abandon(ctx context.Context, node *corev1.Node) (reconcile.Result, error) {
	switch known, err := r.claimed(ctx, node); {
	case err != nil:
		return reconcile.Result{}, err
	case known:
		return reconcile.Result{RequeueAfter: pollOften}, nil // the cache is behind
	}
	switch _, err := r.Cloud.Machine(ctx, node.Spec.ProviderID); {
	case errors.Is(err, provider.ErrNotFound):
		return reconcile.Result{}, r.finish(ctx, node)
	case err != nil:
		return reconcile.Result{}, fmt.Errorf(
			"looking at the machine of node %s, which has no claim: %w",
			node.Name,
			err,
		)
	}
	return reconcile.Result{}, r.release(ctx, node, "Its NodeClaim was removed by force.")
}

// finish lets a Node go whose machine is gone, and with it the pods that did not leave it.
func (r *Nodes) finish(ctx context.Context, node *corev1.Node) error {
	if err := r.bury(ctx, node); err != nil {
		return err
	}
	return r.release(ctx, node, "The node was drained and its machine is gone.")
}

func (r *Nodes) release(ctx context.Context, node *corev1.Node, why string) error {
	before := node.DeepCopy()
	controllerutil.RemoveFinalizer(node, karpenterv1.TerminationFinalizer)
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := r.Client.Patch(ctx, node, patch); err != nil {
		return client.IgnoreNotFound(fmt.Errorf("removing the finalizer of node %s: %w", node.Name, err))
	}
	logf.FromContext(ctx).Info(observe.SaidNodeDeleted, observe.LogNode, node.Name, observe.LogReason, why)
	pool := node.Labels[karpenterv1.NodePoolLabelKey]
	now := r.Clock.Now()
	r.Metrics.Nodes.Terminated.WithLabelValues(pool, node.Labels[corev1.LabelTopologyZone]).Inc()
	r.Metrics.Nodes.Termination.WithLabelValues(pool).Observe(now.Sub(node.DeletionTimestamp.Time).Seconds())
	r.Metrics.Nodes.Lifetime.WithLabelValues(pool).Observe(now.Sub(node.CreationTimestamp.Time).Seconds())
	r.Events.Emit(node, observe.Finalized, why)
	return nil
}

// claimed reports whether the API server has a claim for a node's machine.
func (r *Nodes) claimed(ctx context.Context, node *corev1.Node) (bool, error) {
	var claims karpenterv1.NodeClaimList
	if err := r.Live.List(ctx, &claims); err != nil {
		return false, fmt.Errorf("looking for the NodeClaim of node %s a last time: %w", node.Name, err)
	}
	return slices.ContainsFunc(claims.Items, func(c karpenterv1.NodeClaim) bool {
		return c.Status.ProviderID != "" && c.Status.ProviderID == node.Spec.ProviderID
	}), nil
}

// dead reports whether a node's machine is gone: its kubelet is silent, by the API server's word too, and the cloud has
// no such machine. Clouds list machines late at times, and a cache may show a node as it was before it recovered.
func (r *Nodes) dead(ctx context.Context, node *corev1.Node) (bool, error) {
	if condition.NodeReady(node) {
		return false, nil
	}
	if _, err := r.Cloud.Machine(ctx, node.Spec.ProviderID); !errors.Is(err, provider.ErrNotFound) {
		return false, nil
	}
	now := &corev1.Node{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(node), now); err != nil {
		return false, client.IgnoreNotFound(fmt.Errorf("looking at node %s a last time: %w", node.Name, err))
	}
	return now.UID == node.UID && !condition.NodeReady(now), nil
}

// bury deletes the pods of a node whose machine is gone, so that their controllers replace them now and not when
// Kubernetes' own collector of orphaned pods comes by, the best part of a minute later.
func (r *Nodes) bury(ctx context.Context, node *corev1.Node) error {
	pods, err := lookup.Pods(ctx, r.Live, node.Name)
	if err != nil {
		return err
	}
	atOnce := int64(0)
	for i := range pods {
		pod := &pods[i]
		if translate.Finished(pod) {
			continue
		}
		err := r.Client.Delete(ctx, pod, &client.DeleteOptions{
			GracePeriodSeconds: &atOnce, Preconditions: &metav1.Preconditions{UID: &pod.UID},
		})
		switch {
		case err == nil:
			r.Events.Emit(pod, observe.Disrupted, "Deleted, because its node's machine is gone.")
		case !apierrors.IsNotFound(err) && !apierrors.IsConflict(err):
			return fmt.Errorf("deleting pod %s/%s, whose node's machine is gone: %w", pod.Namespace, pod.Name, err)
		}
	}
	return nil
}

// came sets a condition to True.
func (r *Nodes) came(ctx context.Context, claim *karpenterv1.NodeClaim, conditionType string) error {
	before := claim.DeepCopy()
	if !condition.True(claim, r.Clock.Now(), conditionType) {
		return nil
	}
	return r.write(ctx, claim, before)
}

// report sets a condition that is not True yet.
func (r *Nodes) report(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
	conditionType, reason, message string,
) error {
	before := claim.DeepCopy()
	set := condition.Unknown
	if reason == karpenterv1.ReasonTerminationGracePeriodElapsed {
		set = condition.False
	}
	if !set(claim, r.Clock.Now(), conditionType, reason, message) {
		return nil
	}
	return r.write(ctx, claim, before)
}

func (d Deps) write(ctx context.Context, claim, before *karpenterv1.NodeClaim) error {
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := d.Client.Status().Patch(ctx, claim, patch); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("writing the status of NodeClaim %s: %w", claim.Name, err)
	}
	return nil
}

// beforeEnd is how long before the cloud ends a machine its pods must have stopped: deletions take a moment to reach
// the kubelet.
const beforeEnd = 5 * time.Second

// deadlineOf is when a claim's node goes whatever is on it, zero for never: when its user says so, or when the cloud
// ends the machine.
func deadlineOf(claim *karpenterv1.NodeClaim, node *corev1.Node) (time.Time, error) {
	asked, err := askedFor(claim, node)
	if err != nil {
		return time.Time{}, err
	}
	ends, err := translate.MachineEnds(claim)
	if err != nil || ends.IsZero() {
		return asked, err
	}
	if ends = ends.Add(-beforeEnd); asked.IsZero() || ends.Before(asked) {
		return ends, nil
	}
	return asked, nil
}

// askedFor is the end of a claim's terminationGracePeriod. Before that was written down it counts from the deletion of
// the node, which has that of the claim follow at once.
func askedFor(claim *karpenterv1.NodeClaim, node *corev1.Node) (time.Time, error) {
	text, has := claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey]
	if period := claim.Spec.TerminationGracePeriod; !has && period != nil {
		return node.DeletionTimestamp.Add(period.Duration), nil
	}
	if !has {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf(
			"reading annotation %s of NodeClaim %s: %w; set it to a time such as 2026-01-31T12:00:00Z",
			karpenterv1.NodeClaimTerminationTimestampAnnotationKey,
			claim.Name,
			err,
		)
	}
	return at, nil
}

func poolOf(claim *karpenterv1.NodeClaim) string {
	return claim.Labels[karpenterv1.NodePoolLabelKey]
}
