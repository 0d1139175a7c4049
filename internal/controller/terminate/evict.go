package terminate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// errRefused means that a PodDisruptionBudget does not let the pod go now.
var errRefused = errors.New("eviction refused")

// evict asks a pod to go, because of its node's claim. A pod that is gone, or another one under its name, counts as
// gone.
func (r *Nodes) evict(ctx context.Context, pod *corev1.Pod, claim *karpenterv1.NodeClaim) error {
	err := r.Client.SubResource("eviction").Create(ctx, pod, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
	})
	r.Metrics.Pods.Evictions.WithLabelValues(code(err)).Inc()
	switch {
	case err == nil:
		r.Events.Emit(pod, observe.Evicted, "Evicted, because the node goes.")
		r.Metrics.Pods.Drained.WithLabelValues(drainReason(claim)).Inc()
		return nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return nil
	case apierrors.IsTooManyRequests(err), apierrors.IsInternalError(err):
		// An internal error is what the API server answers when two budgets cover the pod.
		return fmt.Errorf("%w: pod %s/%s: %w", errRefused, pod.Namespace, pod.Name, err)
	default:
		return fmt.Errorf("evicting pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
}

// kill deletes a pod with the grace period that the deadline leaves it.
func (r *Nodes) kill(ctx context.Context, k killing, claim *karpenterv1.NodeClaim) error {
	seconds := int64(k.grace.Seconds())
	if grace(k.pod) > 0 {
		seconds = max(seconds, 1) // with 0 the pod would be gone before its kubelet has heard of it
	}
	err := r.Client.Delete(ctx, k.pod, &client.DeleteOptions{
		GracePeriodSeconds: &seconds,
		Preconditions:      &metav1.Preconditions{UID: &k.pod.UID},
	})
	if err != nil {
		if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
			return nil
		}
		return fmt.Errorf("deleting pod %s/%s, whose node goes by a deadline: %w", k.pod.Namespace, k.pod.Name, err)
	}
	r.Events.Emitf(
		k.pod,
		observe.Disrupted,
		"Deleted with %d seconds to stop, because the node's time runs out.",
		seconds,
	)
	r.Metrics.Pods.Drained.WithLabelValues(drainReason(claim)).Inc()
	return nil
}

// drainReason is why pods are drained, as the metric names it: the reason for which the claim was chosen, or
// Karpenter's word for a deletion that nobody planned.
func drainReason(claim *karpenterv1.NodeClaim) string {
	if c := condition.Get(
		claim,
		karpenterv1.ConditionDisruptionReason,
	); c != nil &&
		c.Status == metav1.ConditionTrue {
		return c.Reason
	}
	return "Forceful Termination"
}

// code is the HTTP status of an answer, as the metric counts it.
func code(err error) string {
	if err == nil {
		return strconv.Itoa(http.StatusOK)
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return strconv.Itoa(int(status.Status().Code))
	}
	return "unknown"
}
