package oracle

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/sample"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// objects is the cluster as the API server would hand it out.
func (c *cluster) objects() translate.Objects {
	o := sample.Storage()
	o.NodePools, o.DaemonSets, o.TrustPools = c.pools, c.daemons, true
	o.Offers, o.Nominated = map[string]*translate.Offer{}, map[shape.PodID]string{}
	offer := translate.NewOffer(c.types, "")
	for _, p := range c.pools {
		o.Offers[p.Name] = offer
	}
	for i := range c.machines {
		c.machines[i].show(&o)
	}
	o.Pods = append(o.Pods, c.pending...)
	if c.equipment != nil {
		o.Devices = c.equipment.world(c.machines)
	}
	return o
}

// show adds what there is of a machine so far.
func (m *machine) show(o *translate.Objects) {
	switch {
	case m.claim == nil:
		o.Nodes = append(o.Nodes, m.present())
	default:
		o.NodeClaims = append(o.NodeClaims, m.claim)
		if m.joined {
			o.Nodes = append(o.Nodes, m.newborn())
		}
	}
	if m.csi != nil && (m.claim == nil || m.joined) {
		o.CSINodes = append(o.CSINodes, m.csi)
	}
	for i, pod := range m.pods {
		switch {
		case m.claim != nil && i < daemonsOf(*m): // its daemons are yet to come
		case m.claim != nil:
			o.Nominated[translate.IDOf(pod)] = m.claim.Name
			o.Pods = append(o.Pods, unbound(pod))
		case pod.Status.NominatedNodeName != "":
			o.Pods = append(o.Pods, unbound(pod))
		default:
			o.Pods = append(o.Pods, pod)
		}
	}
}

func unbound(pod *corev1.Pod) *corev1.Pod {
	out := pod.DeepCopy()
	out.Spec.NodeName, out.Status.Phase = "", corev1.PodPending
	return out
}

func (m *machine) present() *corev1.Node {
	if !m.leaving {
		return m.node
	}
	out := m.node.DeepCopy()
	out.DeletionTimestamp = &metav1.Time{Time: noon}
	return out
}

// newborn is the Node just after its kubelet has registered: what the claim wants of it is still to come.
func (m *machine) newborn() *corev1.Node {
	out := m.node.DeepCopy()
	for key := range out.Labels {
		if _, claimed := m.claim.Labels[key]; claimed && key != shape.LabelHostname {
			delete(out.Labels, key)
		}
	}
	out.Spec.Taints = []corev1.Taint{
		karpenterv1.UnregisteredTaint(),
		{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule},
	}
	return out
}

// displaced are the pods that have to leave, without their node.
func (c *cluster) displaced() []*corev1.Pod {
	var out []*corev1.Pod
	for _, m := range c.machines {
		if !m.leaving {
			continue
		}
		for _, pod := range m.pods[daemonsOf(m):] {
			if pod.DeletionTimestamp == nil {
				out = append(out, unbound(pod))
			}
		}
	}
	return out
}
