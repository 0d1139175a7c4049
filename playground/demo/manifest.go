package demo

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"os"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// manifests are the tutorials' own, with their shell variables still in them.
//
//go:embed manifests/*.yaml
var manifests embed.FS

// load reads a manifest and fills in the shell variables, as the tutorials' here-documents do.
// A variable that is not given is an error: an empty name would fail later and elsewhere.
func load(name string, variables map[string]string) ([]*unstructured.Unstructured, error) {
	text, err := manifests.ReadFile("manifests/" + name)
	if err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w", name, err)
	}
	var missing error
	filled := os.Expand(string(text), func(variable string) string {
		value, ok := variables[variable]
		if !ok {
			missing = errors.Join(missing, fmt.Errorf("manifest %s wants the variable %s", name, variable))
		}
		return value
	})
	if missing != nil {
		return nil, missing
	}

	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(filled)), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, fmt.Errorf("parsing manifest %s: %w", name, err)
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// apply does what kubectl apply --server-side does.
func (s *stage) apply(ctx context.Context, name string) error {
	objects, err := load(name, s.variables)
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := s.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(object), client.FieldOwner("demo"), client.ForceOwnership); err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
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
