package sample

import (
	"fmt"
	"hash/fnv"
	"strings"

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

// Template is what the pods of one workload have in common.
func (d Dice) Template() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: Pick(d, namespaces[:appNamespaces]...).Name,
		Labels:    map[string]string{appLabel: Pick(d, apps...)},
	}}
	if d.Percent(60) {
		pod.Labels[versionLabel] = Pick(d, versions...)
	}
	d.requests(&pod.Spec)
	d.nodeWishes(&pod.Spec)
	if d.Percent(35) {
		d.spread(pod)
	}
	if d.Percent(35) {
		d.neighbours(pod)
	}
	if d.Percent(12) {
		d.ports(&pod.Spec)
	}
	if d.Percent(15) {
		d.volumes(&pod.Spec)
	}
	if d.Percent(20) {
		priority := int32(d.Between(0, 2) * 100)
		pod.Spec.Priority = &priority
	}
	return pod
}

// Replica is one pod of a template.
func Replica(template *corev1.Pod, name string) *corev1.Pod {
	pod := template.DeepCopy()
	pod.Name, pod.UID = name, types.UID(pod.Namespace+"/"+name)
	pod.Status.Phase = corev1.PodPending
	for i := range pod.Spec.Volumes {
		// Like those of a StatefulSet, some pods of a workload have claims of their own.
		if claim := pod.Spec.Volumes[i].PersistentVolumeClaim; strings.HasPrefix(claim.ClaimName, "static-") ||
			strings.HasPrefix(claim.ClaimName, "mixed-") {
			h := fnv.New32a()
			h.Write([]byte(pod.Name))
			kind, _, _ := strings.Cut(claim.ClaimName, "-")
			claim.ClaimName = fmt.Sprintf("%s-%d", kind, (h.Sum32()+uint32(i))%volumesPerKind)
		}
	}
	return pod
}

func (d Dice) requests(spec *corev1.PodSpec) {
	container := func(name string) corev1.Container {
		list := corev1.ResourceList{}
		if d.Percent(90) {
			list[corev1.ResourceCPU] = *resource.NewMilliQuantity(Pick[int64](d, 50, 250, 500, 900, 1000, 1500,
				3000), resource.DecimalSI)
		}
		if d.Percent(80) {
			list[corev1.ResourceMemory] = *resource.NewQuantity(Pick(d, gigabytes/4, gigabytes/2, gigabytes,
				3*gigabytes, gigabytes+1), resource.BinarySI)
		}
		if d.Percent(10) {
			list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(Pick[int64](d, 1, 5, 12)*gigabytes,
				resource.BinarySI)
		}
		return corev1.Container{Name: name, Image: "pause", Resources: corev1.ResourceRequirements{Requests: list}}
	}
	spec.Containers = []corev1.Container{container("app")}
	if d.Percent(10) {
		n := *resource.NewQuantity(int64(d.Between(1, 2)), resource.DecimalSI)
		spec.Containers[0].Resources.Requests[gpu] = n
		spec.Containers[0].Resources.Limits = corev1.ResourceList{gpu: n}
	}
	if d.Percent(10) {
		spec.Containers = append(spec.Containers, container("more"))
	}
	if d.Percent(10) {
		spec.InitContainers = append(spec.InitContainers, container("init"))
	}
	if d.Percent(10) {
		always := corev1.ContainerRestartPolicyAlways
		sidecar := container("sidecar")
		sidecar.RestartPolicy = &always
		spec.InitContainers = append(spec.InitContainers, sidecar)
	}
	if d.Percent(5) {
		spec.Overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("100m")}
	}
	if d.Percent(5) {
		spec.Resources = &corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("7")},
		}
	}
}

func (d Dice) ports(spec *corev1.PodSpec) {
	for range d.Between(1, 2) {
		port := Pick[int32](d, 8080, 9090)
		spec.Containers[0].Ports = append(spec.Containers[0].Ports, corev1.ContainerPort{
			ContainerPort: port, HostPort: port,
			Protocol: Pick(d, corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP),
			HostIP:   Pick(d, "", "", "127.0.0.1", "10.0.0.1"),
		})
	}
}

func (d Dice) volumes(spec *corev1.PodSpec) {
	kinds := append([]string{"anywhere", "partly", "static", "static", "mixed", "kept", "once"}, zones...)
	for i, kind := range Some(d, 1, 2, kinds...) {
		spec.Volumes = append(spec.Volumes, corev1.Volume{
			Name: fmt.Sprintf("data-%d", i),
			VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{
				ClaimName: fmt.Sprintf("%s-%d", kind, d.IntN(volumesPerKind)),
			}},
		})
	}
}
