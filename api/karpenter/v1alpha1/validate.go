package v1alpha1

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// Validate checks what the schema cannot: that labels may be used with the
// clouds in question and that requirements can be met at all.
func (o *NodeOverlay) Validate(clouds ...karpenterv1.LabelRules) field.ErrorList {
	rules := karpenterv1.CoreLabelRules()
	for _, cloud := range clouds {
		rules = rules.Merge(cloud)
	}
	var errs field.ErrorList
	requirements := field.NewPath("spec", "requirements")
	for i, r := range o.Spec.Requirements {
		at := requirements.Index(i)
		errs = append(errs, karpenterv1.ValidateRequirement(at,
			karpenterv1.Requirement{Key: r.Key, Operator: r.Operator, Values: r.Values}, rules)...)
		if r.Operator == corev1.NodeSelectorOpNotIn && len(r.Values) == 0 {
			errs = append(errs, field.Required(at.Child("values"), "operator NotIn needs at least one value"))
		}
	}
	return append(errs, validateCapacity(field.NewPath("spec", "capacity"), o.Spec.Capacity)...)
}

func validateCapacity(at *field.Path, capacity corev1.ResourceList) field.ErrorList {
	standard := sets.New(corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage, corev1.ResourcePods)
	var errs field.ErrorList
	for _, name := range slices.Sorted(maps.Keys(capacity)) {
		if standard.Has(name) {
			errs = append(errs, field.Forbidden(at.Key(string(name)), "only extended resources may be set"))
		}
	}
	return errs
}
