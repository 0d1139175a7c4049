package play

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// topology has a rule of each kind that ties pods to each other.
func topology(ctx context.Context, s *Stage) error {
	hosts := part(s.Pods, 0.03)
	groups := []group{
		{
			name:     "zones",
			replicas: part(s.Pods, 0.25),
			cpu:      "700m",
			memory:   "1500Mi",
			change:   spread(corev1.LabelTopologyZone, 1),
		},
		{
			name:     "hosts",
			replicas: part(s.Pods, 0.15),
			cpu:      "500m",
			memory:   "1Gi",
			change:   spread(corev1.LabelHostname, 4),
		},
		{
			name:     "both",
			replicas: part(s.Pods, 0.15),
			cpu:      "250m",
			memory:   "512Mi",
			change: func(t *corev1.PodTemplateSpec) {
				spread(corev1.LabelTopologyZone, 1)(t)
				spread(corev1.LabelHostname, 8)(t)
			},
		},
		{name: "apart", replicas: hosts, cpu: "1", memory: "2Gi", change: apart},
		{name: "follow", replicas: hosts, cpu: "500m", memory: "1Gi", change: func(t *corev1.PodTemplateSpec) {
			t.Spec.Affinity = &corev1.Affinity{PodAffinity: &corev1.PodAffinity{
				RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
					to("zones", corev1.LabelTopologyZone),
				},
			}}
		}},
		{name: "free", replicas: part(s.Pods, 0.35), cpu: "900m", memory: "3Gi"},
	}
	if err := s.raise(ctx, groups); err != nil {
		return err
	}
	return pause(ctx, s.For)
}

// apart keeps pods of one Deployment on hosts of their own.
func apart(t *corev1.PodTemplateSpec) {
	t.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{
			to(t.Labels["app"], corev1.LabelHostname),
		},
	}}
}

// to is a term about the pods of an app.
func to(app, key string) corev1.PodAffinityTerm {
	return corev1.PodAffinityTerm{
		TopologyKey: key, LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}},
	}
}
