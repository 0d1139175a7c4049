package awssim

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// clusterNodes registers machines at a real API server.
type clusterNodes struct {
	client kubernetes.Interface
}

// NewClusterNodes registers machines at the API server that config leads to.
func NewClusterNodes(config *rest.Config) (NodeRegistrar, error) { return newClusterNodes(config) }

func newClusterNodes(config *rest.Config) (*clusterNodes, error) {
	config = rest.CopyConfig(config)
	config.QPS, config.Burst = 500, 1000 // one client stands for thousands of kubelets
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("making the client that registers nodes: %w", err)
	}
	return &clusterNodes{client}, nil
}

func (c *clusterNodes) Register(ctx context.Context, node *corev1.Node) error {
	nodes := c.client.CoreV1().Nodes()
	_, err := nodes.Create(ctx, node, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	old, err := nodes.Get(ctx, node.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if err == nil && old.Spec.ProviderID == node.Spec.ProviderID {
		return c.revive(ctx, node) // this machine registered before, and booted again
	}
	// Left behind by a machine that had the address before.
	if err := c.Delete(ctx, node.Name); err != nil {
		return err
	}
	_, err = nodes.Create(ctx, node, metav1.CreateOptions{})
	return err
}

// revive has the heartbeats of a machine begin again, with the boot ID of its new boot.
func (c *clusterNodes) revive(ctx context.Context, node *corev1.Node) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": node.Annotations}})
	if err != nil {
		return fmt.Errorf("encoding the annotations of node %s: %w", node.Name, err)
	}
	if _, err = c.client.CoreV1().
		Nodes().
		Patch(ctx, node.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return err
	}
	booted, err := json.Marshal(
		map[string]any{"status": map[string]any{"nodeInfo": map[string]any{"bootID": node.Status.NodeInfo.BootID}}},
	)
	if err != nil {
		return fmt.Errorf("encoding the boot ID of node %s: %w", node.Name, err)
	}
	_, err = c.client.CoreV1().
		Nodes().
		Patch(ctx, node.Name, types.MergePatchType, booted, metav1.PatchOptions{}, "status")
	return err
}

// Silence takes away the annotation by which kwok plays the kubelet, so that
// heartbeats stop as they would.
func (c *clusterNodes) Silence(ctx context.Context, name string) error {
	patch := []byte(`{"metadata":{"annotations":{"kwok.x-k8s.io/node":null}}}`)
	_, err := c.client.CoreV1().Nodes().Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	return ignoreNotFound(err)
}

func (c *clusterNodes) Delete(ctx context.Context, name string) error {
	return ignoreNotFound(c.client.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}))
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
