package workload

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Workload is one input for both planners: no existing nodes, one pool without limits worth mentioning.
type Workload struct {
	Name string
	Pods []*corev1.Pod
	// Types is the market; the only pool may buy all of it.
	Types []*shape.InstanceType
	// Requirements narrow the pool.
	Requirements []shape.Requirement
	// IgnorePreferences is the policy under which both plan.
	IgnorePreferences bool
}
