package translate

import (
	"fmt"
	"math"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// PodView is one pod as the planner sees it, with what its node must know of it.
type PodView struct {
	shape.Pod

	// DaemonSet names the pod's owner if that is a DaemonSet, else it is zero.
	DaemonSet types.NamespacedName

	// Held pods must not be disrupted, whatever their role.
	Held bool

	// Until is when Held ends by itself; zero for never.
	Until time.Time
}

// Pod translates one pod. The error is that of Class; the view is usable all the same.
func (in *Interner) Pod(pod *corev1.Pod, now time.Time) (PodView, error) {
	v := viewOf(pod, now, in.world.OwnDeletionCosts)
	var err error
	v.Class, err = in.Class(pod)
	return v, err
}

// viewOf is Pod without the class. ownCosts is World.OwnDeletionCosts.
func viewOf(pod *corev1.Pod, now time.Time, ownCosts bool) PodView {
	v := PodView{Pod: shape.Pod{
		ID:           IDOf(pod),
		Created:      pod.CreationTimestamp.Time,
		EvictionCost: evictionCost(pod, ownCosts),
	}}
	if Virtual(pod) {
		v.EvictionCost = 0 // to move it moves nothing
		return v
	}
	owner := metav1.GetControllerOfNoCopy(pod)
	if OfDaemonSet(pod) {
		v.DaemonSet = types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}
	}
	v.Held, v.Until = Held(pod, now)
	switch {
	case isStatic(pod, owner):
		v.Role = shape.Static
	case v.DaemonSet.Name != "":
		v.Role = shape.Daemon
	case pod.DeletionTimestamp != nil:
		v.Role = shape.Ending
	case v.Held:
		v.Role = shape.Pinned
	}
	return v
}

// IDOf is a pod's namespace and name.
func IDOf(pod *corev1.Pod) shape.PodID { return shape.PodID(pod.Namespace + "/" + pod.Name) }

func isStatic(pod *corev1.Pod, owner *metav1.OwnerReference) bool {
	if owner != nil && owner.Kind == "Node" {
		return true
	}
	_, mirrored := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return mirrored
}

// Held reports whether a pod must not be disrupted just now, and when that ends by itself; zero for never.
func Held(pod *corev1.Pod, now time.Time) (held bool, until time.Time) {
	value, ok := pod.Annotations[karpenterv1.DoNotDisruptAnnotationKey]
	if !ok {
		return false, time.Time{}
	}
	forever, after, err := DoNotDisrupt(value)
	switch {
	case err != nil:
		return false, time.Time{}
	case forever:
		return true, time.Time{}
	case after == 0:
		return false, time.Time{}
	}
	if end := HeldSince(pod).Add(after); now.Before(end) {
		return true, end
	}
	return false, time.Time{}
}

// HeldSince is from when the duration of a pod's do-not-disrupt annotation counts.
func HeldSince(pod *corev1.Pod) time.Time {
	if pod.Status.StartTime != nil {
		return pod.Status.StartTime.Time
	}
	return pod.CreationTimestamp.Time
}

// DoNotDisrupt reads the value of annotation karpenter.sh/do-not-disrupt on a pod: "true", "false", or for
// how long after its start the pod must be left alone.
func DoNotDisrupt(value string) (forever bool, after time.Duration, err error) {
	switch value {
	case "true":
		return true, 0, nil
	case "false", "":
		return false, 0, nil
	}
	after, err = time.ParseDuration(value)
	if err != nil || after <= 0 {
		return false, 0, fmt.Errorf("annotation %s is %q; want \"true\" or a duration such as \"30m\"",
			karpenterv1.DoNotDisruptAnnotationKey, value)
	}
	return false, after, nil
}

// What an eviction costs. The units are Karpenter's, so that the same annotations have the same weight.
const (
	ordinary     = 1000    // the cost of a pod that says nothing
	costUnit     = 1 << 27 // of a disruption or deletion cost: counts as one more ordinary pod
	priorityUnit = 1 << 25 // of a priority: counts as one more ordinary pod
	mostCost     = 10      // ordinary pods that one may count as at most, or at least below zero
)

// evictionCost is in thousandths of an ordinary pod's: it is more or less by the pod's disruption cost, else its
// deletion cost unless that is the controller's own, and by its priority.
func evictionCost(pod *corev1.Pod, ownCosts bool) int32 {
	cost := 1.0
	if n, ok := costIn(pod, karpenterv1.DisruptionCostAnnotationKey); ok {
		cost += n / costUnit
	} else if n, ok := costIn(pod, corev1.PodDeletionCost); ok && !ownCosts {
		cost += n / costUnit
	}
	cost += float64(priorityOf(&pod.Spec)) / priorityUnit
	return int32(math.Round(ordinary * min(max(cost, -mostCost), mostCost)))
}

// costIn reads an annotation that holds an int32. What is none does not count.
func costIn(pod *corev1.Pod, annotation string) (float64, bool) {
	n, err := strconv.ParseInt(pod.Annotations[annotation], 10, 32)
	return float64(n), err == nil
}

// Finished pods hold no room any more.
func Finished(pod *corev1.Pod) bool {
	return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
}

// Provisionable reports whether nodes should be found for a pod: kube-scheduler has tried and
// found none, and nothing else will run or make room for it.
func Provisionable(pod *corev1.Pod) bool { return unplaced(pod) && unschedulable(pod) }

// Waiting reports whether a pod stands in kube-scheduler's queue and has not been tried yet. When many pods come at
// once they are tried one after the other, for seconds; whoever plans only for those that were tried buys room
// that the others then take.
func Waiting(pod *corev1.Pod) bool {
	if !unplaced(pod) || len(pod.Spec.SchedulingGates) > 0 ||
		pod.Spec.SchedulerName != "" && pod.Spec.SchedulerName != corev1.DefaultSchedulerName {
		return false
	}
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == corev1.PodScheduled {
			return false
		}
	}
	return true
}

// unplaced pods have no node, want one, and are not brought to one by their owner.
func unplaced(pod *corev1.Pod) bool {
	if pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil || Finished(pod) {
		return false
	}
	if BoundByOwner(pod) {
		return false
	}
	_, mirrored := pod.Annotations[corev1.MirrorPodAnnotationKey]
	return !mirrored
}

func unschedulable(pod *corev1.Pod) bool {
	for i := range pod.Status.Conditions {
		c := &pod.Status.Conditions[i]
		if c.Type == corev1.PodScheduled {
			return c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable
		}
	}
	return false
}
