package mirror

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/lookup"
)

// BenchmarkMemory is what the controller's caches and the mirror of a large cluster take, with pods and nodes as API
// servers send them, beside one look at every node. Run one size at a time: peak-MiB is of the process.
func BenchmarkMemory(b *testing.B) {
	for _, size := range []struct{ nodes, pods int }{{1_000, 10_000}, {15_000, 100_000}} {
		for name, keep := range map[string]func(any) (any, error){"slim": lookup.Slim, "whole": func(o any) (any, error) { return o, nil }} {
			b.Run(fmt.Sprintf("nodes=%d/pods=%d/%s", size.nodes, size.pods, name), func(b *testing.B) {
				for b.Loop() {
					m := large(size.nodes, 0)
					cache := make([]any, 0, size.nodes+size.pods)
					fill(b, &cache, m, size.nodes, size.pods, keep)
					s := m.Snapshot()
					p := refit.DefaultPolicy()
					p.Pools = map[string]refit.PoolPolicy{
						"q": {Mode: refit.WhenUnderutilized, Budget: size.nodes / 10},
					}
					refit.Refit(s, p)
					runtime.GC()
					var stats runtime.MemStats
					runtime.ReadMemStats(&stats)
					b.ReportMetric(float64(stats.HeapAlloc>>20), "live-MiB")
					b.ReportMetric(float64(peak(b)>>10), "peak-MiB")
					runtime.KeepAlive(cache)
					runtime.KeepAlive(m)
				}
			})
		}
	}
}

// fill puts nodes and pods into a cache and a mirror, each decoded by itself as an informer does.
func fill(b *testing.B, cache *[]any, m *Mirror, nodes, pods int, keep func(any) (any, error)) {
	for i := range nodes {
		wire, err := wholeNode(i).Marshal()
		if err != nil {
			b.Fatal(err)
		}
		n := &corev1.Node{}
		if err := n.Unmarshal(wire); err != nil {
			b.Fatal(err)
		}
		kept, err := keep(n)
		if err != nil {
			b.Fatal(err)
		}
		*cache = append(*cache, kept)
	}
	for i := range pods {
		wire, err := wholePod(i, fmt.Sprintf("n%05d", i%nodes)).Marshal()
		if err != nil {
			b.Fatal(err)
		}
		p := &corev1.Pod{}
		if err := p.Unmarshal(wire); err != nil {
			b.Fatal(err)
		}
		kept, err := keep(p)
		if err != nil {
			b.Fatal(err)
		}
		*cache = append(*cache, kept)
		m.Put(p)
	}
}

// wholePod is a pod as a Deployment's usually look: one container with a dozen variables, a token volume, five
// conditions.
func wholePod(i int, node string) *corev1.Pod {
	p := benchPod(i, node)
	p.UID = "6f1f3a0e-9a3f-4b7e-9d7e-0123456789ab"
	p.OwnerReferences = []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: p.Name[:3], UID: p.UID},
	}
	p.ManagedFields = []metav1.ManagedFieldsEntry{
		{
			Manager:    "kubelet",
			Operation:  "Update",
			APIVersion: "v1",
			FieldsType: "FieldsV1",
			FieldsV1:   metav1.NewFieldsV1(strings.Repeat("f", 1500)),
		},
	}
	c := &p.Spec.Containers[0]
	c.Name, c.Image = "main", "registry.example.com/team/service:v1.2.3"
	for k := range 12 {
		c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", k), Value: strings.Repeat("v", 24)})
	}
	c.VolumeMounts = []corev1.VolumeMount{
		{Name: "kube-api-access", ReadOnly: true, MountPath: "/var/run/secrets/kubernetes.io/serviceaccount"},
	}
	c.LivenessProbe = &corev1.Probe{
		ProbeHandler:  corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz"}},
		PeriodSeconds: 10,
	}
	c.ReadinessProbe = c.LivenessProbe
	p.Spec.Volumes = []corev1.Volume{
		{
			Name: "kube-api-access",
			VolumeSource: corev1.VolumeSource{
				Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
					{
						ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"},
					},
					{
						ConfigMap: &corev1.ConfigMapProjection{
							LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"},
						},
					},
				}},
			},
		},
	}
	for _, kind := range []corev1.PodConditionType{corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		p.Status.Conditions = append(
			p.Status.Conditions,
			corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()},
		)
	}
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses = []corev1.ContainerStatus{
		{
			Name:        "main",
			Ready:       true,
			Image:       c.Image,
			ImageID:     c.Image + "@sha256:" + strings.Repeat("0", 64),
			ContainerID: "containerd://" + strings.Repeat("1", 64),
			State: corev1.ContainerState{
				Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()},
			},
			AllocatedResources: c.Resources.Requests,
			Resources:          &c.Resources,
		},
	}
	return p
}

// wholeNode is a node with as many images as a kubelet reports.
func wholeNode(i int) *corev1.Node {
	n := &corev1.Node{}
	n.Name = fmt.Sprintf("n%05d", i)
	n.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("8"),
		corev1.ResourceMemory: resource.MustParse("32Gi"),
	}
	for k := range 50 {
		n.Status.Images = append(
			n.Status.Images,
			corev1.ContainerImage{
				Names: []string{
					fmt.Sprintf("registry.example.com/image-%d@sha256:%s", k, strings.Repeat("0", 64)),
					fmt.Sprintf("registry.example.com/image-%d:v1", k),
				},
			},
		)
	}
	return n
}

// peak is the most memory that the process has had, in KiB; 0 where the system does not say.
func peak(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib
		}
	}
	b.Log("no VmHWM in /proc/self/status")
	return 0
}
