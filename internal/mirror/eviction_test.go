package mirror

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/eviction"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// TestDrainsKeepTheOrderThatMovesWereFoundBy gives random pods to the mirror: the order by which a drain evicts them is
// that of their classes, which plans are made of. What a pod says by itself gives the same, but for volumes.
func TestDrainsKeepTheOrderThatMovesWereFoundBy(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := New(Options{Clock: clocktesting.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))})
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "default",
				Name:      "a",
				UID:       types.UID("a"),
				Labels:    map[string]string{"app": "a"},
			},
		}
		pod.Status.Conditions = []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
		}
		s := &pod.Spec
		requests := func() corev1.ResourceRequirements {
			return corev1.ResourceRequirements{Requests: corev1.ResourceList{
				corev1.ResourceCPU:    *resource.NewMilliQuantity(rapid.Int64Range(0, 4000).Draw(t, "milli"), resource.DecimalSI),
				corev1.ResourceMemory: *resource.NewQuantity(rapid.Int64Range(0, 32<<30).Draw(t, "bytes"), resource.BinarySI),
			}}
		}
		for range rapid.IntRange(1, 3).Draw(t, "containers") {
			s.Containers = append(
				s.Containers,
				corev1.Container{Name: string(rune('a' + len(s.Containers))), Resources: requests()},
			)
		}
		if rapid.Bool().Draw(t, "init") {
			s.InitContainers = []corev1.Container{{Name: "init", Resources: requests()}}
		}
		if rapid.Bool().Draw(t, "overhead") {
			s.Overhead = requests().Requests
		}
		if rapid.Bool().Draw(t, "selector") {
			s.NodeSelector = map[string]string{"disk": "fast"}
		}
		self := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}}
		if how := rapid.SampledFrom([]corev1.UnsatisfiableConstraintAction{"", corev1.DoNotSchedule, corev1.ScheduleAnyway}).
			Draw(t, "spread"); how != "" {
			s.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{
				{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone, WhenUnsatisfiable: how, LabelSelector: self},
			}
		}
		term := corev1.PodAffinityTerm{TopologyKey: corev1.LabelHostname, LabelSelector: self}
		where := corev1.NodeSelectorTerm{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "disk", Operator: corev1.NodeSelectorOpExists}},
		}
		switch rapid.IntRange(0, 4).Draw(t, "affinity") {
		case 1:
			s.Affinity = &corev1.Affinity{
				PodAntiAffinity: &corev1.PodAntiAffinity{
					RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{term},
				},
			}
		case 2:
			s.Affinity = &corev1.Affinity{
				PodAffinity: &corev1.PodAffinity{
					PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
						{Weight: 1, PodAffinityTerm: term},
					},
				},
			}
		case 3:
			s.Affinity = &corev1.Affinity{
				NodeAffinity: &corev1.NodeAffinity{
					RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
						NodeSelectorTerms: []corev1.NodeSelectorTerm{where},
					},
				},
			}
		case 4:
			s.Affinity = &corev1.Affinity{
				NodeAffinity: &corev1.NodeAffinity{
					PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{
						{Weight: 1, Preference: where},
					},
				},
			}
		}
		alone := translate.EvictionRank(pod)
		m.Put(pod)
		snapshot := m.Snapshot()
		if len(snapshot.Pods) != 1 {
			t.Fatalf("%d pods wait", len(snapshot.Pods))
		}
		planned := eviction.RankOf(snapshot.Classes[snapshot.Pods[0].Class])
		if drained := m.EvictionRank(pod); drained != planned || alone != planned {
			t.Fatalf("the drain has rank %+v, by the pod alone %+v; the plan has %+v", drained, alone, planned)
		}
	})
}
