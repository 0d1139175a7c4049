package translate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// The DaemonSet controller's tolerations take the place of the template's own that end after some time, and what the
// template says of eviction is said of the pods.
func TestPodsOfDaemonSetsAreTheControllers(t *testing.T) {
	t.Parallel()
	minute := int64(60)
	tolerates := func(key string, effect corev1.TaintEffect, seconds *int64) corev1.Toleration {
		return corev1.Toleration{
			Key:               key,
			Operator:          corev1.TolerationOpExists,
			Effect:            effect,
			TolerationSeconds: seconds,
		}
	}
	agent := &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "agent"}}
	agent.Spec.Template.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}
	agent.Spec.Template.Spec = corev1.PodSpec{
		Containers: []corev1.Container{container("cpu", "1")},
		Tolerations: []corev1.Toleration{
			tolerates(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute, &minute),
			tolerates(corev1.TaintNodeNotReady, corev1.TaintEffectNoSchedule, nil)},
	}
	before := agent.DeepCopy()
	world := translate.WorldOf(translate.Objects{})
	pod, err := world.DaemonPod(agent)
	if err != nil {
		t.Fatal(err)
	}
	want := []corev1.Toleration{
		tolerates(corev1.TaintNodeNotReady, corev1.TaintEffectNoExecute, nil),
		tolerates(corev1.TaintNodeNotReady, corev1.TaintEffectNoSchedule, nil),
		tolerates(corev1.TaintNodeUnreachable, corev1.TaintEffectNoExecute, nil),
		tolerates(corev1.TaintNodeDiskPressure, corev1.TaintEffectNoSchedule, nil),
		tolerates(corev1.TaintNodeMemoryPressure, corev1.TaintEffectNoSchedule, nil),
		tolerates(corev1.TaintNodePIDPressure, corev1.TaintEffectNoSchedule, nil),
		tolerates(corev1.TaintNodeUnschedulable, corev1.TaintEffectNoSchedule, nil),
	}
	if diff := cmp.Diff(want, pod.Spec.Tolerations); diff != "" {
		t.Errorf("tolerations: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(agent.Spec.Template.Annotations, pod.Annotations); diff != "" {
		t.Errorf("annotations: -want +got\n%s", diff)
	}
	if diff := cmp.Diff(before, agent); diff != "" {
		t.Errorf("the DaemonSet has changed: -before +after\n%s", diff)
	}
}
