package demo

import (
	"context"
	"fmt"

	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// zonal plays what "Karpenter — Simplify Autoscaling for Amazon EKS" lists: volumes that pin pods to a zone, pod
// affinity, and nodes that expire.
func (s *stage) zonal(ctx context.Context) error {
	s.say.Step(
		"kubectl apply a StatefulSet whose volume is in us-east-1b, and three pods that want to be in its zone",
	)
	for _, manifest := range []string{"nodeclass.yaml", "zonal-pool.yaml", "zonal-workload.yaml"} {
		if err := s.apply(ctx, manifest); err != nil {
			return err
		}
	}
	four, err := s.running(ctx, 4)
	if err != nil {
		return err
	}
	s.show(four)
	if len(four.zones) != 1 || four.zones["us-east-1b"] != 4 {
		return fmt.Errorf("all four pods should be in us-east-1b, but are in %v", four.zones)
	}

	s.say.Step("the pool's nodes expire after 30 s: each is replaced, and the pods come back")
	if err := s.expired(ctx, four); err != nil {
		return err
	}
	return s.cleanUp(ctx, "zonal-workload.yaml", "zonal-pool.yaml", "nodeclass.yaml")
}

// attach does what the EBS CSI driver would, which no simulated machine runs: volumes that are to be attached are.
func (s *stage) attach(ctx context.Context) error {
	var list storagev1.VolumeAttachmentList
	if err := s.client.List(ctx, &list); err != nil {
		return fmt.Errorf("listing volume attachments: %w", err)
	}
	for i := range list.Items {
		a := &list.Items[i]
		if a.Status.Attached || !a.DeletionTimestamp.IsZero() {
			continue
		}
		patch := client.MergeFrom(a.DeepCopy())
		a.Status.Attached = true
		if err := s.client.Status().Patch(ctx, a, patch); err != nil {
			return fmt.Errorf("attaching volume of %s: %w", a.Name, err)
		}
	}
	return nil
}

// expired waits until none of the machines is left and all pods run on others.
func (s *stage) expired(ctx context.Context, before fleet) error {
	old := map[string]bool{}
	for _, m := range before.machines {
		old[m.claim] = true
	}
	f, err := s.await(ctx, "all nodes to be replaced", func(f fleet) (bool, string) {
		if err := s.attach(ctx); err != nil {
			return false, err.Error()
		}
		left := f.count(func(m machine) bool { return old[m.claim] })
		return left == 0 && f.running == 4 &&
				f.pending == 0, fmt.Sprintf(
				"%d of the old nodes are left; %d pods run, %d wait",
				left,
				f.running,
				f.pending,
			)
	})
	if err == nil {
		s.say.Came("every node was replaced, and the pods run in %s", byZone(f.zones))
	}
	return err
}
