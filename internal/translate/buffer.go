package translate

import (
	"maps"
	"math"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
)

// standsFor is whose place a stand-in takes: the name of the next pod of a StatefulSet.
const standsFor = "dovetail.sh/stands-for"

// VirtualPod is the pod that stands in for one unit of a CapacityBuffer while planning. It exists in no API server. It
// gives way to every other pod, and is no easier to place than what it stands for: it brings volumes like those of the
// template.
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
	pod.Spec.NodeName, pod.Spec.SchedulingGates = "", nil
	pod.Status.Conditions = []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
	}}
	return pod
}

// StandFor has a stand-in take the place of a StatefulSet's pod: it uses that pod's claims where they exist, as they do
// when the set was larger before, and its labels.
func StandFor(pod *corev1.Pod, set string, ordinal int) {
	name := set + "-" + strconv.Itoa(ordinal)
	pod.Annotations = maps.Clone(pod.Annotations)
	pod.Annotations[standsFor] = name
	pod.Labels = maps.Clone(pod.Labels)
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[appsv1.StatefulSetPodNameLabel] = name
	pod.Labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinal)
}

// Mounted is the template of a StatefulSet's pods with the volumes that come of its claim templates, each to be made
// for its pod. They replace the template's own of the same name.
func Mounted(template *corev1.PodTemplateSpec, claims []corev1.PersistentVolumeClaim) *corev1.PodTemplateSpec {
	if len(claims) == 0 {
		return template
	}
	out := template.DeepCopy()
	for i := range claims {
		out.Spec.Volumes = slices.DeleteFunc(
			out.Spec.Volumes,
			func(v corev1.Volume) bool { return v.Name == claims[i].Name },
		)
		out.Spec.Volumes = append(
			out.Spec.Volumes,
			corev1.Volume{Name: claims[i].Name, VolumeSource: corev1.VolumeSource{
				Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: &corev1.PersistentVolumeClaimTemplate{
					ObjectMeta: metav1.ObjectMeta{
						Labels:      claims[i].Labels,
						Annotations: claims[i].Annotations,
					},
					Spec: claims[i].Spec,
				}},
			}},
		)
	}
	return out
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
