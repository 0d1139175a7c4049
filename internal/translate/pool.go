package translate

import (
	"cmp"
	"maps"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// Pool translates a NodePool, without its instance types and without what its limits have used. The error names the
// field that no API server accepts; such a pool is not ready. A template's label that is another name of a well-known
// one asks for machines of which that is true, as the well-known one does.
func Pool(np *karpenterv1.NodePool, aliases karpenterv1.LabelAliases) (*shape.Pool, error) {
	template := &np.Spec.Template
	labels := template.LabelMap()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[karpenterv1.NodePoolLabelKey] = np.Name
	maps.Copy(labels, lifecycleLabels)
	if ref := template.Spec.NodeClassRef; ref != nil {
		labels[karpenterv1.NodeClassLabelKey(ref.GroupKind())] = ref.Name
	}
	p := &shape.Pool{Name: np.Name, Labels: shape.LabelsOf(labels), Limits: limitsOf(np.Spec.Limits)}
	if np.Spec.Weight != nil {
		p.Weight = *np.Spec.Weight
	}
	if errs := np.Validate(); len(errs) > 0 {
		p.NotReady = errs[0].Error()
		return p, errs.ToAggregate()
	}
	for i := range template.Spec.Requirements {
		p.Requirements = append(p.Requirements, requirementOf(&template.Spec.Requirements[i], aliases))
	}
	for key, value := range labels {
		if stable := aliases.Normalize(key); stable != key {
			p.Requirements = append(
				p.Requirements,
				shape.Requirement{Key: stable, Operator: shape.In, Values: []string{value}},
			)
		}
	}
	slices.SortStableFunc(p.Requirements, compareRequirements)
	for _, t := range template.Spec.Taints {
		effect, _ := effectOf(nil, t.Effect, false) // Validate has looked at it
		p.Taints = append(p.Taints, shape.Taint{Key: t.Key, Value: t.Value, Effect: effect})
	}
	slices.SortFunc(p.Taints, compareTaints)
	return p, nil
}

// lifecycleLabels are those that a node gets as it comes to life. Whatever selects nodes by them, DaemonSets before
// all, runs on every node that is planned or on its way.
var lifecycleLabels = map[string]string{
	karpenterv1.NodeRegisteredLabelKey:  "true",
	karpenterv1.NodeInitializedLabelKey: "true",
}

// requirementOf reads a requirement whose operator is known to exist.
func requirementOf(r *karpenterv1.Requirement, aliases karpenterv1.LabelAliases) shape.Requirement {
	op, _ := shape.OperatorOf(string(r.Operator))
	out := shape.Requirement{Key: aliases.Normalize(r.Key), Operator: op, Values: ascending(r.Values)}
	if r.MinValues != nil {
		out.MinValues = int32(min(max(*r.MinValues, 0), math.MaxInt32))
	}
	return out
}

func limitsOf(list corev1.ResourceList) []shape.Limit {
	var out []shape.Limit
	for name, q := range list {
		// A limit saturates far above the amounts that it is compared with.
		n := floor(&q, provider.ScaleOf(name))
		if n >= provider.MaxAmount {
			n = math.MaxInt64 / 2
		}
		out = append(out, shape.Limit{Resource: string(name), Max: n})
	}
	slices.SortFunc(out, func(a, b shape.Limit) int { return cmp.Compare(a.Resource, b.Resource) })
	return out
}

// WithUse is the pool with what its nodes have together, and with its types.
func WithUse(p *shape.Pool, nodes int64, used shape.Vector, types []int32) *shape.Pool {
	out := *p
	out.Types = types
	out.Limits = slices.Clone(p.Limits)
	for i := range out.Limits {
		out.Limits[i].Used = used.Get(out.Limits[i].Resource)
		if out.Limits[i].Resource == shape.LimitNodes {
			out.Limits[i].Used = nodes
		}
	}
	return &out
}

// NotReady is why nothing may be launched from a NodePool by what its spec and status say, one
// sentence; empty if it may.
func NotReady(np *karpenterv1.NodePool) string {
	if why := unfit(np); why != "" {
		return why
	}
	c := condition.Get(np, karpenterv1.ConditionReady)
	switch {
	case c == nil:
		return "the NodePool has not been looked at yet"
	case c.Status == metav1.ConditionTrue:
		return ""
	case c.Message != "":
		return c.Message
	}
	return "the NodePool is not ready: " + c.Reason
}

// unfit is NotReady without a look at conditions.
func unfit(np *karpenterv1.NodePool) string {
	switch {
	case np.DeletionTimestamp != nil:
		return "the NodePool is being deleted"
	case np.Spec.Replicas != nil:
		return "the NodePool keeps a fixed number of nodes (spec.replicas)"
	}
	return ""
}
