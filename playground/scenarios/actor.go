package scenarios

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// actor does something for the cluster again and again, such as a driver would. It is told of no change: it looks.
type actor func(ctx context.Context) error

// start has an actor act until the story's end.
func (s *stage) start(ctx context.Context, name string, act actor) {
	s.actors.Go(func() {
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			if err := act(ctx); err != nil && ctx.Err() == nil {
				s.log("%s: %v", name, err)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
}

// nodesOf calls back for each node that has joined, is Ready and carries the labels.
func (s *stage) nodesOf(ctx context.Context, selector labels.Selector, do func(*corev1.Node) error) error {
	var nodes corev1.NodeList
	if err := s.cluster.List(ctx, &nodes, client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return err
	}
	for i := range nodes.Items {
		n := nodes.Items[i].DeepCopy()
		if !ready(n) || n.DeletionTimestamp != nil {
			continue
		}
		if err := client.IgnoreNotFound(do(n)); err != nil {
			return fmt.Errorf("node %s: %w", n.Name, err)
		}
	}
	return nil
}

func ready(n *corev1.Node) bool {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// untaint is a network agent or a driver: it takes its startup taint off nodes on which it has come up.
func (s *stage) untaint(key string) actor {
	return func(ctx context.Context) error {
		return s.nodesOf(ctx, labels.Everything(), func(n *corev1.Node) error {
			var kept []corev1.Taint
			for _, t := range n.Spec.Taints {
				if t.Key != key {
					kept = append(kept, t)
				}
			}
			if len(kept) == len(n.Spec.Taints) {
				return nil
			}
			old := n.DeepCopy()
			n.Spec.Taints = kept
			return s.client.Patch(ctx, n, client.MergeFromWithOptions(old, client.MergeFromWithOptimisticLock{}))
		})
	}
}

// label is an agent that labels nodes once they have joined, such as a feature discovery.
func (s *stage) label(selector labels.Selector, key, value string) actor {
	return func(ctx context.Context) error {
		return s.nodesOf(ctx, selector, func(n *corev1.Node) error {
			if n.Labels[key] == value {
				return nil
			}
			old := n.DeepCopy()
			n.Labels[key] = value
			return s.client.Patch(ctx, n, client.MergeFrom(old))
		})
	}
}

// offer is a device plugin: it has nodes offer an extended resource some time after they have joined.
func (s *stage) offer(selector labels.Selector, name corev1.ResourceName, amount resource.Quantity) actor {
	return func(ctx context.Context) error {
		return s.nodesOf(ctx, selector, func(n *corev1.Node) error {
			if have, ok := n.Status.Allocatable[name]; ok && have.Equal(amount) {
				return nil
			}
			old := n.DeepCopy()
			n.Status.Capacity[name], n.Status.Allocatable[name] = amount, amount
			return s.client.Status().Patch(ctx, n, client.MergeFrom(old))
		})
	}
}

// drive is the EBS CSI driver: it makes volumes in the zone of the node that kube-scheduler chose, registers on nodes,
// and attaches.
func (s *stage) drive(ctx context.Context) error {
	if err := s.provision(ctx); err != nil {
		return err
	}
	return s.attach(ctx)
}

const ebsDriver = "ebs.csi.aws.com"

// provision makes the volumes that claims wait for.
func (s *stage) provision(ctx context.Context) error {
	var claims corev1.PersistentVolumeClaimList
	if err := s.cluster.List(ctx, &claims); err != nil {
		return err
	}
	for i := range claims.Items {
		claim := &claims.Items[i]
		node := claim.Annotations["volume.kubernetes.io/selected-node"]
		if node == "" || claim.Spec.VolumeName != "" ||
			claim.Annotations["volume.kubernetes.io/storage-provisioner"] != ebsDriver {
			continue
		}
		var on corev1.Node
		if err := s.cluster.Get(ctx, client.ObjectKey{Name: node}, &on); err != nil {
			return client.IgnoreNotFound(err)
		}
		if err := s.client.Create(
			ctx,
			volumeFor(claim, on.Labels[corev1.LabelTopologyZone]),
		); client.IgnoreAlreadyExists(
			err,
		) != nil {
			return fmt.Errorf("making the volume of claim %s: %w", claim.Name, err)
		}
	}
	return nil
}

// volumeFor is the volume as the driver would make it in the zone, under the driver's own label.
func volumeFor(claim *corev1.PersistentVolumeClaim, zone string) *corev1.PersistentVolume {
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{
		Name: "pvc-" + string(
			claim.UID,
		),
		Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": ebsDriver},
	}}
	pv.Spec = corev1.PersistentVolumeSpec{
		Capacity:                      claim.Spec.Resources.Requests,
		AccessModes:                   claim.Spec.AccessModes,
		VolumeMode:                    claim.Spec.VolumeMode,
		StorageClassName:              *claim.Spec.StorageClassName,
		PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
		ClaimRef: &corev1.ObjectReference{
			APIVersion:      "v1",
			Kind:            "PersistentVolumeClaim",
			Namespace:       claim.Namespace,
			Name:            claim.Name,
			UID:             claim.UID,
			ResourceVersion: claim.ResourceVersion,
		},
		PersistentVolumeSource: corev1.PersistentVolumeSource{
			CSI: &corev1.CSIPersistentVolumeSource{Driver: ebsDriver, VolumeHandle: "vol-" + string(claim.UID)},
		},
		NodeAffinity: &corev1.VolumeNodeAffinity{
			Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{
				{
					MatchExpressions: []corev1.NodeSelectorRequirement{
						{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}},
					},
				},
			}},
		},
	}
	return pv
}

// attach says of each volume that is to be attached that it is.
func (s *stage) attach(ctx context.Context) error {
	var list storagev1.VolumeAttachmentList
	if err := s.cluster.List(ctx, &list); err != nil {
		return err
	}
	for i := range list.Items {
		a := list.Items[i].DeepCopy()
		if a.Status.Attached || a.DeletionTimestamp != nil {
			continue
		}
		old := a.DeepCopy()
		a.Status.Attached = true
		if err := s.client.Status().Patch(ctx, a, client.MergeFrom(old)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("attaching volume of %s: %w", a.Name, err)
		}
	}
	return nil
}

// tidy deletes volumes whose claim is gone, as the driver does for a class that reclaims by deletion.
func (s *stage) tidy(ctx context.Context) error {
	var volumes corev1.PersistentVolumeList
	if err := s.client.List(ctx, &volumes); err != nil {
		return err
	}
	for i := range volumes.Items {
		if volumes.Items[i].Status.Phase == corev1.VolumeReleased {
			if err := s.client.Delete(ctx, &volumes.Items[i]); client.IgnoreNotFound(err) != nil {
				return err
			}
		}
	}
	return nil
}
