package translate

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// PlannedTaintKey is the taint of a node whose room is meant for the pods of a plan. It keeps everybody else off until
// they are there, and is taken away by whoever put it there. To the planner such a node is open.
const PlannedTaintKey = "dovetail.sh/planned"

// PlannedTaint is that taint, without the time at which it was put on.
func PlannedTaint() corev1.Taint {
	return corev1.Taint{Key: PlannedTaintKey, Effect: corev1.TaintEffectNoSchedule}
}

// Planned reports whether a node is kept for the pods of a plan.
func Planned(node *corev1.Node) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == PlannedTaintKey })
}

// ToleratesPlanned reports whether the taint does not keep pods of a class off.
func ToleratesPlanned(class *shape.Class) bool {
	return slices.ContainsFunc(class.Tolerations, func(t shape.Toleration) bool {
		return (t.Key == "" || t.Key == PlannedTaintKey) && (t.Effect == shape.AnyEffect ||
			t.Effect == shape.NoSchedule) &&
			(t.Exists || t.Value == "")
	})
}
