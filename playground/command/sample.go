package command

import (
	"context"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/playground/example"
)

// applySample creates the objects of the sample as the administrator.
func applySample(ctx context.Context, kubeconfig string) error {
	c, err := adminClient(kubeconfig)
	if err != nil {
		return err
	}
	return example.Apply(ctx, c, clusterName)
}

func adminClient(kubeconfig string) (client.Client, error) {
	admin, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	c, err := client.New(admin, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	return c, nil
}
