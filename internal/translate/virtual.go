package translate

import (
	"maps"
	"math"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
)

// VirtualPod is the pod that stands in for one unit of a CapacityBuffer while planning. It exists in no API server. It
// gives way to every other pod and brings no volumes.
func VirtualPod(buffer types.NamespacedName, template *corev1.PodTemplateSpec) *corev1.Pod {
	least := int32(math.MinInt32)
	pod := &corev1.Pod{Spec: template.Spec}
	pod.Namespace = buffer.Namespace
	pod.Labels = maps.Clone(template.Labels)
	pod.Annotations = map[string]string{
		autoscalingv1beta1.FakePodAnnotationKey:         "true",
		autoscalingv1beta1.BufferNameAnnotationKey:      buffer.Name,
		autoscalingv1beta1.BufferNamespaceAnnotationKey: buffer.Namespace,
	}
	pod.Spec.Priority, pod.Spec.PriorityClassName = &least, ""
	pod.Spec.NodeName, pod.Spec.Volumes, pod.Spec.SchedulingGates = "", nil, nil
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
	}}
	return pod
}

// VirtualName names the i-th stand-in of a buffer. No API server accepts such a name for a pod.
func VirtualName(buffer string, i int) string { return "buffer:" + buffer + ":" + strconv.Itoa(i) }

// Virtual reports whether a pod is a stand-in.
func Virtual(pod *corev1.Pod) bool {
	return pod.Annotations[autoscalingv1beta1.FakePodAnnotationKey] == "true" && pod.UID == ""
}

// BufferOf is the CapacityBuffer that a stand-in is of.
func BufferOf(pod *corev1.Pod) types.NamespacedName {
	return types.NamespacedName{
		Namespace: pod.Annotations[autoscalingv1beta1.BufferNamespaceAnnotationKey],
		Name:      pod.Annotations[autoscalingv1beta1.BufferNameAnnotationKey],
	}
}
