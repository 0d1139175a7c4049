package lookup_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// What is planned for a pod is the same whether the cache kept all of it or not: a sidecar, a host port and a resize in
// place count.
func TestSlimPodsArePlannedAsBefore(t *testing.T) {
	t.Parallel()
	always := corev1.ContainerRestartPolicyAlways
	asks := func(cpu string) corev1.ResourceList {
		return corev1.ResourceList{
			corev1.ResourceCPU:    resource.MustParse(cpu),
			corev1.ResourceMemory: resource.MustParse("1Gi"),
		}
	}
	resized := corev1.ResourceRequirements{Requests: asks("3")}
	whole := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:     "default",
			Name:          "web",
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "kubectl"}},
		},
	}
	whole.Spec.NodeName = "n1"
	whole.Spec.InitContainers = []corev1.Container{
		{
			Name:          "proxy",
			Image:         "proxy:1",
			RestartPolicy: &always,
			Resources:     corev1.ResourceRequirements{Requests: asks("500m")},
		},
	}
	whole.Spec.Containers = []corev1.Container{
		{
			Name:    "web",
			Image:   "web:1",
			Command: []string{"web"},
			Env:     []corev1.EnvVar{{Name: "A", Value: "b"}},
			Ports: []corev1.ContainerPort{
				{ContainerPort: 80, HostPort: 8080},
			},
			Resources: corev1.ResourceRequirements{Requests: asks("1")},
		},
	}
	whole.Status.ContainerStatuses = []corev1.ContainerStatus{
		{Name: "web", Image: "web:1", Ready: true, AllocatedResources: asks("1"), Resources: &resized},
	}

	kept, err := lookup.Slim(whole.DeepCopy())
	if err != nil {
		t.Fatal(err)
	}
	slim, ok := kept.(*corev1.Pod)
	if !ok {
		t.Fatalf("a pod became a %T", kept)
	}
	if c := slim.Spec.Containers[0]; c.Image != "" || c.Env != nil || slim.ManagedFields != nil {
		t.Errorf("what nobody reads was kept: %+v", c)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	cut := func(pod *corev1.Pod) shape.Snapshot {
		s, problems := translate.Snapshot(
			translate.Objects{Nodes: []*corev1.Node{node}, Pods: []*corev1.Pod{pod}},
			time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC),
		)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return s
	}
	if diff := cmp.Diff(cut(whole), cut(slim)); diff != "" {
		t.Errorf("-whole +slim\n%s", diff)
	}
}
