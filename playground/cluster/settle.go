package cluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// awaitNamespace returns when pods can be created in the namespace "default":
// the API server makes it shortly after it is ready, and the controllers, if
// there are any, give it a service account, without which pods are refused.
func (c *Cluster) awaitNamespace(ctx context.Context, client kubernetes.Interface, controllers *child) error {
	watched := controllers
	if watched == nil {
		watched = c.childNamed(APIServer)
	}
	return watched.await(ctx, func(ctx context.Context) error {
		if _, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceDefault, metav1.GetOptions{}); err != nil {
			return fmt.Errorf("looking for namespace default: %w", err)
		}
		if controllers == nil {
			return nil
		}
		if _, err := client.CoreV1().
			ServiceAccounts(metav1.NamespaceDefault).
			Get(ctx, "default", metav1.GetOptions{}); err != nil {
			return fmt.Errorf("looking for the service account of namespace default: %w", err)
		}
		return nil
	})
}

func (c *Cluster) childNamed(name string) *child {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, child := range c.children {
		if child.name == name {
			return child
		}
	}
	return nil
}
