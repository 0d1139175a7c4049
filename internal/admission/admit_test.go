package admission

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func list(of ...string) corev1.ResourceList {
	out := corev1.ResourceList{}
	for i := 0; i < len(of); i += 2 {
		out[corev1.ResourceName(of[i])] = resource.MustParse(of[i+1])
	}
	return out
}

// Templates come from caches that others read at the same time: a copy of the pod's own fields is all that may change.
func TestAdmissionWritesToNothingThatAPodRefersTo(t *testing.T) {
	t.Parallel()
	runtime := "vm"
	template := corev1.PodSpec{
		RuntimeClassName: &runtime,
		NodeSelector:     map[string]string{"disk": "fast"},
		Tolerations:      make([]corev1.Toleration, 1, 8),
		Resources:        &corev1.ResourceRequirements{Limits: list("cpu", "4")},
		InitContainers: []corev1.Container{
			{Name: "first", Resources: corev1.ResourceRequirements{Limits: list("cpu", "100m")}},
		},
		Containers: []corev1.Container{
			{
				Name: "main",
				Resources: corev1.ResourceRequirements{
					Requests: list("cpu", "1"),
					Limits:   list("cpu", "2", "hugepages-2Mi", "64Mi"),
				},
			},
			{Name: "beside"},
		},
	}
	l := &corev1.LimitRange{}
	l.Spec.Limits = []corev1.LimitRangeItem{
		{
			Type:           corev1.LimitTypeContainer,
			Default:        list("memory", "1Gi"),
			DefaultRequest: list("ephemeral-storage", "1Gi"),
		},
	}
	rules := Rules{
		LimitRanges: map[string]map[string]*corev1.LimitRange{"": {"l": l}},
		RuntimeClasses: map[string]*nodev1.RuntimeClass{
			runtime: {
				Overhead: &nodev1.Overhead{PodFixed: list("cpu", "250m")},
				Scheduling: &nodev1.Scheduling{
					NodeSelector: map[string]string{"vm": "yes"},
					Tolerations:  []corev1.Toleration{{Key: "vm", Operator: corev1.TolerationOpExists}},
				},
			},
		},
		Priorities: PrioritiesOf([]*schedulingv1.PriorityClass{{Value: 7, GlobalDefault: true}}),
	}
	before, ranges := template.DeepCopy(), l.DeepCopy()
	pod := &corev1.Pod{Spec: template}
	if err := rules.Pod(pod); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, &template); diff != "" {
		t.Errorf("the template has changed: -before +after\n%s", diff)
	}
	if diff := cmp.Diff(ranges, l); diff != "" {
		t.Errorf("the LimitRange has changed: -before +after\n%s", diff)
	}
	// The containers' defaults come after the pod's own requests, and are added to these when the pod is read again.
	want := list("cpu", "1", "hugepages-2Mi", "64Mi", "memory", "2Gi")
	if diff := cmp.Diff(want, pod.Spec.Resources.Requests); diff != "" {
		t.Errorf("requests of the pod as a whole: -want +got\n%s", diff)
	}
	again := pod.DeepCopy()
	if err := rules.Pod(again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(pod, again); diff != "" {
		t.Errorf("admitted twice it is another: -once +twice\n%s", diff)
	}
}

func TestTolerationsThatOthersIncludeAreLeftOut(t *testing.T) {
	t.Parallel()
	short, long := int64(30), int64(300)
	for name, c := range map[string]struct{ first, second, want []corev1.Toleration }{
		"equal": {
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}},
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}},
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}}},
		"everything": {
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpEqual, Value: "x"}},
			[]corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			[]corev1.Toleration{{Operator: corev1.TolerationOpExists}}},
		"any effect": {
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoSchedule}},
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}},
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists}}},
		"for longer": {
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
				TolerationSeconds: &short}},
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
				TolerationSeconds: &long}},
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
				TolerationSeconds: &long}}},
		"other values": {
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpEqual, Value: "x"}},
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpEqual, Value: "y"}},
			[]corev1.Toleration{{Key: "a", Operator: corev1.TolerationOpEqual, Value: "x"},
				{Key: "a", Operator: corev1.TolerationOpEqual, Value: "y"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, mergeTolerations(c.first, c.second)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}
