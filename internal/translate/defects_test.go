package translate_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// The cases of docs/defects.md that are about reading pods.

func TestPortsOfSidecarsAreTaken(t *testing.T) {
	t.Parallel()
	helper := sidecar("cpu", "1")
	helper.Ports = []corev1.ContainerPort{{ContainerPort: 9090, HostPort: 9090}}
	gone := container("cpu", "1")
	gone.Ports = []corev1.ContainerPort{{ContainerPort: 8080, HostPort: 8080}}
	c, _ := one(
		t,
		pod(
			corev1.PodSpec{
				InitContainers: []corev1.Container{gone, helper},
				Containers:     []corev1.Container{container("cpu", "1")},
			},
		),
		translate.Objects{},
	)
	if diff := cmp.Diff([]shape.HostPort{{Protocol: "TCP", Port: 9090}}, c.HostPorts); diff != "" {
		t.Errorf(
			"a sidecar keeps its port while the pod runs, other init containers are gone by then: -want +got\n%s",
			diff,
		)
	}
}

func TestKeysOfPodLabelsNarrowAffinity(t *testing.T) {
	t.Parallel()
	c, _ := one(
		t,
		pod(
			corev1.PodSpec{
				Affinity: &corev1.Affinity{
					PodAffinity: &corev1.PodAffinity{
						RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
							{
								TopologyKey:       "rack",
								LabelSelector:     &metav1.LabelSelector{},
								MatchLabelKeys:    []string{"id"},
								MismatchLabelKeys: []string{"app"},
							},
						},
					},
				},
			},
		),
		translate.Objects{},
	)
	want := []shape.Requirement{
		{Key: "app", Operator: shape.NotIn, Values: []string{"web"}},
		{Key: "id", Values: []string{"7"}},
	}
	if diff := cmp.Diff(want, c.Affinity[0].Selector.Requirements); diff != "" {
		t.Errorf("matchLabelKeys and mismatchLabelKeys are the pod's own values: -want +got\n%s", diff)
	}
}

func TestTranslatingAPodTwiceAddsNothing(t *testing.T) {
	t.Parallel()
	p := pod(corev1.PodSpec{TopologySpreadConstraints: []corev1.TopologySpreadConstraint{
		{
			MaxSkew:           1,
			TopologyKey:       shape.LabelZone,
			WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector:     &metav1.LabelSelector{},
			MatchLabelKeys:    []string{"id"},
		},
	}})
	before := p.DeepCopy()
	first, _ := one(t, p, translate.Objects{})
	second, _ := one(t, p, translate.Objects{})
	if diff := cmp.Diff(first, second); diff != "" {
		t.Errorf("-first +second\n%s", diff)
	}
	if diff := cmp.Diff(before, p); diff != "" {
		t.Errorf("the pod was written to: -before +after\n%s", diff)
	}
}
