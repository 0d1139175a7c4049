package mirror

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// large is a mirror of so many nodes with their claims, and of pods that run on them.
func large(nodes, pods int) *Mirror {
	m := New(Options{})
	for i := range nodes {
		c := &karpenterv1.NodeClaim{}
		c.Name, c.Labels = fmt.Sprintf("c%05d", i), map[string]string{karpenterv1.NodePoolLabelKey: "q"}
		c.Status.ProviderID = fmt.Sprintf("m%05d", i)
		m.Put(c)
		n := &corev1.Node{}
		n.Name, n.Spec.ProviderID = fmt.Sprintf("n%05d", i), c.Status.ProviderID
		n.Labels = map[string]string{
			shape.LabelHostname: n.Name,
			shape.LabelZone:     []string{"a", "b", "c"}[i%3],
			shape.LabelArch:     "amd64",
			shape.LabelOS:       "linux",
			shape.LabelInstanceType: fmt.Sprintf(
				"t%d",
				i%40,
			),
			shape.LabelCapacityType:             "spot",
			karpenterv1.NodePoolLabelKey:        "q",
			karpenterv1.NodeInitializedLabelKey: "true",
			karpenterv1.NodeRegisteredLabelKey:  "true",
		}
		n.Status.Allocatable = corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse("8"),
			corev1.ResourceMemory: resource.MustParse("32Gi"),
			corev1.ResourcePods:   resource.MustParse("58"),
		}
		n.Status.Capacity = n.Status.Allocatable
		m.Put(n)
	}
	for i := range pods {
		m.Put(benchPod(i, fmt.Sprintf("n%05d", i%nodes)))
	}
	return m
}

func benchPod(i int, node string) *corev1.Pod {
	p := &corev1.Pod{}
	p.Namespace, p.Name = "default", fmt.Sprintf("p%06d", i)
	p.Labels = map[string]string{"app": fmt.Sprintf("a%d", i%300), "pod-template-hash": fmt.Sprintf("h%d", i%300)}
	p.Spec.NodeName = node
	p.Spec.Containers = []corev1.Container{{Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{
		corev1.ResourceCPU: resource.MustParse(
			[]string{"100m", "250m", "1"}[i%3],
		),
		corev1.ResourceMemory: resource.MustParse("256Mi"),
	}}}}
	if node == "" {
		p.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}
	}
	return p
}

// BenchmarkCut is a Snapshot after one change in a large cluster.
func BenchmarkCut(b *testing.B) {
	for _, size := range []struct{ nodes, pods int }{{1_000, 10_000}, {15_000, 100_000}} {
		m := large(size.nodes, size.pods)
		m.Snapshot()
		b.Run(fmt.Sprintf("nodes=%d/pods=%d/pending", size.nodes, size.pods), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.Put(benchPod(size.pods+i%100, ""))
				m.Snapshot()
			}
		})
		b.Run(fmt.Sprintf("nodes=%d/pods=%d/moved", size.nodes, size.pods), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.Put(benchPod(i%1000, fmt.Sprintf("n%05d", i%size.nodes)))
				m.Snapshot()
			}
		})
	}
}

// BenchmarkFill is what it takes to see a large cluster for the first time.
func BenchmarkFill(b *testing.B) {
	for b.Loop() {
		large(15_000, 100_000).Snapshot()
	}
}
