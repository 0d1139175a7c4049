package oracle

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	appLabel     = "app"
	versionLabel = "version"
)

var (
	apps     = []string{"a", "b", "c", "d"}
	versions = []string{"v1", "v2"}
)

// template is what the pods of one workload have in common.
func (d dice) template() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: pick(d, namespaces[:appNamespaces]...).Name,
		Labels:    map[string]string{appLabel: pick(d, apps...)},
	}}
	if d.percent(60) {
		pod.Labels[versionLabel] = pick(d, versions...)
	}
	d.requests(&pod.Spec)
	d.nodeWishes(&pod.Spec)
	if d.percent(35) {
		d.spread(pod)
	}
	if d.percent(35) {
		d.neighbours(pod)
	}
	if d.percent(12) {
		d.ports(&pod.Spec)
	}
	if d.percent(15) {
		d.volumes(&pod.Spec)
	}
	if d.percent(20) {
		priority := int32(d.between(0, 2) * 100)
		pod.Spec.Priority = &priority
	}
	return pod
}

// replica is one pod of a template.
func replica(template *corev1.Pod, name string) *corev1.Pod {
	pod := template.DeepCopy()
	pod.Name, pod.UID = name, types.UID(pod.Namespace+"/"+name)
	pod.Status.Phase = corev1.PodPending
	return pod
}

func (d dice) requests(spec *corev1.PodSpec) {
	container := func(name string) corev1.Container {
		list := corev1.ResourceList{}
		if d.percent(90) {
			list[corev1.ResourceCPU] = *resource.NewMilliQuantity(pick[int64](d, 50, 250, 500, 900, 1000, 1500, 3000), resource.DecimalSI)
		}
		if d.percent(80) {
			list[corev1.ResourceMemory] = *resource.NewQuantity(pick(d, gigabytes/4, gigabytes/2, gigabytes, 3*gigabytes, gigabytes+1), resource.BinarySI)
		}
		if d.percent(10) {
			list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(pick[int64](d, 1, 5, 12)*gigabytes, resource.BinarySI)
		}
		return corev1.Container{Name: name, Image: "pause", Resources: corev1.ResourceRequirements{Requests: list}}
	}
	spec.Containers = []corev1.Container{container("app")}
	if d.percent(10) {
		n := *resource.NewQuantity(int64(d.between(1, 2)), resource.DecimalSI)
		spec.Containers[0].Resources.Requests[gpu] = n
		spec.Containers[0].Resources.Limits = corev1.ResourceList{gpu: n}
	}
	if d.percent(10) {
		spec.Containers = append(spec.Containers, container("more"))
	}
	if d.percent(10) {
		spec.InitContainers = append(spec.InitContainers, container("init"))
	}
	if d.percent(10) {
		always := corev1.ContainerRestartPolicyAlways
		sidecar := container("sidecar")
		sidecar.RestartPolicy = &always
		spec.InitContainers = append(spec.InitContainers, sidecar)
	}
	if d.percent(5) {
		spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
	}
	if d.percent(5) {
		spec.Resources = &corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("7")}}
	}
}

func (d dice) ports(spec *corev1.PodSpec) {
	for range d.between(1, 2) {
		port := pick[int32](d, 8080, 9090)
		spec.Containers[0].Ports = append(spec.Containers[0].Ports, corev1.ContainerPort{
			ContainerPort: port, HostPort: port,
			Protocol: pick(d, corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP),
			HostIP:   pick(d, "", "", "127.0.0.1", "10.0.0.1"),
		})
	}
}

func (d dice) volumes(spec *corev1.PodSpec) {
	kinds := append([]string{"anywhere", "partly"}, zones...)
	for i, kind := range some(d, 1, 2, kinds...) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{
			Name: fmt.Sprintf("data-%d", i),
			VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{
				ClaimName: fmt.Sprintf("%s-%d", kind, d.IntN(volumesPerKind)),
			}},
		})
	}
}
