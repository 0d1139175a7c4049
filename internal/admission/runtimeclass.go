package admission

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// admitRuntimeClass adds what the pod's RuntimeClass says of overhead and of nodes that have the runtime.
func (r *Rules) admitRuntimeClass(pod *corev1.Pod) error {
	spec := &pod.Spec
	if spec.RuntimeClassName == nil {
		if len(spec.Overhead) > 0 {
			return field.Forbidden(
				specPath.Child("overhead"),
				"only a RuntimeClass may say it, and runtimeClassName names none",
			)
		}
		return nil
	}
	class := r.RuntimeClasses[*spec.RuntimeClassName]
	if class == nil {
		return field.Forbidden(
			specPath.Child("runtimeClassName"),
			fmt.Sprintf("there is no RuntimeClass %s; add it", *spec.RuntimeClassName),
		)
	}
	var overhead corev1.ResourceList
	if class.Overhead != nil {
		overhead = class.Overhead.PodFixed
	}
	if len(spec.Overhead) > 0 && !apiequality.Semantic.DeepEqual(spec.Overhead, overhead) {
		return field.Forbidden(
			specPath.Child("overhead"),
			fmt.Sprintf("RuntimeClass %s says another; leave it to the class", class.Name),
		)
	}
	spec.Overhead = overhead
	if class.Scheduling == nil {
		return nil
	}
	for _, key := range slices.Sorted(maps.Keys(class.Scheduling.NodeSelector)) {
		want := class.Scheduling.NodeSelector[key]
		if have, ok := spec.NodeSelector[key]; ok && have != want {
			return field.Forbidden(
				specPath.Child("nodeSelector").Key(key),
				fmt.Sprintf("it is %s, but RuntimeClass %s wants %s", have, class.Name, want),
			)
		}
	}
	if len(class.Scheduling.NodeSelector) > 0 {
		selector := maps.Clone(class.Scheduling.NodeSelector)
		maps.Copy(selector, spec.NodeSelector)
		spec.NodeSelector = selector
	}
	spec.Tolerations = mergeTolerations(spec.Tolerations, class.Scheduling.Tolerations)
	return nil
}
