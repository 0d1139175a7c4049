package play

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// spot takes two machines away every few seconds. The kwok clouds have no notices of interruptions: a machine is taken
// away by deleting its Node, which both controllers answer by draining it.
func spot(ctx context.Context, s *Stage) error {
	const every, atOnce = 10 * time.Second, 2
	groups := services(6, s.Pods)
	if err := s.raise(ctx, groups); err != nil {
		return err
	}
	dice := rand.New(rand.NewPCG(s.Seed, 2))
	for end := time.Now().Add(s.For); time.Now().Before(end); {
		nodes, err := s.interruptible(ctx)
		if err != nil {
			return err
		}
		dice.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] })
		for _, node := range nodes[:min(atOnce, len(nodes))] {
			err := s.Kube.CoreV1().Nodes().Delete(ctx, node, metav1.DeleteOptions{})
			if err != nil && !apierrors.IsNotFound(err) {
				return fmt.Errorf("taking node %s away: %w", node, err)
			}
		}
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
	return s.settle(ctx, len(groups)*int(groups[0].replicas))
}

// interruptible are the spot nodes that nobody gives up yet, by name, oldest first.
func (s *Stage) interruptible(ctx context.Context) ([]string, error) {
	list, err := s.Kube.CoreV1().Nodes().List(
		ctx,
		metav1.ListOptions{LabelSelector: "karpenter.sh/capacity-type=spot"},
	)
	if err != nil {
		return nil, fmt.Errorf("listing spot nodes: %w", err)
	}
	nodes := slices.DeleteFunc(list.Items, func(n corev1.Node) bool { return n.DeletionTimestamp != nil })
	slices.SortFunc(nodes, func(a, b corev1.Node) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	})
	names := make([]string, len(nodes))
	for i := range nodes {
		names[i] = nodes[i].Name
	}
	return names, nil
}
