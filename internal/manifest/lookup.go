package manifest

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Get reads what a CapacityBuffer may refer to, as an API server would answer: PodTemplates, Deployments, StatefulSets
// and ReplicaSets. out shares what it holds with the Set.
func (s *Set) Get(_ context.Context, key types.NamespacedName, out client.Object, _ ...client.GetOption) error {
	found := false
	switch out := out.(type) {
	case *corev1.PodTemplate:
		found = pick(s.PodTemplates, key, out)
	case *appsv1.Deployment:
		found = pick(s.deployments, key, out)
	case *appsv1.StatefulSet:
		found = pick(s.statefulSets, key, out)
	case *appsv1.ReplicaSet:
		found = pick(s.replicaSets, key, out)
	}
	if !found {
		return apierrors.NewNotFound(schema.GroupResource{Resource: fmt.Sprintf("%T", out)}, key.String())
	}
	return nil
}

// List is there for those who read a cluster; nothing lists a Set.
func (s *Set) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return apierrors.NewMethodNotSupported(schema.GroupResource{Resource: "manifests"}, "list")
}

func pick[T any, P interface {
	*T
	metav1.Object
}](from []P, key types.NamespacedName, out *T) bool {
	for _, o := range from {
		if o.GetNamespace() == key.Namespace && o.GetName() == key.Name {
			*out = *o
			return true
		}
	}
	return false
}
