package admission

import (
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
)

// Rules are the objects of a cluster that admission looks at. The zero value has none.
type Rules struct {
	LimitRanges    map[string]map[string]*corev1.LimitRange // by namespace and name
	RuntimeClasses map[string]*nodev1.RuntimeClass          // by name

	// Priorities is nil where nobody wants to know priorities: pods then keep what they say.
	Priorities *Priorities
}

// Pod makes of a pod what a server would keep. Only fields of the pod itself are written: what its lists and maps refer
// to may belong to others and stays as it is. After an error the pod is as far as the server would have come.
func (r *Rules) Pod(pod *corev1.Pod) error {
	Default(pod)
	ranges := r.of(pod.Namespace)
	for _, l := range ranges {
		applyDefaults(pod, l)
	}
	steps := []func(*corev1.Pod) error{r.Priorities.admit, tolerateUnanswering, r.admitRuntimeClass}
	for _, step := range steps {
		if err := step(pod); err != nil {
			return err
		}
	}
	if err := validate(pod); err != nil {
		return err
	}
	for _, l := range ranges {
		if err := checkPod(pod, l); err != nil {
			return err
		}
	}
	Default(pod) // a server fills in once more whenever it reads what it keeps
	return nil
}

// Template refuses a template of pods as a server does when the object is created that it belongs to: before any
// defaults of pods and without a look at other objects. The error names a field below the template.
func Template(of *corev1.PodTemplateSpec) error { return validate(&corev1.Pod{Spec: of.Spec}) }
