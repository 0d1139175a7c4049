package admission

import (
	"cmp"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// builtIn are the priorities that every cluster has.
var builtIn = map[string]int32{"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}

// Priorities are a cluster's PriorityClasses. A nil one knows none and admits every pod as it is.
type Priorities struct {
	byName map[string]*schedulingv1.PriorityClass
	global *schedulingv1.PriorityClass
}

// PrioritiesOf indexes PriorityClasses. Of several global defaults, of which a server lets only one be made, the lowest
// counts.
func PrioritiesOf(classes []*schedulingv1.PriorityClass) *Priorities {
	p := &Priorities{byName: map[string]*schedulingv1.PriorityClass{}}
	for name, value := range builtIn {
		c := &schedulingv1.PriorityClass{Value: value}
		c.Name = name
		p.byName[name] = c
	}
	lowest := slices.SortedFunc(slices.Values(classes), func(a, b *schedulingv1.PriorityClass) int {
		return cmp.Or(cmp.Compare(a.Value, b.Value), cmp.Compare(a.Name, b.Name))
	})
	for _, c := range lowest {
		p.byName[c.Name] = c
		if c.GlobalDefault && p.global == nil {
			p.global = c
		}
	}
	return p
}

// admit gives a pod the priority and the preemption policy of its class.
func (p *Priorities) admit(pod *corev1.Pod) error {
	if p == nil {
		return nil
	}
	spec := &pod.Spec
	c := p.global
	if spec.PriorityClassName != "" {
		c = p.byName[spec.PriorityClassName]
	}
	switch {
	case c == nil && spec.PriorityClassName != "":
		return field.Forbidden(
			specPath.Child("priorityClassName"),
			fmt.Sprintf("there is no PriorityClass %s; add it", spec.PriorityClassName),
		)
	case c == nil:
		c = &schedulingv1.PriorityClass{}
	}
	if spec.Priority != nil && *spec.Priority != c.Value {
		return field.Forbidden(
			specPath.Child("priority"),
			fmt.Sprintf(
				"it is %d, but %d by PriorityClass %q; leave it to the class",
				*spec.Priority,
				c.Value,
				c.Name,
			),
		)
	}
	policy := corev1.PreemptLowerPriority // what a class has that says nothing
	if c.PreemptionPolicy != nil {
		policy = *c.PreemptionPolicy
	}
	if spec.PreemptionPolicy != nil && *spec.PreemptionPolicy != policy {
		return field.Forbidden(
			specPath.Child("preemptionPolicy"),
			fmt.Sprintf(
				"it is %s, but %s by PriorityClass %q; leave it to the class",
				*spec.PreemptionPolicy,
				policy,
				c.Name,
			),
		)
	}
	value := c.Value
	spec.Priority, spec.PriorityClassName, spec.PreemptionPolicy = &value, c.Name, &policy
	return nil
}
