package oracle

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// Plans written by hand, for tests of the oracle itself.

func candidateOf(t *shape.InstanceType) provider.Candidate {
	return provider.Candidate{Type: t, Offering: &t.Offerings[0]}
}

func plainPod(name, cpu string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{
				Name: "app",
				Resources: corev1.ResourceRequirements{
					Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
				},
			},
		}},
	}
}

func placed(pod shape.PodID, node string) func(*engine.Decision) {
	return func(d *engine.Decision) { d.Place = append(d.Place, engine.Placement{Pod: pod, Node: node}) }
}

func unplaced(pod shape.PodID) func(*engine.Decision) {
	return func(d *engine.Decision) { d.Unplaced = append(d.Unplaced, engine.Unplaced{Pod: pod}) }
}

func trialOf(s *scheduler, c *cluster, steps ...func(*engine.Decision)) *trial {
	var decision engine.Decision
	for _, step := range steps {
		step(&decision)
	}
	return newTrial(s, c, decision)
}
