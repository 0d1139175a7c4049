package oracle

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// nodeWishes are a pod's selectors, node affinity and tolerations.
func (d dice) nodeWishes(spec *corev1.PodSpec) {
	if d.percent(15) {
		key, values := d.nodeLabel()
		spec.NodeSelector = map[string]string{key: pick(d, values...)}
	}
	affinity := &corev1.NodeAffinity{}
	if d.percent(25) {
		affinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{}
		for range d.between(1, 3) {
			terms := &affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
			*terms = append(*terms, d.nodeTerm())
		}
	}
	if d.percent(15) {
		affinity.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{{Weight: int32(d.between(1, 100)), Preference: d.nodeTerm()}}
	}
	if affinity.RequiredDuringSchedulingIgnoredDuringExecution != nil || len(affinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0 {
		spec.Affinity = &corev1.Affinity{NodeAffinity: affinity}
	}
	if d.percent(40) {
		for range d.between(1, 2) {
			spec.Tolerations = append(spec.Tolerations, d.toleration())
		}
	}
}

// nodeLabel is a label of nodes with the values that it may have.
func (d dice) nodeLabel() (key string, values []string) {
	switch d.IntN(6) {
	case 0:
		return shape.LabelArch, archs
	case 1:
		return shape.LabelCapacityType, capacities
	case 2:
		return sizeLabel, sizes
	case 3:
		return teamLabel, teams
	}
	return shape.LabelZone, zones
}

func (d dice) nodeTerm() corev1.NodeSelectorTerm {
	var term corev1.NodeSelectorTerm
	if d.percent(3) {
		return term // matches nothing
	}
	for range d.between(1, 2) {
		term.MatchExpressions = append(term.MatchExpressions, d.nodeExpression())
	}
	if d.percent(8) {
		term.MatchFields = []corev1.NodeSelectorRequirement{{
			Key:      metav1.ObjectNameField,
			Operator: pick(d, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn),
			Values:   []string{pick(d, "node-0", "node-1")},
		}}
		if d.percent(50) {
			term.MatchExpressions = nil
		}
	}
	return term
}

func (d dice) nodeExpression() corev1.NodeSelectorRequirement {
	if d.percent(15) {
		return corev1.NodeSelectorRequirement{
			Key: coreLabel, Operator: pick(d, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt), Values: []string{pick(d, "1", "2", "4", "8")},
		}
	}
	key, values := d.nodeLabel()
	op := pick(d, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn, corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist)
	switch op {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: some(d, 1, 2, values...)}
	}
	return corev1.NodeSelectorRequirement{Key: key, Operator: op}
}

func (d dice) toleration() corev1.Toleration {
	if d.percent(10) {
		return corev1.Toleration{Operator: corev1.TolerationOpExists}
	}
	t := corev1.Toleration{Key: pick(d, taintKeys...), Operator: corev1.TolerationOpExists}
	if d.percent(40) {
		t.Operator, t.Value = corev1.TolerationOpEqual, pick(d, "", "x", "y")
	}
	if d.percent(50) {
		t.Effect = pick(d, effects...)
	}
	return t
}
