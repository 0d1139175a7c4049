package integration

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensionsclient "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/api/crd/crdtest"
	"github.com/dovetail-sh/dovetail/api/crd/judge"
	"github.com/dovetail-sh/dovetail/internal/devplane"
)

// TestAPI holds a real API server with our definitions to what api promises.
func TestAPI(t *testing.T) {
	t.Parallel()
	plane := devplane.Start(t)
	resources := installDefinitions(t, plane.Config())
	client, err := dynamic.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Cases", func(t *testing.T) { t.Parallel(); serverAgreesWithCases(t, client, resources) })
	t.Run("Columns", func(t *testing.T) { t.Parallel(); serverShowsColumns(t, plane.Config(), client, resources) })
	t.Run("Scale", func(t *testing.T) { t.Parallel(); serverScalesPools(t, client, resources) })
}

// serverAgreesWithCases plays every case of crdtest.
func serverAgreesWithCases(t *testing.T, client dynamic.Interface, resources map[string]schema.GroupVersionResource) {
	for i, c := range crdtest.Cases() {
		t.Run(c.Kind+"/"+c.Name, func(t *testing.T) {
			t.Parallel()
			object, err := crdtest.Valid(c.Kind, fmt.Sprintf("case-%d", i))
			if err != nil {
				t.Fatal(err)
			}
			found, result := play(t, client.Resource(resources[c.Kind]), c, object)
			if disagreement := c.Disagreement(found, result); disagreement != "" {
				t.Errorf("%s%s%s\n%s", c.Create, c.Update, c.Status, disagreement)
			}
		})
	}
}

// play does the steps of a case and returns the problems of the last.
func play(
	t *testing.T,
	objects dynamic.NamespaceableResourceInterface,
	c crdtest.Case,
	object *unstructured.Unstructured,
) ([]judge.Problem, *unstructured.Unstructured) {
	t.Helper()
	var client dynamic.ResourceInterface = objects
	if namespace := object.GetNamespace(); namespace != "" {
		client = objects.Namespace(namespace)
	}
	if err := crdtest.Assign(object, c.Create); err != nil {
		t.Fatal(err)
	}
	result, err := client.Create(
		t.Context(),
		object,
		metav1.CreateOptions{FieldValidation: metav1.FieldValidationStrict},
	)
	for _, step := range []struct {
		assignments string
		do          func(context.Context, *unstructured.Unstructured, metav1.UpdateOptions, ...string) (*unstructured.Unstructured, error)
	}{
		{c.Update, client.Update},
		{c.Status, func(ctx context.Context, o *unstructured.Unstructured, options metav1.UpdateOptions, _ ...string) (*unstructured.Unstructured, error) {
			return client.UpdateStatus(ctx, o, options)
		}},
	} {
		if strings.TrimSpace(step.assignments) == "" {
			continue
		}
		if err != nil {
			t.Fatalf("does not get as far as its update: %v", err)
		}
		changed := result.DeepCopy()
		if err := crdtest.Assign(changed, step.assignments); err != nil {
			t.Fatal(err)
		}
		result, err = step.do(
			t.Context(),
			changed,
			metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict},
		)
	}
	return problems(t, err), result
}

// problems reads what the server holds against an object. It leaves out the
// note that other rules were not looked at.
func problems(t *testing.T, err error) []judge.Problem {
	t.Helper()
	if err == nil {
		return nil
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		t.Fatalf("asking the server: %v", err)
	}
	details := status.Status().Details
	if details == nil || len(details.Causes) == 0 {
		return []judge.Problem{{Message: err.Error()}}
	}
	var out []judge.Problem
	for _, cause := range details.Causes {
		if strings.Contains(cause.Message, "some validation rules were not checked") {
			continue
		}
		out = append(out, judge.Problem{Field: cause.Field, Message: cause.Message})
	}
	return out
}

// installDefinitions creates every definition, waits until the server serves
// it, and returns the resources by kind.
func installDefinitions(t *testing.T, config *rest.Config) map[string]schema.GroupVersionResource {
	t.Helper()
	client, err := apiextensionsclient.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	definitions := client.ApiextensionsV1().CustomResourceDefinitions()
	out := map[string]schema.GroupVersionResource{}
	for _, definition := range crd.All() {
		if _, err := definitions.Create(t.Context(), definition, metav1.CreateOptions{}); err != nil {
			t.Fatalf("creating %s: %v", definition.Name, err)
		}
		out[definition.Spec.Names.Kind] = schema.GroupVersionResource{
			Group:    definition.Spec.Group,
			Version:  definition.Spec.Versions[0].Name,
			Resource: definition.Spec.Names.Plural,
		}
	}
	resources, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	for kind, resource := range out {
		err := wait.PollUntilContextTimeout(
			t.Context(),
			50*time.Millisecond,
			30*time.Second,
			true,
			func(ctx context.Context) (bool, error) {
				definition, err := definitions.Get(ctx, resource.GroupResource().String(), metav1.GetOptions{})
				if err != nil || !established(definition) {
					return false, err
				}
				_, err = resources.Resource(resource).List(ctx, metav1.ListOptions{})
				return err == nil, nil
			},
		)
		if err != nil {
			t.Fatalf("waiting until the server knows %s: %v", kind, err)
		}
	}
	return out
}

func established(definition *apiextensionsv1.CustomResourceDefinition) bool {
	for _, c := range definition.Status.Conditions {
		if c.Type == apiextensionsv1.Established && c.Status == apiextensionsv1.ConditionTrue {
			return true
		}
	}
	return false
}
