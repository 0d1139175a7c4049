package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"
)

// deviceStep scales one Deployment of the story of devices.
type deviceStep struct {
	what       string
	deployment string
	replicas   int32
	pods       int // that run afterwards, of all Deployments
	machines   int
	grows      int // machines that are bought for it
}

// deviceSteps begin and end with no machine. GPUs of the shared and of the partitioned pool are known to be so only
// when a first node of their type has published them.
var deviceSteps = []deviceStep{
	{"three pods, each with a GPU of its own", "training", 3, 3, 3, 3},
	{"two pods on one claim", "pair", 2, 5, 4, 1},
	{"3 → 1 whole GPUs: what is empty goes", "training", 1, 3, 2, 0},
	{"the same for no pods", "training", 0, 2, 1, 0},
	{"the pair goes too", "pair", 0, 0, 0, 0},
	{"one pod with 3Gi of a GPU: its node says that its GPU is shared", "inference", 1, 1, 1, 1},
	{"1 → 5: they share the GPU of that node", "inference", 5, 5, 1, 0},
	{"5 → 8: one node more, for the type is known to share", "inference", 8, 8, 2, 1},
	{"8 → 4: one node does", "inference", 4, 4, 1, 0},
	{"no pods", "inference", 0, 0, 0, 0},
	{"a whole GPU of the partitioned pool: its node publishes partitions as well", "first", 1, 1, 1, 1},
	{"and goes", "first", 0, 0, 0, 0},
	{"four partitions, of which a GPU has two", "partitions", 4, 4, 2, 2},
	{"4 → 2: one node does", "partitions", 2, 2, 1, 0},
	{"no pods", "partitions", 0, 0, 0, 0},
}

// playDevices plays claims for dynamic resources: whole GPUs, two pods on one claim, memory of a shared GPU, and
// partitions. Whatever is bought must be for a pod.
func playDevices(ctx context.Context, s *stage) error {
	s.say.Step("kubectl apply three pools, DeviceClasses, what the driver will publish, and claims")
	manifests := []string{"nodeclass.yaml", "devices-driver.yaml", "devices-pools.yaml", "devices-workload.yaml"}
	for _, manifest := range manifests {
		if err := s.apply(ctx, manifest); err != nil {
			return err
		}
	}
	bought := 0
	for _, step := range deviceSteps {
		s.say.Step("kubectl scale deployment %s --replicas %d: %s", step.deployment, step.replicas, step.what)
		name := types.NamespacedName{Namespace: "default", Name: step.deployment}
		if err := s.scale(ctx, name, step.replicas); err != nil {
			return err
		}
		bought += step.grows
		if err := step.settled(ctx, s, bought); err != nil {
			return err
		}
	}
	slices.Reverse(manifests)
	return s.cleanUp(ctx, manifests...)
}

// settled waits until a step's pods run on as many machines as it takes, and checks that no more were bought.
func (step deviceStep) settled(ctx context.Context, s *stage, bought int) error {
	if step.grows > 0 {
		if _, err := s.running(ctx, step.pods); err != nil {
			return err
		}
	}
	what := fmt.Sprintf("%s on %s", number(step.pods, "pod"), number(step.machines, "machine"))
	f, err := s.await(ctx, what, func(f fleet) (bool, string) {
		ready := f.count(func(m machine) bool { return m.ready })
		return f.running == step.pods && f.pending == 0 && len(f.machines) == step.machines && ready == step.machines,
			fmt.Sprintf("%d pods run, %d wait, %d machines, %d of them ready",
				f.running, f.pending, len(f.machines), ready)
	})
	if err != nil {
		return err
	}
	s.show(f)
	got := 0
	for claim := range s.bought {
		if strings.HasPrefix(claim, "devices-") {
			got++
		}
	}
	if got != bought {
		return fmt.Errorf("%d machines were bought by now, it takes %d", got, bought)
	}
	return nil
}
