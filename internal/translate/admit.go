package translate

import (
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"

	"github.com/dovetail-sh/dovetail/internal/admission"
)

// Admit makes of a pod that no server has seen what one would keep; its priority stays as it is. Only the pod's own
// fields are written. The error is why a server would refuse it.
func (w *World) Admit(pod *corev1.Pod) error {
	rules := admission.Rules{LimitRanges: w.LimitRanges, RuntimeClasses: w.RuntimeClasses}
	return rules.Pod(pod)
}

// PutLimitRange notes a LimitRange.
func (w *World) PutLimitRange(l *corev1.LimitRange) {
	if w.LimitRanges[l.Namespace] == nil {
		w.LimitRanges[l.Namespace] = map[string]*corev1.LimitRange{}
	}
	w.LimitRanges[l.Namespace][l.Name] = l
}

// PutRuntimeClass notes a RuntimeClass.
func (w *World) PutRuntimeClass(c *nodev1.RuntimeClass) { w.RuntimeClasses[c.Name] = c }
