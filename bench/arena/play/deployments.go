package play

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// four is a published scale run of the reference, shrunk or grown.
func four(ctx context.Context, s *Stage) error {
	groups := []group{
		{name: "small", replicas: part(s.Pods, 800./3000), cpu: "250m", memory: "512Mi"},
		{name: "memory", replicas: part(s.Pods, 800./3000), cpu: "900m", memory: "3Gi"},
		{
			name:     "spread",
			replicas: part(s.Pods, 700./3000),
			cpu:      "700m",
			memory:   "1500Mi",
			change:   spread(corev1.LabelTopologyZone, 1),
		},
		{name: "compute", replicas: part(s.Pods, 700./3000), cpu: "1700m", memory: "1Gi"},
	}
	if err := s.raise(ctx, groups); err != nil {
		return err
	}
	left := part(s.Pods, 350./3000)
	for _, g := range groups {
		if err := s.scale(ctx, g.name, left); err != nil {
			return err
		}
	}
	if err := pause(ctx, s.For); err != nil {
		return err
	}
	return s.settle(ctx, 4*int(left))
}

// spread is a hard topology spread.
func spread(key string, skew int32) func(*corev1.PodTemplateSpec) {
	return func(t *corev1.PodTemplateSpec) {
		t.Spec.TopologySpreadConstraints = append(t.Spec.TopologySpreadConstraints, corev1.TopologySpreadConstraint{
			MaxSkew: skew, TopologyKey: key, WhenUnsatisfiable: corev1.DoNotSchedule,
			LabelSelector: &metav1.LabelSelector{MatchLabels: t.Labels},
		})
	}
}

// sizes are what services ask for, from small to large.
var sizes = []struct{ cpu, memory string }{
	{"250m", "512Mi"}, {"500m", "1Gi"}, {"500m", "3Gi"}, {"1", "2Gi"}, {"1500m", "2Gi"}, {"900m", "6Gi"},
}

// services are so many Deployments of the same number of pods, of different sizes.
func services(n, pods int) []group {
	out := make([]group, n)
	for i := range out {
		size := sizes[i%len(sizes)]
		out[i] = group{
			name:     fmt.Sprintf("service-%d", i+1),
			replicas: part(pods, 1/float64(n)),
			cpu:      size.cpu,
			memory:   size.memory,
		}
	}
	return out
}

// rollouts restarts all Deployments, four at a time.
func rollouts(ctx context.Context, s *Stage) error {
	const atOnce, rests = 4, 5
	groups := services(20, s.Pods)
	if err := s.raise(ctx, groups); err != nil {
		return err
	}
	for i, g := range groups {
		if err := s.restart(ctx, g.name, "1"); err != nil {
			return err
		}
		if i%atOnce == atOnce-1 {
			if err := pause(ctx, s.For/rests); err != nil {
				return err
			}
		}
	}
	return s.settle(ctx, len(groups)*int(groups[0].replicas))
}

// flapping scales every few seconds, each Deployment on its own.
func flapping(ctx context.Context, s *Stage) error {
	const every = 5 * time.Second
	groups := services(6, s.Pods)
	if err := s.raise(ctx, groups); err != nil {
		return err
	}
	dice := rand.New(rand.NewPCG(s.Seed, 1))
	for end := time.Now().Add(s.For); time.Now().Before(end); {
		for _, g := range groups {
			if dice.IntN(2) == 0 {
				continue
			}
			share := 1./3 + dice.Float64()*2/3
			if err := s.scale(ctx, g.name, part(int(g.replicas), share)); err != nil {
				return err
			}
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
	for _, g := range groups {
		if err := s.scale(ctx, g.name, g.replicas); err != nil {
			return err
		}
	}
	return s.settle(ctx, len(groups)*int(groups[0].replicas))
}
