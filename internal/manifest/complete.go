package manifest

import (
	corev1 "k8s.io/api/core/v1"
)

// complete does what admission and controllers would have done.
func (s *Set) complete() error {
	if err := s.admit(); err != nil {
		return err
	}
	s.autoscale()
	if err := s.expand(); err != nil {
		return err
	}
	s.defaultPools()
	s.chooseStorage()
	s.bindClaims()
	s.nameNamespaces()
	return nil
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
