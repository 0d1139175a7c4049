package translate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// ascending returns values sorted and unique; the slice itself if it is so already.
func ascending(values []string) []string {
	for i := 1; i < len(values); i++ {
		if values[i-1] >= values[i] {
			out := slices.Clone(values)
			slices.Sort(out)
			return slices.Compact(out)
		}
	}
	return values
}

// sortRequirements orders by key, operator and values, and drops repetitions.
func sortRequirements(reqs []shape.Requirement) []shape.Requirement {
	slices.SortFunc(reqs, compareRequirements)
	return slices.CompactFunc(reqs, func(a, b shape.Requirement) bool { return compareRequirements(a, b) == 0 })
}

func compareRequirements(a, b shape.Requirement) int {
	return cmp.Or(
		cmp.Compare(a.Key, b.Key),
		cmp.Compare(a.Operator, b.Operator),
		slices.Compare(a.Values, b.Values),
		cmp.Compare(a.MinValues, b.MinValues),
	)
}

// requirementsOfLabels wants each label to have its value.
func requirementsOfLabels(labels map[string]string, aliases karpenterv1.LabelAliases) []shape.Requirement {
	out := make([]shape.Requirement, 0, len(labels))
	for key, value := range labels {
		out = append(out, shape.Requirement{Key: aliases.Normalize(key), Operator: shape.In, Values: []string{value}})
	}
	return sortRequirements(out)
}

// selectorOf reads a label selector over pods, which is the field of that name at a path.
func selectorOf(at *field.Path, name string, s *metav1.LabelSelector) (shape.Selector, error) {
	if s == nil {
		return shape.Selector{Nothing: true}, nil
	}
	var out shape.Selector
	if n := len(s.MatchLabels) + len(s.MatchExpressions); n > 0 {
		out.Requirements = make([]shape.Requirement, 0, n)
	}
	for key, value := range s.MatchLabels {
		out.Requirements = append(
			out.Requirements,
			shape.Requirement{Key: key, Operator: shape.In, Values: []string{value}},
		)
	}
	for i := range s.MatchExpressions {
		e := &s.MatchExpressions[i]
		at := at.Child(name, "matchExpressions").Index(i)
		op, ok := shape.OperatorOf(string(e.Operator))
		if !ok || op > shape.DoesNotExist {
			return shape.Selector{}, field.NotSupported(
				at.Child("operator"),
				e.Operator,
				[]metav1.LabelSelectorOperator{
					metav1.LabelSelectorOpIn,
					metav1.LabelSelectorOpNotIn,
					metav1.LabelSelectorOpExists,
					metav1.LabelSelectorOpDoesNotExist,
				},
			)
		}
		if err := checkValues(at, op, e.Values); err != nil {
			return shape.Selector{}, err
		}
		out.Requirements = append(
			out.Requirements,
			shape.Requirement{Key: e.Key, Operator: op, Values: ascending(e.Values)},
		)
	}
	out.Requirements = sortRequirements(out.Requirements)
	return out, nil
}

// checkValues wants as many values as an operator takes.
func checkValues(at *field.Path, op shape.Operator, values []string) error {
	switch op {
	case shape.In, shape.NotIn:
		if len(values) == 0 {
			return field.Required(at.Child("values"), "operator "+op.String()+" needs at least one value")
		}
	case shape.Exists, shape.DoesNotExist:
		if len(values) > 0 {
			return field.Forbidden(at.Child("values"), "operator "+op.String()+" takes no values")
		}
	default:
		if len(values) != 1 {
			return field.Required(at.Child("values"), "operator "+op.String()+" needs exactly one value")
		}
	}
	return nil
}

// nodeTermOf reads one term of node affinity. A term without conditions matches no node: ok is false.
func nodeTermOf(
	at *field.Path,
	t *corev1.NodeSelectorTerm,
	aliases karpenterv1.LabelAliases,
) (out shape.NodeTerm, ok bool, err error) {
	if out.Labels, err = nodeRequirements(at.Child("matchExpressions"), t.MatchExpressions, aliases); err != nil {
		return out, false, err
	}
	if out.Names, err = nodeFields(at.Child("matchFields"), t.MatchFields); err != nil {
		return out, false, err
	}
	return out, len(out.Labels)+len(out.Names) > 0, nil
}

// nodeFields reads conditions on a node's name, the only field that can be selected by.
func nodeFields(at *field.Path, list []corev1.NodeSelectorRequirement) ([]shape.Requirement, error) {
	for i := range list {
		r := &list[i]
		at := at.Index(i)
		if op, ok := shape.OperatorOf(string(r.Operator)); ok && op > shape.NotIn {
			return nil, field.NotSupported(at.Child("operator"), r.Operator,
				[]corev1.NodeSelectorOperator{corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn})
		}
		if r.Key != metav1.ObjectNameField {
			return nil, field.NotSupported(at.Child("key"), r.Key, []string{metav1.ObjectNameField})
		}
	}
	return nodeRequirements(at, list, nil)
}

// nodeRequirements reads conditions on a node's labels.
func nodeRequirements(
	at *field.Path,
	list []corev1.NodeSelectorRequirement,
	aliases karpenterv1.LabelAliases,
) ([]shape.Requirement, error) {
	var out []shape.Requirement
	for i := range list {
		r := &list[i]
		at := at.Index(i)
		op, ok := shape.OperatorOf(string(r.Operator))
		// Gte and Lte are requirements' of NodePools only.
		if !ok || op > shape.Lt {
			return nil, field.NotSupported(at.Child("operator"), r.Operator, []corev1.NodeSelectorOperator{
				corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists,
				corev1.NodeSelectorOpDoesNotExist, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt})
		}
		if err := checkValues(at, op, r.Values); err != nil {
			return nil, err
		}
		out = append(out, shape.Requirement{Key: aliases.Normalize(r.Key), Operator: op, Values: ascending(r.Values)})
	}
	return sortRequirements(out), nil
}

// effectOf reads a taint's effect; the empty one is a toleration's only.
func effectOf(at *field.Path, e corev1.TaintEffect, emptyToo bool) (shape.Effect, error) {
	switch e {
	case corev1.TaintEffectNoSchedule:
		return shape.NoSchedule, nil
	case corev1.TaintEffectPreferNoSchedule:
		return shape.PreferNoSchedule, nil
	case corev1.TaintEffectNoExecute:
		return shape.NoExecute, nil
	case "":
		if emptyToo {
			return shape.AnyEffect, nil
		}
	}
	return 0, field.NotSupported(at, e, []corev1.TaintEffect{
		corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute})
}

// labelSet makes a nil map a set of labels too.
func labelSet(m map[string]string) labels.Set { return labels.Set(m) }
