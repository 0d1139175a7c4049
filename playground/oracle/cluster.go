package oracle

import (
	"context"
	"fmt"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"maps"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/pkg/controller/daemon"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// cluster is one random input.
type cluster struct {
	seed     uint64
	types    []*shape.InstanceType
	pools    []*karpenterv1.NodePool
	daemons  []*appsv1.DaemonSet
	machines []machine // with their daemons, and the pods that run
	pending  []*corev1.Pod

	equipment *equipment // nil for a cluster of which nobody knows devices
}

// newCluster draws a cluster. Its running pods got there through the scheduler, but for a few that
// broke a rule about neighbours, as when labels changed after they had started.
func newCluster(ctx context.Context, s *scheduler, seed uint64) *cluster {
	return drawn(ctx, s, seed, false)
}

// newEquipped is like newCluster, with devices, and with pods that claim them.
func newEquipped(ctx context.Context, s *scheduler, seed uint64) *cluster {
	return drawn(ctx, s, seed, true)
}

func drawn(ctx context.Context, s *scheduler, seed uint64, equipped bool) *cluster {
	d := sample.NewDice(seed)
	c := &cluster{seed: seed}
	for i := range d.Between(2, 6) {
		c.types = append(c.types, d.InstanceType(i))
	}
	for i := range d.Between(1, 3) {
		c.pools = append(c.pools, d.Pool(i))
	}
	for i := range d.IntN(3) {
		c.daemons = append(c.daemons, d.DaemonSet(i))
	}
	for i := range d.IntN(7) {
		t := sample.Pick(d, c.types...)
		c.machines = append(c.machines, c.withDaemons(randomNode(d, fmt.Sprintf("node-%d", i), t), t))
	}
	var templates []*corev1.Pod
	for range d.Between(2, 7) {
		templates = append(templates, d.Template())
	}
	if equipped {
		more := sample.DeviceDice{Dice: sample.NewDice(seed ^ devicesSeed)}
		c.equipment = newEquipment(more, c.types)
		c.equipment.equip(more, templates)
	}
	s.use(c.equipment)
	c.run(ctx, s, d, templates)
	for i, t := range templates {
		for j := range d.IntN(8) {
			c.pending = append(c.pending, c.replica(t, fmt.Sprintf("new-%d-%d", i, j)))
		}
	}
	c.complicate(ctx, s, sample.NewDice(seed^complications))
	return c
}

// run starts pods on the nodes that exist.
func (c *cluster) run(ctx context.Context, s *scheduler, d sample.Dice, templates []*corev1.Pod) {
	if len(c.machines) == 0 {
		return
	}
	s.board = s.newBoard(c.machines)
	for i := range d.IntN(3 * len(c.machines)) {
		pod := c.replica(sample.Pick(d, templates...), fmt.Sprintf("old-%d", i))
		if c.equipment != nil {
			maps.Copy(s.board.claims, c.unknown(s.board))
		}
		at := d.IntN(len(c.machines))
		node := s.board.byName[c.machines[at].node.Name]
		try := s.attempt(ctx, pod)
		plugin, _ := try.refusal(node)
		if plugin != "" && (c.equipment != nil || d.Percent(80) ||
			plugin != "PodTopologySpread" && plugin != "InterPodAffinity") {
			continue
		}
		pod.Spec.NodeName, pod.Status.Phase = node.Node().Name, corev1.PodRunning
		try.seat(pod, pod.Spec.NodeName)
		c.machines[at].pods = append(c.machines[at].pods, pod)
	}
	if c.equipment != nil {
		c.equipment.claims = s.board.claims
	}
}

// replica is one pod of a template, with its claims for devices.
func (c *cluster) replica(template *corev1.Pod, name string) *corev1.Pod {
	pod := sample.Replica(template, name)
	if c.equipment != nil {
		c.equipment.make(pod)
	}
	return pod
}

// unknown are claims that have been made since the board began.
func (c *cluster) unknown(b *board) claims {
	out := claims{}
	for name, claim := range c.equipment.claims {
		if b.claims[name] == nil {
			out[name] = claim
		}
	}
	return out
}

func randomNode(d sample.Dice, name string, t *shape.InstanceType) *corev1.Node {
	offering := sample.Pick(d, t.Offerings...)
	n := newNode(name, t, provider.Candidate{Type: t, Offering: &offering})
	if d.Percent(5) {
		delete(n.Labels, shape.LabelZone)
	}
	if d.Percent(30) {
		n.Labels[sample.TeamLabel] = sample.Pick(d, sample.Teams...)
	}
	if d.Percent(25) {
		n.Spec.Taints = append(n.Spec.Taints, d.Taint())
	}
	if d.Percent(6) {
		n.Spec.Unschedulable = true
		n.Spec.Taints = append(
			n.Spec.Taints,
			corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule},
		)
	}
	return n
}

// newNode is what comes up when a candidate is launched, without what its pool adds.
func newNode(name string, t *shape.InstanceType, from provider.Candidate) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: from.Labels()}}
	n.Labels[shape.LabelHostname] = name
	n.Status.Capacity = provider.ResourceListOf(t.Capacity)
	n.Status.Allocatable = provider.ResourceListOf(from.Allocatable())
	return n
}

// withDaemons puts on a node what the DaemonSet controller would.
func (c *cluster) withDaemons(n *corev1.Node, t *shape.InstanceType) machine {
	m := machine{node: n, csi: csiNode(n.Name, t)}
	for _, ds := range c.daemons {
		if should, _ := daemon.NodeShouldRunDaemonPod(klog.Logger{}, n, ds); !should {
			continue
		}
		pod := daemon.NewPod(ds.DeepCopy(), n.Name)
		pod.Name = ds.Name + "-" + n.Name
		pod.UID = types.UID(pod.Name)
		controller := true
		pod.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "DaemonSet", Name: ds.Name, Controller: &controller},
		}
		pod.Status.Phase = corev1.PodRunning
		m.pods = append(m.pods, pod)
	}
	return m
}

func csiNode(name string, t *shape.InstanceType) *storagev1.CSINode {
	if len(t.Attachable) == 0 {
		return nil
	}
	out := &storagev1.CSINode{ObjectMeta: metav1.ObjectMeta{Name: name}}
	for _, a := range t.Attachable {
		count := int32(a.Value)
		out.Spec.Drivers = append(out.Spec.Drivers, storagev1.CSINodeDriver{
			Name: a.Resource, NodeID: name, Allocatable: &storagev1.VolumeNodeResources{Count: &count}})
	}
	return out
}
