package translate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// NodeParts is what one shape.Node is made from. Node or Claim may be nil, not both.
type NodeParts struct {
	Name  string // unique among all nodes
	Node  *corev1.Node
	Claim *karpenterv1.NodeClaim
	CSI   *storagev1.CSINode
	Offer *Offer // of the claim's NodePool; may be nil

	Pods []PodView // all that hold room, in any order

	// Daemons are the indexes of DaemonSets in the Snapshot.
	Daemons map[types.NamespacedName]int32
}

// NodeView is a node as the planner sees it, with what others must know of it.
type NodeView struct {
	*shape.Node

	// CountsIn is the NodePool whose limits the node counts against: its claim's, or without a claim the one that its
	// label names. Empty for none.
	CountsIn string

	// Capacity is what counts against those limits.
	Capacity shape.Vector

	// Displaced are the pods of a leaving node that need room elsewhere. They are not among Node.Pods.
	Displaced []shape.Pod
}

// Node translates a node, or a claim that has none yet.
func (in *Interner) Node(p NodeParts) NodeView {
	labels := in.nodeLabels(p)
	n := &shape.Node{
		Name:         p.Name,
		Hostname:     hostname(p, labels),
		Stage:        stageOf(p),
		InstanceType: labels[shape.LabelInstanceType],
		Zone:         labels[shape.LabelZone],
		CapacityType: labels[shape.LabelCapacityType],
		Attachable:   attachable(p, labels),
	}
	if p.Claim != nil {
		n.Claim = p.Claim.Name
		n.Pool = p.Claim.Labels[karpenterv1.NodePoolLabelKey]
		n.Created = p.Claim.CreationTimestamp.Time
		n.Price = p.Offer.Price(labels)
	} else {
		n.InstanceType, n.Zone, n.CapacityType = "", "", ""
		n.Created = p.Node.CreationTimestamp.Time
	}
	n.Profile = in.Profile(labels, nodeTaints(p, n.Stage))
	n.Allocatable = allocatable(p, n.Stage)
	n.Kept = kept(p)
	n.Unwelcome, n.Unsettled = unwelcome(p), unsettled(p)
	view := NodeView{Node: n, CountsIn: cmp.Or(n.Pool, labels[karpenterv1.NodePoolLabelKey]), Capacity: capacity(p)}
	view.settle(p)
	var sum shape.Vector
	for i := range n.Pods {
		sum = sum.Add(in.classes[n.Pods[i].Class].Requests)
	}
	n.Requested = &sum
	return view
}

// settle puts pods on the node, except those that a leaving node will not keep.
func (v *NodeView) settle(p NodeParts) {
	seen := map[int32]bool{}
	for i := range p.Pods {
		pod := &p.Pods[i]
		if v.Stage == shape.Leaving && (pod.Role == shape.Movable || pod.Role == shape.Pinned && forced(p.Claim)) {
			moved := pod.Pod
			moved.From, moved.Role = v.Name, shape.Movable
			v.Displaced = append(v.Displaced, moved)
			continue
		}
		v.Pods = append(v.Pods, pod.Pod)
		if pod.Held && pod.Role != shape.Pinned && v.Kept == "" {
			v.Kept = "pod " + string(
				pod.ID,
			) + " must not be disrupted (" + karpenterv1.DoNotDisruptAnnotationKey + ")"
		}
		if i, ok := p.Daemons[pod.DaemonSet]; ok && pod.DaemonSet.Name != "" && !seen[i] {
			seen[i] = true
			v.Daemons = append(v.Daemons, i)
		}
	}
	slices.SortFunc(v.Pods, comparePods)
	slices.SortFunc(v.Displaced, comparePods)
	slices.Sort(v.Daemons)
}

func comparePods(a, b shape.Pod) int { return cmp.Compare(a.ID, b.ID) }

func stageOf(p NodeParts) shape.Stage {
	switch {
	case p.Node != nil && p.Node.DeletionTimestamp != nil, p.Claim != nil && p.Claim.DeletionTimestamp != nil:
		return shape.Leaving
	case p.Node == nil && Gone(p.Claim):
		return shape.Leaving
	case p.Node == nil:
		return shape.Launching
	case starting(p):
		return shape.Joined
	}
	return shape.Ready
}

// starting reports whether a node is not ready for pods yet, or not again: it boots, and its pods' room comes back.
func starting(p NodeParts) bool {
	return p.Claim != nil && p.Node != nil && (p.Node.Labels[karpenterv1.NodeInitializedLabelKey] != "true" ||
		condition.IsTrue(p.Claim, karpenterv1.ConditionRebooting))
}

// registered nodes carry what their claim wants; before that the claim is right.
func registered(p NodeParts) bool {
	return p.Node != nil && (p.Claim == nil || p.Node.Labels[karpenterv1.NodeRegisteredLabelKey] == "true")
}

// nodeLabels are those that the node has, or will have once it is initialized.
func (in *Interner) nodeLabels(p NodeParts) map[string]string {
	switch {
	case registered(p) && (p.Claim == nil || p.Node.Labels[karpenterv1.NodeInitializedLabelKey] == "true"):
		return withStableNames(p.Node.Labels, in.world.Aliases)
	case registered(p):
		labels := maps.Clone(p.Node.Labels)
		maps.Copy(labels, lifecycleLabels)
		return withStableNames(labels, in.world.Aliases)
	}
	labels := map[string]string{}
	if p.Node != nil {
		maps.Copy(labels, p.Node.Labels)
	}
	for i := range p.Claim.Spec.Requirements {
		if r := &p.Claim.Spec.Requirements[i]; r.Operator == corev1.NodeSelectorOpIn && len(r.Values) == 1 {
			labels[in.world.Aliases.Normalize(r.Key)] = r.Values[0]
		}
	}
	maps.Copy(labels, p.Claim.Labels)
	maps.Copy(labels, lifecycleLabels)
	return withStableNames(labels, in.world.Aliases)
}

// withStableNames adds the stable name of labels that a node carries under another name only; if it has several names
// for one label, the first of them counts.
func withStableNames(labels map[string]string, aliases karpenterv1.LabelAliases) map[string]string {
	out := labels
	var others []string
	for key := range labels {
		if aliases.Normalize(key) != key {
			others = append(others, key)
		}
	}
	slices.Sort(others)
	for _, key := range others {
		value, stable := labels[key], aliases.Normalize(key)
		if _, ok := out[stable]; ok {
			continue
		}
		if len(out) == len(labels) {
			out = maps.Clone(labels)
		}
		out[stable] = value
	}
	return out
}

func hostname(p NodeParts, labels map[string]string) string {
	if name := labels[shape.LabelHostname]; name != "" {
		return name
	}
	return p.Name
}

// nodeTaints leaves out, on nodes that are still starting, taints that will go by themselves, and on all the one by
// which the plan's own nodes are kept for it.
func nodeTaints(p NodeParts, stage shape.Stage) []shape.Taint {
	var out []shape.Taint
	add := func(t corev1.Taint) {
		// The API server has checked effects; one that it did not is as good as NoSchedule.
		effect, err := effectOf(nil, t.Effect, false)
		if err != nil {
			effect = shape.NoSchedule
		}
		out = append(out, shape.Taint{Key: t.Key, Value: t.Value, Effect: effect})
	}
	starting := starting(p)
	if p.Node != nil {
		for _, t := range p.Node.Spec.Taints {
			if t.Key == PlannedTaintKey || starting && (Ephemeral(t.Key) || isStartup(p.Claim, t)) {
				continue
			}
			add(t)
		}
		if p.Node.Spec.Unschedulable {
			add(corev1.Taint{Key: corev1.TaintNodeUnschedulable, Effect: corev1.TaintEffectNoSchedule})
		}
	}
	if !registered(p) {
		for _, t := range p.Claim.Spec.Taints {
			add(corev1.Taint(t))
		}
	}
	return out
}

// Ephemeral reports whether a taint is one of those that every new node has for a while.
func Ephemeral(key string) bool {
	switch key {
	case corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable,
		"node.cloudprovider.kubernetes.io/uninitialized", karpenterv1.UnregisteredTaintKey, karpenterv1.RebootingTaintKey:
		return true
	}
	return strings.HasPrefix(key, "readiness.k8s.io/")
}

func isStartup(claim *karpenterv1.NodeClaim, taint corev1.Taint) bool {
	return slices.ContainsFunc(claim.Spec.StartupTaints, func(t karpenterv1.Taint) bool {
		return t.Key == taint.Key && t.Value == taint.Value && t.Effect == taint.Effect
	})
}

// plannedPods is how many pods fit a claim whose machine is not known, if its requests do not say.
const plannedPods = 110

// allocatable is what the node says; until it is initialized, what it was bought for where the node
// does not say yet; before the launch, what the smallest machine that it may become has: pods that come in that time
// are to use what is bought already.
func allocatable(p NodeParts, stage shape.Stage) shape.Vector {
	var have shape.Vector
	if p.Node != nil {
		have = Offered(p.Node.Status.Allocatable)
	}
	if p.Claim == nil || p.Node != nil && p.Node.Labels[karpenterv1.NodeInitializedLabelKey] == "true" {
		return have
	}
	expected := Offered(p.Claim.Status.Allocatable)
	if expected.IsZero() && p.Node == nil {
		expected = p.Offer.Least(p.Claim)
		if expected.Pods == 0 {
			expected.Pods = plannedPods
		}
	}
	return orElse(have, expected)
}

// orElse takes each resource from a where it has some, else from b.
func orElse(a, b shape.Vector) shape.Vector {
	var missing shape.Vector
	b.Each(func(name string, value int64) {
		if a.Get(name) == 0 {
			addTo(&missing, corev1.ResourceName(name), value)
		}
	})
	return a.Add(missing)
}

func capacity(p NodeParts) shape.Vector {
	var have shape.Vector
	if p.Node != nil {
		have = Offered(p.Node.Status.Capacity)
	}
	if p.Claim == nil {
		return orElse(have, Offered(p.Node.Status.Allocatable)) // a node that somebody wrote down may have only this
	}
	expected := Offered(p.Claim.Status.Capacity)
	if expected.IsZero() && have.IsZero() {
		return p.Offer.Largest(p.Claim)
	}
	return orElse(have, expected)
}

func attachable(p NodeParts, labels map[string]string) []shape.Amount {
	if p.CSI == nil {
		if t := p.Offer.Type(labels[shape.LabelInstanceType]); t != nil && p.Claim != nil {
			return t.Attachable
		}
		return nil
	}
	var out []shape.Amount
	for i := range p.CSI.Spec.Drivers {
		d := &p.CSI.Spec.Drivers[i]
		if d.Allocatable != nil && d.Allocatable.Count != nil {
			out = append(out, shape.Amount{Resource: d.Name, Value: int64(max(*d.Allocatable.Count, 0))})
		}
	}
	slices.SortFunc(out, func(a, b shape.Amount) int { return cmp.Compare(a.Resource, b.Resource) })
	return out
}

func kept(p NodeParts) string {
	const key = karpenterv1.DoNotDisruptAnnotationKey
	switch {
	case p.Node != nil && p.Node.Annotations[key] == "true":
		return "the node has annotation " + key
	case p.Claim != nil && p.Claim.Annotations[key] == "true":
		return "the NodeClaim has annotation " + key
	}
	return ""
}

// unwelcome nodes are marked for deletion by choice.
func unwelcome(p NodeParts) bool {
	return p.Claim != nil && p.Node != nil &&
		slices.ContainsFunc(
			p.Node.Spec.Taints,
			func(t corev1.Taint) bool { return t.Key == karpenterv1.DisruptedTaintKey },
		)
}

// unsettled nodes are inside consolidateAfter.
func unsettled(p NodeParts) bool {
	return p.Claim != nil && !condition.IsTrue(p.Claim, karpenterv1.ConditionConsolidatable)
}
