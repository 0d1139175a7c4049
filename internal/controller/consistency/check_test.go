package consistency

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	taint := karpenterv1.Taint{Key: "team", Value: "blue", Effect: corev1.TaintEffectNoSchedule}
	cases := map[string]struct {
		why    string
		memory string
		taints []corev1.Taint
		want   []string
	}{
		"AsExpected": {"A node that is what was launched.", "16Gi", []corev1.Taint{corev1.Taint(taint)}, nil},
		"SlightlyOff": {
			"What a hypervisor takes is no contradiction.",
			"15Gi",
			[]corev1.Taint{corev1.Taint(taint)},
			nil,
		},
		"HalfTheSize": {
			"Half of the memory is missing.",
			"8Gi",
			[]corev1.Taint{corev1.Taint(taint)},
			[]string{"expected 16Gi of memory, the node has 8Gi (50%)"},
		},
		"TaintLost": {
			"Pods that do not tolerate the taint come.",
			"16Gi",
			nil,
			[]string{"expected taint team=blue:NoSchedule, the node lacks it"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim, node := &karpenterv1.NodeClaim{}, &corev1.Node{}
			claim.Status.Capacity = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("16Gi")}
			claim.Spec.Taints = []karpenterv1.Taint{taint}
			node.Status.Capacity = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse(tc.memory)}
			node.Spec.Taints = tc.taints
			if diff := cmp.Diff(tc.want, problems(claim, node)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

// A kubelet may keep more of a machine to itself than was planned, with larger reservations or eviction thresholds.
func TestANodeMayLeaveLessToPodsThanPlanned(t *testing.T) {
	t.Parallel()
	claim, node := &karpenterv1.NodeClaim{}, &corev1.Node{}
	claim.Status.Capacity = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("8Gi")}
	claim.Status.Allocatable = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("7Gi")}
	node.Status.Capacity = claim.Status.Capacity
	node.Status.Allocatable = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("3584Mi")}
	want := []string{"expected 7Gi of memory for pods, the node has 3584Mi (50%)"}
	if diff := cmp.Diff(want, problems(claim, node)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestADeviceThatNobodyAskedForMayBeMissing(t *testing.T) {
	t.Parallel()
	const device = corev1.ResourceName("vpc.amazonaws.com/pod-eni")
	claim, node := &karpenterv1.NodeClaim{}, &corev1.Node{}
	claim.Status.Capacity = corev1.ResourceList{device: resource.MustParse("9")}
	if got := problems(claim, node); len(got) != 0 {
		t.Errorf("no plugin registers the device: %v", got)
	}
	claim.Spec.Resources.Requests = claim.Status.Capacity
	if got := problems(claim, node); len(got) != 1 {
		t.Errorf("the claim asked for the device and the node has none: %v", got)
	}
}
