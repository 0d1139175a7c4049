package surge

import (
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// subject is a pod with all that decides whether a second one may run beside it.
type subject struct {
	pod        *corev1.Pod
	deployment *appsv1.Deployment // nil if none owns the pod's ReplicaSet
	services   []corev1.Service   // of the pod's namespace
	claims     []corev1.PersistentVolumeClaim
}

// refusal is why a pod must not have its successor started first, or nothing. Whatever is not known to be harmless
// refuses.
func (s subject) refusal() string {
	switch d := s.deployment; {
	case s.pod.Labels[appsv1.DefaultDeploymentUniqueLabelKey] == "" || d == nil:
		return "it is not of a Deployment"
	case !d.DeletionTimestamp.IsZero() || d.Spec.Paused:
		return "its Deployment is paused or going"
	case d.Spec.Replicas != nil && *d.Spec.Replicas != 1:
		return "its Deployment has not one replica"
	case !surges(d):
		return "its Deployment's strategy does not let a second pod run beside it"
	case d.Status.ObservedGeneration != d.Generation || d.Status.UpdatedReplicas != 1 || d.Status.Replicas != 1:
		return "its Deployment is being rolled out"
	case !ready(s.pod) || !s.pod.DeletionTimestamp.IsZero():
		return "it is not ready"
	case s.pod.Spec.HostNetwork || hostPorts(s.pod):
		return "it takes ports of its host"
	case exclusive(s.claims):
		return "a volume of it can be attached to one node only"
	case keepsAway(s.pod):
		return "it keeps away from pods like itself"
	}
	for i := range s.services {
		if selector := s.services[i].Spec.Selector; selector[appsv1.DefaultDeploymentUniqueLabelKey] != "" &&
			labels.SelectorFromSet(selector).Matches(labels.Set(s.pod.Labels)) {
			return "Service " + s.services[i].Name + " selects by the label that is to be changed"
		}
	}
	return ""
}

// surges reports whether a Deployment's own strategy lets one pod more than its replicas run.
func surges(d *appsv1.Deployment) bool {
	if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType {
		return false
	}
	most := intstr.FromString("25%") // the API server's default
	if r := d.Spec.Strategy.RollingUpdate; r != nil && r.MaxSurge != nil {
		most = *r.MaxSurge
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(&most, 1, true)
	return err == nil && n > 0
}

func ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func hostPorts(pod *corev1.Pod) bool {
	return slices.ContainsFunc(
		slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers),
		func(c corev1.Container) bool {
			return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort != 0 })
		},
	)
}

// exclusive reports whether any claim is of volumes that one node at a time may write.
func exclusive(claims []corev1.PersistentVolumeClaim) bool {
	return slices.ContainsFunc(claims, func(c corev1.PersistentVolumeClaim) bool {
		return !slices.ContainsFunc(c.Spec.AccessModes, func(m corev1.PersistentVolumeAccessMode) bool {
			return m == corev1.ReadWriteMany || m == corev1.ReadOnlyMany
		}) || slices.Contains(c.Spec.AccessModes, corev1.ReadWriteOncePod) ||
			slices.Contains(c.Spec.AccessModes, corev1.ReadWriteOnce)
	})
}

// keepsAway reports whether a pod's required anti-affinity may shut its own successor out. The successor runs on
// another host anyway.
func keepsAway(pod *corev1.Pod) bool {
	a := pod.Spec.Affinity
	if a == nil || a.PodAntiAffinity == nil {
		return false
	}
	return slices.ContainsFunc(
		a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution,
		func(t corev1.PodAffinityTerm) bool {
			selector, err := metav1.LabelSelectorAsSelector(t.LabelSelector)
			return t.TopologyKey != corev1.LabelHostname && (err != nil || selector.Matches(labels.Set(pod.Labels)))
		},
	)
}
