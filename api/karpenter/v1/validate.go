package v1

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate checks what the schema cannot: that labels may be used with the
// clouds in question, that no taint is there twice, and that requirements can
// be met at all. The errors name the field and are in the order of the fields.
func (p *NodePool) Validate(clouds ...LabelRules) field.ErrorList {
	rules := CoreLabelRules()
	for _, cloud := range clouds {
		rules = rules.Merge(cloud)
	}
	template := field.NewPath("spec", "template")
	errs := validateLabels(template.Child("metadata", "labels"), p.Spec.Template.Labels, rules)
	errs = append(errs, validateTaints(template.Child("spec"), &p.Spec.Template.Spec)...)
	requirements := template.Child("spec", "requirements")
	for i, r := range p.Spec.Template.Spec.Requirements {
		errs = append(errs, validatePoolRequirement(requirements.Index(i), r, rules)...)
	}
	return errs
}

func validateLabels(at *field.Path, labels map[string]LabelValue, rules LabelRules) field.ErrorList {
	var errs field.ErrorList
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		at := at.Key(key)
		if key == NodePoolLabelKey {
			errs = append(errs, field.Forbidden(at, "it is set by the controller; remove it"))
			continue
		}
		for _, problem := range validation.IsQualifiedName(key) {
			errs = append(errs, field.Invalid(at, key, problem))
		}
		for _, problem := range validation.IsValidLabelValue(string(labels[key])) {
			errs = append(errs, field.Invalid(at, string(labels[key]), problem))
		}
		if err := rules.Check(key); err != nil {
			errs = append(errs, field.Forbidden(at, err.Error()))
		}
	}
	return errs
}

func validateTaints(at *field.Path, spec *NodeClaimTemplateSpec) field.ErrorList {
	type identity struct {
		key    string
		effect corev1.TaintEffect
	}
	var errs field.ErrorList
	seen := map[identity]bool{}
	check := func(at *field.Path, taints []Taint) {
		for i, taint := range taints {
			at := at.Index(i)
			for _, problem := range validation.IsQualifiedName(taint.Key) {
				errs = append(errs, field.Invalid(at.Child("key"), taint.Key, problem))
			}
			for _, problem := range validation.IsValidLabelValue(taint.Value) {
				errs = append(errs, field.Invalid(at.Child("value"), taint.Value, problem))
			}
			switch taint.Effect {
			case corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute:
			default:
				errs = append(errs, field.NotSupported(at.Child("effect"), taint.Effect, []corev1.TaintEffect{
					corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute,
				}))
			}
			id := identity{taint.Key, taint.Effect}
			if seen[id] {
				errs = append(errs, field.Duplicate(at, fmt.Sprintf("%s:%s", taint.Key, taint.Effect)))
			}
			seen[id] = true
		}
	}
	check(at.Child("taints"), spec.Taints)
	check(at.Child("startupTaints"), spec.StartupTaints)
	return errs
}

func validatePoolRequirement(at *field.Path, r Requirement, rules LabelRules) field.ErrorList {
	if r.Key == NodePoolLabelKey {
		return field.ErrorList{field.Forbidden(at.Child("key"), NodePoolLabelKey+" is set by the controller; remove it")}
	}
	return ValidateRequirement(at, r, rules)
}

// ValidateRequirement checks one requirement: its label, its values, and that
// they go with the operator.
func ValidateRequirement(at *field.Path, r Requirement, rules LabelRules) field.ErrorList {
	r.Key = rules.Aliases.Normalize(r.Key)
	var errs field.ErrorList
	for _, problem := range validation.IsQualifiedName(r.Key) {
		errs = append(errs, field.Invalid(at.Child("key"), r.Key, problem))
	}
	if err := rules.Check(r.Key); err != nil {
		errs = append(errs, field.Forbidden(at.Child("key"), err.Error()))
	}
	for i, value := range r.Values {
		for _, problem := range validation.IsValidLabelValue(value) {
			errs = append(errs, field.Invalid(at.Child("values").Index(i), value, problem))
		}
	}
	errs = append(errs, validateShape(at, r)...)
	return append(errs, validateKnownValues(at, r, rules)...)
}

var operators = []corev1.NodeSelectorOperator{
	corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn,
	corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist,
	corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt, OpGte, OpLte,
}

func validateShape(at *field.Path, r Requirement) field.ErrorList {
	switch r.Operator {
	case corev1.NodeSelectorOpIn:
		if len(r.Values) == 0 {
			return field.ErrorList{field.Required(at.Child("values"), "operator In needs at least one value")}
		}
		if r.MinValues != nil && len(r.Values) < *r.MinValues {
			return field.ErrorList{field.Invalid(at.Child("minValues"), *r.MinValues,
				fmt.Sprintf("is larger than the number of values, %d", len(r.Values)))}
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt, OpGte, OpLte:
		if len(r.Values) != 1 || !isCount(r.Values[0]) {
			return field.ErrorList{field.Invalid(at.Child("values"), strings.Join(r.Values, ","),
				fmt.Sprintf("operator %s needs exactly one value, an integer of 0 or more", r.Operator))}
		}
	case corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
	default:
		return field.ErrorList{field.NotSupported(at.Child("operator"), r.Operator, operators)}
	}
	return nil
}

func isCount(value string) bool {
	n, err := strconv.ParseInt(value, 10, 64)
	return err == nil && n >= 0
}

// validateKnownValues refuses a requirement that none of the values a label
// can have would meet, or too few for its minValues. Other unknown values do
// no harm: nothing will have them.
func validateKnownValues(at *field.Path, r Requirement, rules LabelRules) field.ErrorList {
	known, ok := rules.Values[r.Key]
	if !ok || r.Operator != corev1.NodeSelectorOpIn || len(r.Values) == 0 {
		return nil
	}
	usable := known.Intersection(sets.New(r.Values...)).Len()
	if usable > 0 && (r.MinValues == nil || usable >= *r.MinValues) {
		return nil
	}
	need := 1
	if r.MinValues != nil {
		need = *r.MinValues
	}
	return field.ErrorList{field.Invalid(at.Child("values"), strings.Join(r.Values, ","),
		fmt.Sprintf("%d of these are values of %s, at least %d must be: %s", usable, r.Key, need, strings.Join(sets.List(known), ", ")))}
}
