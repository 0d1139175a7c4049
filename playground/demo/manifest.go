package demo

import (
	"context"
	"embed"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/playground/bundle"
)

// manifests are the tutorials' own, with their shell variables still in them.
//
//go:embed manifests/*.yaml
var manifests embed.FS

func load(name string, variables map[string]string) ([]*unstructured.Unstructured, error) {
	return bundle.Load(manifests, "manifests/"+name, variables)
}

// apply does what kubectl apply --server-side does.
func (s *stage) apply(ctx context.Context, name string) error {
	objects, err := load(name, s.variables)
	if err != nil {
		return err
	}
	return bundle.Apply(ctx, s.client, "demo", objects)
}

// remove deletes what a manifest made, in the order of the file, and does not wait.
func (s *stage) remove(ctx context.Context, name string) error {
	objects, err := load(name, s.variables)
	if err != nil {
		return err
	}
	for _, object := range objects {
		err := s.client.Delete(ctx, object, client.PropagationPolicy(metav1.DeletePropagationBackground))
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// removed waits until the objects of a manifest are gone, finalizers and all.
func (s *stage) removed(ctx context.Context, name string) error {
	objects, err := load(name, s.variables)
	if err != nil {
		return err
	}
	_, err = s.await(ctx, "the objects of "+name+" to be gone", func(fleet) (bool, string) {
		for _, object := range objects {
			if err := s.client.Get(ctx, client.ObjectKeyFromObject(object), object); !apierrors.IsNotFound(err) {
				return false, fmt.Sprintf("%s %s is still there", object.GetKind(), object.GetName())
			}
		}
		return true, "gone"
	})
	return err
}
