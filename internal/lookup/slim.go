package lookup

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
)

// Slim takes off an object what nobody here reads, before a cache keeps it: most of a pod is how its containers are
// run, and most of a node the images that it has. The rest is as the API server has it, and so are patches, which say
// what differs. An object from such a cache must never be sent whole.
func Slim(object any) (any, error) {
	if o, err := meta.Accessor(object); err == nil && o.GetManagedFields() != nil {
		o.SetManagedFields(nil)
	}
	switch o := object.(type) {
	case *corev1.Pod:
		slimContainers(o.Spec.InitContainers)
		slimContainers(o.Spec.Containers)
		o.Spec.EphemeralContainers = nil
		slimStatuses(o.Status.InitContainerStatuses)
		slimStatuses(o.Status.ContainerStatuses)
		o.Status.EphemeralContainerStatuses = nil
	case *corev1.Node:
		o.Status.Images = nil
	}
	return object, nil
}

// slimContainers keeps what matters for where a pod may run.
func slimContainers(list []corev1.Container) {
	for i, c := range list {
		list[i] = corev1.Container{
			Name:          c.Name,
			Ports:         c.Ports,
			Resources:     c.Resources,
			ResizePolicy:  c.ResizePolicy,
			RestartPolicy: c.RestartPolicy,
		}
	}
}

// slimStatuses keeps what a resize in place looks at.
func slimStatuses(list []corev1.ContainerStatus) {
	for i, s := range list {
		list[i] = corev1.ContainerStatus{
			Name:               s.Name,
			Ready:              s.Ready,
			RestartCount:       s.RestartCount,
			Started:            s.Started,
			AllocatedResources: s.AllocatedResources,
			Resources:          s.Resources,
		}
	}
}
