package manifest

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dovetail-sh/dovetail/internal/admission"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// admit does to pods and claims that no server has seen what admission does. The priority of DaemonSets goes into their
// templates; what else is done to their pods is done where they are planned.
func (s *Set) admit() error {
	s.rules = admission.Rules{
		LimitRanges:    map[string]map[string]*corev1.LimitRange{},
		RuntimeClasses: map[string]*nodev1.RuntimeClass{},
		Priorities:     admission.PrioritiesOf(s.priorities),
	}
	for _, l := range s.LimitRanges {
		if s.rules.LimitRanges[l.Namespace] == nil {
			s.rules.LimitRanges[l.Namespace] = map[string]*corev1.LimitRange{}
		}
		s.rules.LimitRanges[l.Namespace][l.Name] = l
	}
	for _, c := range s.RuntimeClasses {
		s.rules.RuntimeClasses[c.Name] = c
	}
	if err := cmp.Or(s.checkPriorities(), s.checkTemplates()); err != nil {
		return err
	}
	for _, p := range s.Pods {
		if p.UID != "" {
			admission.Default(p) // as a server does whenever it prints one
			continue
		}
		if err := cmp.Or(structure(p), s.rules.Pod(p)); err != nil {
			return translate.Problem{Object: fmt.Sprintf("Pod %s/%s", p.Namespace, p.Name), Err: err}
		}
	}
	for _, ds := range s.DaemonSets {
		pod := &corev1.Pod{Spec: *ds.Spec.Template.Spec.DeepCopy()}
		pod.Namespace = ds.Namespace
		if err := s.rules.Pod(pod); err != nil {
			return fmt.Errorf("DaemonSet %s/%s: %w", ds.Namespace, ds.Name, err)
		}
		to := &ds.Spec.Template.Spec
		to.Priority, to.PriorityClassName, to.PreemptionPolicy = pod.Spec.Priority, pod.Spec.PriorityClassName,
			pod.Spec.PreemptionPolicy
	}
	for _, c := range s.Claims {
		if c.UID != "" {
			continue
		}
		err := s.rules.Claim(c)
		if c.Status.Phase == "" {
			err = cmp.Or(admission.ClaimStructure(field.NewPath("spec"), &c.Spec), err)
		}
		if err != nil {
			return fmt.Errorf("PersistentVolumeClaim %s/%s: %w", c.Namespace, c.Name, err)
		}
	}
	return nil
}

// structure refuses a pod that no server keeps. One that runs somewhere has been kept.
func structure(p *corev1.Pod) error {
	if p.Status.Phase != "" {
		return nil
	}
	return admission.Structure(&p.Spec)
}

// mostPriority is the highest that is not the system's own.
const mostPriority = 1_000_000_000

// checkPriorities refuses a second PriorityClass that would count for all pods without one, and values that only the
// system may have.
func (s *Set) checkPriorities() error {
	var first *schedulingv1.PriorityClass
	for _, c := range s.priorities {
		switch {
		case c.UID == "" && c.Value > mostPriority && !strings.HasPrefix(c.Name, "system-"):
			return fmt.Errorf(
				"PriorityClass %s: value: it is %d, and at most %d is allowed",
				c.Name,
				c.Value,
				mostPriority,
			)
		case !c.GlobalDefault:
		case first == nil:
			first = c
		case c.UID == "":
			return fmt.Errorf(
				"PriorityClass %s: globalDefault: PriorityClass %s is the default already; take it from one of them",
				c.Name,
				first.Name,
			)
		}
	}
	return nil
}
