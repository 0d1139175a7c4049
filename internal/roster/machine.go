package roster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// machine is a node of the snapshot with what its objects say besides.
func (s *Seen) machine(n *shape.Node) view.Machine {
	claim, node := s.claims[n.Claim], s.nodes[n.Name]
	m := fromSnapshot(n, s.snapshot.Classes)
	if claim != nil {
		m.Name = strings.TrimPrefix(m.Name, translate.ClaimOnlyName(""))
	}
	on := labelsOf(claim, node)
	m.Pool = cmp.Or(m.Pool, on[karpenterv1.NodePoolLabelKey])
	m.InstanceType = cmp.Or(m.InstanceType, on[corev1.LabelInstanceTypeStable])
	m.Zone = cmp.Or(m.Zone, on[corev1.LabelTopologyZone])
	m.CapacityType = cmp.Or(m.CapacityType, capacityType(on))
	m.Arch = on[corev1.LabelArchStable]
	m.Price, m.PriceFrom = s.price(&m, claim, on)
	m.Phase, m.Since = phaseOf(claim, node)
	m.Why, m.WhyKind = s.whyGoing(&m, claim)
	if m.Why == "" {
		m.Why, m.WhyKind = s.whyHere(&m, claim)
	}
	return m
}

// fromSnapshot is what the planner knows of a node.
func fromSnapshot(n *shape.Node, classes []*shape.Class) view.Machine {
	m := view.Machine{
		Name:         n.Name,
		Claim:        n.Claim,
		Pool:         n.Pool,
		Created:      n.Created,
		InstanceType: n.InstanceType,
		Zone:         n.Zone,
		CapacityType: n.CapacityType,
		Price:        view.PerHour(n.Price),
	}
	if n.Price > 0 {
		m.PriceFrom = "pool"
	}
	var used shape.Vector
	if n.Requested != nil {
		used = *n.Requested
	} else {
		for i := range n.Pods {
			used = used.Add(classes[n.Pods[i].Class].Requests)
		}
	}
	for _, name := range []string{shape.CPU, shape.Memory, shape.Pods} {
		m.Use = append(m.Use, view.Use{Resource: name, Used: used.Get(name), Of: n.Allocatable.Get(name)})
	}
	for _, a := range n.Allocatable.Extended {
		m.Use = append(m.Use, view.Use{Resource: a.Resource, Used: used.Get(a.Resource), Of: a.Value})
	}
	for i := range n.Pods {
		m.Pods = append(m.Pods, string(n.Pods[i].ID))
	}
	switch n.Stage {
	case shape.Launching:
		m.Phase = view.Launching
	case shape.Joined:
		m.Phase = view.Registered
	case shape.Ready:
		m.Phase = view.Ready
	case shape.Leaving:
		m.Phase = view.Draining
	}
	return m
}

// labelsOf are a node's labels on top of its claim's.
func labelsOf(claim *karpenterv1.NodeClaim, node *corev1.Node) map[string]string {
	switch {
	case claim == nil:
		return node.GetLabels()
	case node == nil:
		return claim.Labels
	}
	out := make(map[string]string, len(node.Labels))
	for k, v := range claim.Labels {
		out[k] = v
	}
	for k, v := range node.Labels {
		out[k] = v
	}
	return out
}

// managed are labels of EKS's node groups.
const managed = "eks.amazonaws.com/capacityType"

func capacityType(on map[string]string) string {
	if v := on[karpenterv1.CapacityTypeLabelKey]; v != "" {
		return v
	}
	switch on[managed] {
	case "SPOT":
		return karpenterv1.CapacityTypeSpot
	case "ON_DEMAND":
		return karpenterv1.CapacityTypeOnDemand
	}
	if on["eks.amazonaws.com/compute-type"] == "fargate" {
		return "fargate"
	}
	return ""
}

// phaseOf is how far a machine is by what its claim and its node say of themselves.
func phaseOf(claim *karpenterv1.NodeClaim, node *corev1.Node) (view.Phase, time.Time) {
	if claim == nil {
		return phaseOfNode(node)
	}
	since := func(name string) time.Time {
		if c := condition.Get(claim, name); c != nil {
			return c.LastTransitionTime.Time
		}
		return time.Time{}
	}
	switch {
	case condition.IsTrue(claim, karpenterv1.ConditionInstanceTerminating):
		return view.Terminating, since(karpenterv1.ConditionInstanceTerminating)
	case claim.DeletionTimestamp != nil:
		return view.Draining, claim.DeletionTimestamp.Time
	case condition.IsTrue(claim, karpenterv1.ConditionDisruptionReason):
		return view.Disrupting, since(karpenterv1.ConditionDisruptionReason)
	case node != nil && node.DeletionTimestamp != nil:
		return view.Draining, node.DeletionTimestamp.Time
	case node != nil && tainted(node, karpenterv1.DisruptedTaintKey):
		return view.Disrupting, time.Time{}
	case node == nil && claim.Status.ProviderID != "":
		return view.Launched, since(karpenterv1.ConditionLaunched)
	case node == nil:
		return view.Launching, claim.CreationTimestamp.Time
	case len(claim.Status.Conditions) > 0 && !condition.IsTrue(claim, karpenterv1.ConditionInitialized):
		return view.Registered, since(karpenterv1.ConditionRegistered)
	}
	phase, at := phaseOfNode(node)
	if phase == view.Ready && at.IsZero() {
		at = since(karpenterv1.ConditionInitialized)
	}
	return phase, at
}

func phaseOfNode(node *corev1.Node) (view.Phase, time.Time) {
	var ready *corev1.NodeCondition
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == corev1.NodeReady {
			ready = &node.Status.Conditions[i]
		}
	}
	switch {
	case node.DeletionTimestamp != nil:
		return view.Draining, node.DeletionTimestamp.Time
	case tainted(node, karpenterv1.DisruptedTaintKey):
		return view.Disrupting, time.Time{}
	case ready != nil && ready.Status != corev1.ConditionTrue:
		return view.Broken, ready.LastTransitionTime.Time
	case node.Spec.Unschedulable:
		return view.Cordoned, time.Time{}
	case ready != nil:
		return view.Ready, ready.LastTransitionTime.Time
	}
	return view.Ready, time.Time{}
}

func tainted(node *corev1.Node, key string) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == key })
}

// whyGoing says for what reason a machine goes, and what its end waits for.
func (s *Seen) whyGoing(m *view.Machine, claim *karpenterv1.NodeClaim) (why, kind string) {
	if !m.Phase.Going() {
		return "", ""
	}
	why, kind = "it is being deleted", "Deleted"
	if claim == nil {
		return why, kind
	}
	if c := condition.Get(claim, karpenterv1.ConditionDisruptionReason); c != nil {
		kind = c.Reason
		why = strings.TrimSuffix(c.Message, ".")
	}
	if m.Phase == view.Draining {
		if what := s.drainWaits(m); what != "" {
			why += "; " + what
		}
	}
	return why, kind
}

// drainWaits says what the drain of a node waits for: the first pod that cannot go by name, or how many are left.
func (s *Seen) drainWaits(m *view.Machine) string {
	left := 0
	for _, p := range s.pods[m.Name] {
		if owner := ownerKind(p); owner == "DaemonSet" || owner == "Node" {
			continue
		}
		left++
		if p.DeletionTimestamp != nil {
			continue
		}
		if held, until := translate.Held(p, s.in.Now); held {
			if until.IsZero() {
				return fmt.Sprintf(
					"pod %s must not be disrupted (%s)",
					translate.IDOf(p),
					karpenterv1.DoNotDisruptAnnotationKey,
				)
			}
			return fmt.Sprintf(
				"pod %s must not be disrupted for another %s",
				translate.IDOf(p),
				until.Sub(s.in.Now).Round(time.Second),
			)
		}
		if by := s.guarded(p); by != nil && by.Status.DisruptionsAllowed <= 0 {
			return fmt.Sprintf(
				"PodDisruptionBudget %s/%s allows no eviction of pod %s",
				by.Namespace,
				by.Name,
				p.Name,
			)
		}
	}
	switch left {
	case 0:
		return ""
	case 1:
		return "1 pod is still there"
	}
	return fmt.Sprintf("%d pods are still there", left)
}

func ownerKind(p *corev1.Pod) string {
	for i := range p.OwnerReferences {
		if c := p.OwnerReferences[i].Controller; c != nil && *c {
			return p.OwnerReferences[i].Kind
		}
	}
	return ""
}

func (s *Seen) guarded(p *corev1.Pod) *policyv1.PodDisruptionBudget {
	for _, g := range s.guards[p.Namespace] {
		if g.selector.Matches(labels.Set(p.Labels)) {
			return g.PodDisruptionBudget
		}
	}
	return nil
}

// whyHere says of machines that are not yet ready what they are for and what they wait for, and of others what objects
// alone tell.
func (s *Seen) whyHere(m *view.Machine, claim *karpenterv1.NodeClaim) (why, kind string) {
	switch {
	case claim == nil && m.Pool == "":
		return "it is of no NodePool", "PoolKeeps"
	case claim == nil:
		return "", ""
	}
	step := ""
	switch m.Phase {
	case view.Launching:
		step = karpenterv1.ConditionLaunched
	case view.Launched:
		step = karpenterv1.ConditionRegistered
	case view.Registered:
		step = karpenterv1.ConditionInitialized
	case view.Broken:
		return "its kubelet does not report that it is ready", "NotReady"
	default:
		return "", ""
	}
	why = "for " + podsText(m.Pods)
	if c := condition.Get(claim, step); c != nil && c.Message != "" && c.Status != "True" {
		why += "; " + strings.TrimSuffix(c.Message, ".")
	}
	return why, "NotReady"
}

func podsText(pods []string) string {
	switch len(pods) {
	case 0:
		return "pods that wait"
	case 1:
		return "pod " + pods[0]
	}
	return fmt.Sprintf("pod %s and %d more", pods[0], len(pods)-1)
}
