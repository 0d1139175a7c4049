// Package bundle reads manifests that are part of the binary and applies them, as kubectl apply --server-side does.
// It knows nothing of what is in them.
package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Load reads a manifest and fills in shell variables, as the here-documents of tutorials do. A variable that is not
// given
// is an error: an empty name would fail later and elsewhere.
func Load(files fs.FS, name string, variables map[string]string) ([]*unstructured.Unstructured, error) {
	text, err := fs.ReadFile(files, name)
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

// Apply applies objects in their order, in owner's name.
func Apply(ctx context.Context, c client.Client, owner string, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		err := c.Apply(
			ctx,
			client.ApplyConfigurationFromUnstructured(object),
			client.FieldOwner(owner),
			client.ForceOwnership,
		)
		if err != nil {
			return fmt.Errorf("applying %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}
