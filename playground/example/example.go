// Package example is a small cluster to look at and play with: a static node, a class, two NodePools and a workload.
package example

import (
	"context"
	"embed"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/playground/bundle"
)

// Pod is the name, in kube-system, of the pod that stands for the controller, and Container that of its container.
const (
	Pod       = "karpenter"
	Container = "controller"
)

//go:embed manifests/*.yaml
var manifests embed.FS

// order is that of creation: nothing waits for what comes later.
var order = []string{"static", "pools", "workload"}

// Apply creates the sample in a cluster that is called clusterName in AWS. What an earlier start created is left as
// it is
// now, but for what somebody removed.
func Apply(ctx context.Context, c client.Client, clusterName string) error {
	for _, name := range order {
		objects, err := bundle.Load(
			manifests,
			"manifests/"+name+".yaml",
			map[string]string{"CLUSTER_NAME": clusterName},
		)
		if err != nil {
			return err
		}
		rest, err := createNodes(ctx, c, objects)
		if err != nil {
			return err
		}
		if err := bundle.Apply(ctx, c, "playground", rest); err != nil {
			return err
		}
	}
	return nil
}

// createNodes creates the Nodes among objects and returns the others. Applying would drop their status, and with it
// what
// they have.
func createNodes(
	ctx context.Context,
	c client.Client,
	objects []*unstructured.Unstructured,
) (rest []*unstructured.Unstructured, err error) {
	for _, object := range objects {
		if object.GetKind() != "Node" {
			rest = append(rest, object)
			continue
		}
		if err := c.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("creating node %s: %w", object.GetName(), err)
		}
	}
	return rest, nil
}
