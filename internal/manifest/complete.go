package manifest

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	storagev1 "k8s.io/api/storage/v1"

	"github.com/dovetail-sh/dovetail/internal/translate"
)

const defaultClass = "storageclass.kubernetes.io/is-default-class"

// builtIn are the priorities that every cluster has.
var builtIn = map[string]int32{"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}

// complete does what admission and controllers would have done.
func (s *Set) complete() error {
	if err := s.expand(); err != nil {
		return err
	}
	priorities := s.priorityOf()
	for _, p := range s.Pods {
		if err := priorities(&p.Spec); err != nil {
			return fmt.Errorf("%s %s/%s: %w", "Pod", p.Namespace, p.Name, err)
		}
	}
	for _, ds := range s.DaemonSets {
		if err := priorities(&ds.Spec.Template.Spec); err != nil {
			return fmt.Errorf("%s %s/%s: %w", "DaemonSet", ds.Namespace, ds.Name, err)
		}
	}
	s.admit()
	s.chooseStorage()
	s.nameNamespaces()
	return nil
}

// priorityOf returns what fills in a pod's priority from its class.
func (s *Set) priorityOf() func(*corev1.PodSpec) error {
	byName := map[string]*schedulingv1.PriorityClass{}
	var global *schedulingv1.PriorityClass
	for _, c := range s.priorities {
		byName[c.Name] = c
		if c.GlobalDefault {
			global = c
		}
	}
	return func(spec *corev1.PodSpec) error {
		if spec.Priority != nil {
			return nil
		}
		c := byName[spec.PriorityClassName]
		if spec.PriorityClassName == "" {
			c = global
		}
		if value, ok := builtIn[spec.PriorityClassName]; ok {
			c = &schedulingv1.PriorityClass{Value: value}
		}
		switch {
		case c != nil:
			spec.Priority, spec.PreemptionPolicy = &c.Value, c.PreemptionPolicy
		case spec.PriorityClassName != "":
			return fmt.Errorf("priorityClassName %s is not among the manifests; add the PriorityClass", spec.PriorityClassName)
		}
		return nil
	}
}

// admit gives pods the requests that a server would have given them. LimitRanges count for those that none has seen.
func (s *Set) admit() {
	seen := translate.WorldOf(translate.Objects{})
	unseen := translate.WorldOf(translate.Objects{LimitRanges: s.LimitRanges})
	for _, p := range s.Pods {
		if p.UID == "" {
			unseen.Admit(p)
		} else {
			seen.Admit(p)
		}
	}
}

// chooseStorage gives claims without a class the default one, and classes their default binding.
func (s *Set) chooseStorage() {
	name := ""
	for _, c := range s.StorageClasses {
		if c.VolumeBindingMode == nil {
			immediate := storagev1.VolumeBindingImmediate
			c.VolumeBindingMode = &immediate
		}
		if c.Annotations[defaultClass] == "true" {
			name = c.Name
		}
	}
	for _, c := range s.Claims {
		if c.Spec.StorageClassName == nil && name != "" {
			c.Spec.StorageClassName = &name
		}
	}
}

// nameNamespaces adds namespaces that objects are in but that are not written down, and the
// label that every namespace has.
func (s *Set) nameNamespaces() {
	seen := map[string]bool{}
	for _, n := range s.Namespaces {
		seen[n.Name] = true
	}
	for _, p := range s.Pods {
		if !seen[p.Namespace] {
			seen[p.Namespace] = true
			n := &corev1.Namespace{}
			n.Name = p.Namespace
			s.Namespaces = append(s.Namespaces, n)
		}
	}
	for _, n := range s.Namespaces {
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		n.Labels[corev1.LabelMetadataName] = n.Name
	}
}
