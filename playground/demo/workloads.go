package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// architectures plays what "Workload management with Karpenter" tells of arm64 and amd64 in one pool, of a batch
// job that must not be disrupted, of pool limits, and of user data.
func (s *stage) architectures(ctx context.Context) error {
	s.say.Step("kubectl apply one pool for arm64 and amd64, and a Deployment for each")
	for _, manifest := range []string{"architectures.yaml", "architectures-workload.yaml"} {
		if err := s.apply(ctx, manifest); err != nil {
			return err
		}
	}
	four, err := s.running(ctx, 4)
	if err != nil {
		return err
	}
	s.show(four)
	if err := s.prepared(ctx); err != nil {
		return err
	}

	s.say.Step("a batch job that must not be disrupted comes, and all else goes")
	if err := s.apply(ctx, "batch-job.yaml"); err != nil {
		return err
	}
	if _, err := s.running(ctx, 5); err != nil {
		return err
	}
	if err := s.remove(ctx, "architectures-workload.yaml"); err != nil {
		return err
	}
	if err := s.undisturbed(ctx); err != nil {
		return err
	}
	s.say.Step("the job is done after half a minute, and its node goes by itself")
	if err := s.gone(ctx); err != nil {
		return err
	}
	if err := s.remove(ctx, "batch-job.yaml"); err != nil {
		return err
	}

	s.say.Step("the pool's limit is 16 CPUs: 40 replicas of one CPU do not fit")
	if err := s.apply(ctx, "architectures-workload.yaml"); err != nil {
		return err
	}
	if err := s.scale(ctx, types.NamespacedName{Namespace: "default", Name: "graviton"}, 40); err != nil {
		return err
	}
	if err := s.limited(ctx, 16); err != nil {
		return err
	}
	return s.cleanUp(ctx, "architectures-workload.yaml", "architectures.yaml")
}

// prepared checks that each Deployment has its architecture, and that the class's user data reached the kubelets.
func (s *stage) prepared(ctx context.Context) error {
	var nodes corev1.NodeList
	if err := s.client.List(ctx, &nodes, client.HasLabels{"karpenter.sh/nodepool"}); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	architectures := map[string]bool{}
	for i := range nodes.Items {
		architectures[nodes.Items[i].Labels[corev1.LabelArchStable]] = true
		if nodes.Items[i].Labels["tools"] != "installed" {
			return fmt.Errorf(
				"node %s lacks the label tools=installed that the class's user data has the kubelet set",
				nodes.Items[i].Name,
			)
		}
	}
	if !architectures["arm64"] || !architectures["amd64"] {
		return fmt.Errorf("want nodes of both architectures, have %v", architectures)
	}
	s.say.Came("nodes of both architectures, each with what the user data installs")
	return nil
}

// undisturbed watches for some time that the job's pod stays where it is, while empty nodes go.
func (s *stage) undisturbed(ctx context.Context) error {
	var first corev1.Pod
	since := time.Now()
	_, err := s.await(ctx, "the empty nodes to go from beside the job", func(f fleet) (bool, string) {
		var pods corev1.PodList
		if err := s.client.List(
			ctx,
			&pods,
			client.InNamespace("default"),
			client.MatchingLabels{"app": "nightly"},
		); err != nil ||
			len(pods.Items) == 0 {
			return false, "the job's pod is not there"
		}
		if first.Name == "" {
			first = pods.Items[0]
		}
		stays := len(pods.Items) == 1 && pods.Items[0].UID == first.UID && pods.Items[0].DeletionTimestamp == nil
		return stays && len(f.machines) == 1 &&
				time.Since(since) > 10*time.Second, fmt.Sprintf(
				"%d machines; the job's pod is the first one: %t",
				len(f.machines),
				stays,
			)
	})
	if err == nil {
		s.say.Came("the job was not disturbed")
	}
	return err
}

// limited waits until pods stay unplaced with the limit as the reason, and checks that the limit holds.
func (s *stage) limited(ctx context.Context, cpus int64) error {
	f, err := s.await(ctx, "the limit to be told", func(f fleet) (bool, string) {
		var events corev1.EventList
		if err := s.client.List(ctx, &events, client.InNamespace("default")); err != nil {
			return false, err.Error()
		}
		for i := range events.Items {
			e := &events.Items[i]
			if e.Reason == "FailedScheduling" && e.Source.Component == "karpenter" &&
				strings.Contains(e.Message, "limit") {
				return f.running > 4 &&
					f.count(func(m machine) bool { return !m.ready }) == 0, "machines are starting"
			}
		}
		return false, "no event speaks of the limit yet"
	})
	if err != nil {
		return err
	}
	var sum resource.Quantity
	var nodes corev1.NodeList
	if err := s.client.List(ctx, &nodes, client.HasLabels{"karpenter.sh/nodepool"}); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	for i := range nodes.Items {
		sum.Add(nodes.Items[i].Status.Capacity[corev1.ResourceCPU])
	}
	s.show(f)
	if sum.Value() > cpus {
		return fmt.Errorf("the nodes have %s CPUs, the pool's limit is %d", sum.String(), cpus)
	}
	s.say.Came("%s CPUs of %d are used, %d pods wait, and an event says why", sum.String(), cpus, f.pending)
	return nil
}

// gpus plays whole and time-sliced GPUs. The story is the device plugin of the sliced nodes: there is none in a
// simulated machine.
func (s *stage) gpus(ctx context.Context) error {
	s.say.Step(
		"kubectl apply pools for whole GPUs and for slices; a NodeOverlay says what the device plugin will offer",
	)
	for _, manifest := range []string{"nodeclass.yaml", "gpu.yaml", "gpu-workload.yaml"} {
		if err := s.apply(ctx, manifest); err != nil {
			return err
		}
	}
	f, err := s.await(ctx, "5 running pods", func(f fleet) (bool, string) {
		if err := s.slice(ctx); err != nil {
			return false, err.Error()
		}
		return f.running == 5 &&
				f.pending == 0, fmt.Sprintf(
				"%d pods run, %d wait on %d machines",
				f.running,
				f.pending,
				len(f.machines),
			)
	})
	if err != nil {
		return err
	}
	s.show(f)
	if len(f.machines) != 2 {
		return fmt.Errorf("want one machine for the whole GPU and one for four slices, have %d", len(f.machines))
	}
	return s.cleanUp(ctx, "gpu-workload.yaml", "gpu.yaml", "nodeclass.yaml")
}

// slice offers four slices on each node of the sliced pool, as its device plugin would.
func (s *stage) slice(ctx context.Context) error {
	var nodes corev1.NodeList
	if err := s.client.List(ctx, &nodes, client.MatchingLabels{"karpenter.sh/nodepool": "gpu-slices"}); err != nil {
		return fmt.Errorf("listing nodes: %w", err)
	}
	const slices corev1.ResourceName = "nvidia.com/gpu.shared"
	for i := range nodes.Items {
		node := &nodes.Items[i]
		if _, ok := node.Status.Allocatable[slices]; ok {
			continue
		}
		patch := client.MergeFrom(node.DeepCopy())
		for _, list := range []corev1.ResourceList{node.Status.Capacity, node.Status.Allocatable} {
			list[slices] = resource.MustParse("4")
		}
		if err := s.client.Status().Patch(ctx, node, patch); err != nil {
			return fmt.Errorf("offering slices on node %s: %w", node.Name, err)
		}
	}
	return nil
}
