package translate_test

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// diverse makes pods of six families: plain, zone spread, hostname spread, pod affinity in zone and
// on host, and anti-affinity, each with one of a few dozen sizes and seven labels.
func diverse(n int) []*corev1.Pod {
	cpu := []string{"100m", "250m", "500m", "1", "1500m"}
	mem := []string{"100Mi", "256Mi", "512Mi", "1Gi", "2Gi", "4Gi"}
	out := make([]*corev1.Pod, n)
	for i := range out {
		label := map[string]string{"my-label": string(rune('a' + i%7))}
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name, pod.Labels = "default", fmt.Sprintf("pod-%05d", i), label
		pod.CreationTimestamp = metav1.NewTime(noon)
		pod.Spec.Containers = []corev1.Container{
			{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU:    resource.MustParse(cpu[i*7%len(cpu)]),
				corev1.ResourceMemory: resource.MustParse(mem[i*11%len(mem)]),
			}}},
		}
		selector := &metav1.LabelSelector{MatchLabels: map[string]string{"my-label": string(rune('a' + i*3%7))}}
		key := []string{corev1.LabelTopologyZone, corev1.LabelHostname}[i/6%2]
		switch i % 6 {
		case 1, 2:
			pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
				MaxSkew: 1, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: selector}}
		case 3:
			pod.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					{TopologyKey: key, LabelSelector: selector},
				},
			}}
		case 4:
			pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					{TopologyKey: key, LabelSelector: selector},
				},
			}}
		case 5:
			pod.Spec.NodeSelector = map[string]string{corev1.LabelArchStable: "amd64"}
			pod.Spec.Tolerations = []corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}}
		}
		pod.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}
		out[i] = pod
	}
	return out
}

func BenchmarkSnapshot(b *testing.B) {
	for _, n := range []int{100, 5_000, 20_000} {
		b.Run(fmt.Sprintf("pods=%d", n), func(b *testing.B) {
			objects := translate.Objects{Pods: diverse(n)}
			b.ReportAllocs()
			var classes int
			for b.Loop() {
				s, _ := translate.Snapshot(objects, noon)
				classes = len(s.Classes)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/pod")
			b.ReportMetric(float64(classes), "classes")
		})
	}
}

func BenchmarkClassKnown(b *testing.B) {
	pods := diverse(5_000)
	in := translate.NewInterner(&translate.World{})
	for _, p := range pods {
		in.Observe(&p.Spec)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Class(pods[i%len(pods)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
