package deletioncost

import (
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// manager is the field manager by which this package knows what it wrote.
const manager = "dovetail-pod-deletion-cost"

// predecessor is the field manager of Karpenter, whose values are taken over.
const predecessor = "karpenter"

// What became of a write, as the metric names it.
const (
	updated   = "updated"
	unchanged = "skipped_unchanged"
	gone      = "skipped_notfound"
	conflict  = "skipped_conflict" // the value is a user's
	failed    = "error"
)

// set writes the value, unless somebody else owns it.
func (r *Reconciler) set(ctx context.Context, pod *corev1.Pod, value string) (string, error) {
	want := applycorev1.Pod(
		pod.Name,
		pod.Namespace,
	).WithUID(
		pod.UID,
	).WithAnnotations(
		map[string]string{corev1.PodDeletionCost: value},
	)
	err := r.Client.Apply(ctx, want, client.FieldOwner(manager))
	if inherited(err) {
		err = r.Client.Apply(ctx, want, client.FieldOwner(manager), client.ForceOwnership)
	}
	return outcome(pod, err)
}

// inherited reports whether nobody but Karpenter owns what was in the way.
func inherited(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	n := 0
	for _, c := range status.Status().Details.Causes {
		if c.Type != metav1.CauseTypeFieldManagerConflict {
			continue
		}
		if n++; !strings.Contains(c.Message, `"`+predecessor+`"`) {
			return false
		}
	}
	return n > 0
}

// clear takes a value back, unless it is somebody else's.
func (r *Reconciler) clear(ctx context.Context, pod *corev1.Pod) (string, error) {
	live := &corev1.Pod{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(pod), live); err != nil {
		return outcome(pod, err)
	}
	if _, has := live.Annotations[corev1.PodDeletionCost]; !has || live.UID != pod.UID {
		return unchanged, nil
	}
	if !ours(live) {
		return conflict, nil
	}
	patch := client.MergeFromWithOptions(live.DeepCopy(), client.MergeFromWithOptimisticLock{})
	delete(live.Annotations, corev1.PodDeletionCost)
	return outcome(pod, r.Client.Patch(ctx, live, patch))
}

// ours reports whether the annotation's only owners are this package and Karpenter.
func ours(pod *corev1.Pod) bool {
	mine := false
	for _, f := range pod.ManagedFields {
		if f.FieldsV1 == nil || !strings.Contains(f.FieldsV1.GetRawString(), `"f:`+corev1.PodDeletionCost+`"`) {
			continue
		}
		if f.Manager != manager && f.Manager != predecessor {
			return false
		}
		mine = true
	}
	return mine
}

func outcome(pod *corev1.Pod, err error) (string, error) {
	switch {
	case err == nil:
		return updated, nil
	case apierrors.IsNotFound(err):
		return gone, nil
	case apierrors.IsConflict(err), apierrors.IsInvalid(err): // another owner, or another pod of the same name
		return conflict, nil
	}
	return failed, fmt.Errorf("writing %s of pod %s/%s: %w", corev1.PodDeletionCost, pod.Namespace, pod.Name, err)
}
