package workload

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// dice draws requests and labels from the sets that the peer's benchmark describes.
type dice struct{ *rand.Rand }

func newDice() dice { return dice{rand.New(rand.NewPCG(42, 42))} }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

func (d dice) requests() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU: *resource.NewMilliQuantity(pick[int64](d, 100, 250, 500, 1000, 1500),
			resource.DecimalSI),
		corev1.ResourceMemory: *resource.NewQuantity(pick[int64](d, 100, 256, 512, 1024, 2048, 4096)*mebibyte,
			resource.BinarySI),
	}
}

func (d dice) label() string { return pick(d, "a", "b", "c", "d", "e", "f", "g") }

// Diverse is the peer's mix in five equal parts: plain pods, spread over zones, spread over hosts, zonal affinity
// to themselves, and pods that tolerate no other of their kind on a host.
func Diverse(count int) Workload {
	d := newDice()
	w := Workload{Name: fmt.Sprintf("diverse-%d", count), Types: fakeTypes(400)}
	part := count / 5
	for i := range count {
		kind := 0
		if part > 0 && i/part < 5 {
			kind = i / part
		}
		w.Pods = append(w.Pods, diversePod(d, i, kind))
	}
	return w
}

func diversePod(d dice, i, kind int) *corev1.Pod {
	pod := newPod(i, map[string]string{"my-label": d.label()}, d.requests())
	switch kind {
	case 1, 2:
		pod.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{
			MaxSkew:           1,
			TopologyKey:       []string{corev1.LabelTopologyZone, corev1.LabelHostname}[kind-1],
			WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector:     &metav1.LabelSelector{MatchLabels: map[string]string{"my-label": d.label()}},
		}}
	case 3:
		pod.Labels = map[string]string{"my-affinity": d.label()}
		pod.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
				sameAs(pod, corev1.LabelTopologyZone),
			},
		}}
	case 4:
		pod.Labels = map[string]string{"app": "nginx"}
		pod.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
			RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
				sameAs(pod, corev1.LabelHostname),
			},
		}}
	}
	return pod
}

// Preferences is the peer's second mix: a preference for a zone that can be kept, one against sharing a
// zone that cannot, and a lighter one against sharing a host that can.
func Preferences(count int, ignore bool) Workload {
	d := newDice()
	policy := "respect"
	if ignore {
		policy = "ignore"
	}
	w := Workload{
		Name:              fmt.Sprintf("preferences-%s-%d", policy, count),
		Types:             fakeTypes(400),
		IgnorePreferences: ignore,
	}
	for i := range count {
		pod := newPod(i, map[string]string{"app": "nginx"}, d.requests())
		pod.Spec.Affinity = &corev1.Affinity{
			NodeAffinity: &corev1.NodeAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
					Weight: 1,
					Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
						{
							Key:      corev1.LabelTopologyZone,
							Operator: corev1.NodeSelectorOpIn,
							Values:   []string{"test-zone-1"},
						},
					}},
				}},
			},
			PodAntiAffinity: &corev1.PodAntiAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{
					{Weight: 10, PodAffinityTerm: sameAs(pod, corev1.LabelTopologyZone)},
					{Weight: 1, PodAffinityTerm: sameAs(pod, corev1.LabelHostname)},
				},
			},
		}
		w.Pods = append(w.Pods, pod)
	}
	return w
}

// newPod is a pending pod that the scheduler has found no room for.
func newPod(i int, labels map[string]string, requests corev1.ResourceList) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "default",
			Name:      fmt.Sprintf("pod-%06d", i),
			UID:       types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i)),
			Labels:    labels,
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name:      "app",
			Image:     "pause",
			Resources: corev1.ResourceRequirements{Requests: requests},
		}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending,
			Conditions: []corev1.PodCondition{
				{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
			},
		},
	}
}

func sameAs(pod *corev1.Pod, key string) corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{TopologyKey: key, LabelSelector: &metav1.LabelSelector{MatchLabels: pod.Labels}}
}

func sortRequirements(reqs []shape.Requirement) {
	slices.SortFunc(reqs, func(a, b shape.Requirement) int { return cmp.Compare(a.Key, b.Key) })
}
