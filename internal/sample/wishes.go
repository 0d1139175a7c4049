package sample

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// nodeWishes are a pod's selectors, node affinity and tolerations.
func (d Dice) nodeWishes(spec *corev1.PodSpec) {
	if d.Percent(15) {
		key, values := d.NodeLabel()
		spec.NodeSelector = map[string]string{key: Pick(d, values...)}
	}
	affinity := &corev1.NodeAffinity{}
	if d.Percent(25) {
		affinity.RequiredDuringSchedulingIgnoredDuringExecution = &corev1.NodeSelector{}
		for range d.Between(1, 3) {
			terms := &affinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
			*terms = append(*terms, d.nodeTerm())
		}
	}
	if d.Percent(15) {
		affinity.PreferredDuringSchedulingIgnoredDuringExecution = []corev1.PreferredSchedulingTerm{
			{Weight: int32(d.Between(1, 100)), Preference: d.nodeTerm()},
		}
	}
	if affinity.RequiredDuringSchedulingIgnoredDuringExecution != nil ||
		len(affinity.PreferredDuringSchedulingIgnoredDuringExecution) > 0 {
		spec.Affinity = &corev1.Affinity{NodeAffinity: affinity}
	}
	if d.Percent(40) {
		for range d.Between(1, 2) {
			spec.Tolerations = append(spec.Tolerations, d.toleration())
		}
	}
}

// NodeLabel is a label of nodes with the values that it may have.
func (d Dice) NodeLabel() (key string, values []string) {
	switch d.IntN(6) {
	case 0:
		return shape.LabelArch, archs
	case 1:
		return shape.LabelCapacityType, capacities
	case 2:
		return SizeLabel, sizes
	case 3:
		return TeamLabel, Teams
	}
	return shape.LabelZone, zones
}

func (d Dice) nodeTerm() corev1.NodeSelectorTerm {
	var term corev1.NodeSelectorTerm
	if d.Percent(3) {
		return term // matches nothing
	}
	for range d.Between(1, 2) {
		term.MatchExpressions = append(term.MatchExpressions, d.nodeExpression())
	}
	if d.Percent(8) {
		term.MatchFields = []corev1.NodeSelectorRequirement{{
			Key:      metav1.ObjectNameField,
			Operator: Pick(d, corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn),
			Values:   []string{Pick(d, "node-0", "node-1")},
		}}
		if d.Percent(50) {
			term.MatchExpressions = nil
		}
	}
	return term
}

func (d Dice) nodeExpression() corev1.NodeSelectorRequirement {
	if d.Percent(15) {
		return corev1.NodeSelectorRequirement{
			Key:      CoreLabel,
			Operator: Pick(d, corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt),
			Values:   []string{Pick(d, "1", "2", "4", "8")},
		}
	}
	key, values := d.NodeLabel()
	op := Pick(
		d,
		corev1.NodeSelectorOpIn,
		corev1.NodeSelectorOpIn,
		corev1.NodeSelectorOpNotIn,
		corev1.NodeSelectorOpExists,
		corev1.NodeSelectorOpDoesNotExist,
	)
	switch op {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		return corev1.NodeSelectorRequirement{Key: key, Operator: op, Values: Some(d, 1, 2, values...)}
	}
	return corev1.NodeSelectorRequirement{Key: key, Operator: op}
}

func (d Dice) toleration() corev1.Toleration {
	if d.Percent(10) {
		return corev1.Toleration{Operator: corev1.TolerationOpExists}
	}
	t := corev1.Toleration{Key: Pick(d, taintKeys...), Operator: corev1.TolerationOpExists}
	if d.Percent(40) {
		t.Operator, t.Value = corev1.TolerationOpEqual, Pick(d, "", "x", "y")
	}
	if d.Percent(50) {
		t.Effect = Pick(d, effects...)
	}
	return t
}
