package manifest

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// scaler is what an autoscaler does to its target before it knows any load.
type scaler struct {
	meta     *metav1.ObjectMeta
	kind     string // of the target
	name     string
	min, max int32
}

// autoscale brings workloads within the bounds of their autoscalers, which is the first thing that these do. What they
// do by load cannot be known. One that is scaled to nothing stays so.
func (s *Set) autoscale() {
	for _, a := range s.scalers() {
		replicas := s.replicasOf(a.kind, a.meta.Namespace, a.name)
		if replicas == nil {
			continue
		}
		now := count(*replicas)
		within := min(max(now, a.min), a.max)
		if now == 0 || now == within {
			continue
		}
		*replicas = &within
		s.Notes = append(
			s.Notes,
			fmt.Sprintf("%s %s/%s has %d pods, to which HorizontalPodAutoscaler %s brings it whatever its load",
				a.kind, a.meta.Namespace, a.name, within, a.meta.Name),
		)
	}
}

func (s *Set) scalers() []scaler {
	var out []scaler
	for _, a := range s.autoscalers {
		to := a.Spec.ScaleTargetRef
		out = append(out, scaler{&a.ObjectMeta, to.Kind, to.Name, count(a.Spec.MinReplicas), a.Spec.MaxReplicas})
	}
	for _, a := range s.olderAutoscalers {
		to := a.Spec.ScaleTargetRef
		out = append(out, scaler{&a.ObjectMeta, to.Kind, to.Name, count(a.Spec.MinReplicas), a.Spec.MaxReplicas})
	}
	return out
}

// replicasOf is where a workload says how many pods it wants; nil if there is no such workload.
func (s *Set) replicasOf(kind, namespace, name string) **int32 {
	switch kind {
	case "Deployment":
		if d := named(s.deployments, namespace, name); d != nil {
			return &(*d).Spec.Replicas
		}
	case "StatefulSet":
		if d := named(s.statefulSets, namespace, name); d != nil {
			return &(*d).Spec.Replicas
		}
	case "ReplicaSet":
		if d := named(s.replicaSets, namespace, name); d != nil {
			return &(*d).Spec.Replicas
		}
	case "ReplicationController":
		if d := named(s.controllers, namespace, name); d != nil {
			return &(*d).Spec.Replicas
		}
	}
	return nil
}

// named is the object of that name; nil if there is none.
func named[T metav1.Object](list []T, namespace, name string) *T {
	i := slices.IndexFunc(list, func(o T) bool { return o.GetNamespace() == namespace && o.GetName() == name })
	if i < 0 {
		return nil
	}
	return &list[i]
}
