package manifest

import (
	"fmt"
	"iter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/dovetail-sh/dovetail/internal/admission"
)

// template is a template of pods and where it stands.
type template struct {
	kind, field string
	in          *metav1.ObjectMeta
	pod         *corev1.PodTemplateSpec
}

// templates are those of all objects that have one.
func (s *Set) templates() iter.Seq[template] {
	return func(yield func(template) bool) {
		more := true
		of := func(kind, field string, in *metav1.ObjectMeta, pod *corev1.PodTemplateSpec) {
			more = more && yield(template{kind, field, in, pod})
		}
		for _, o := range s.deployments {
			of("Deployment", "spec.template", &o.ObjectMeta, &o.Spec.Template)
		}
		for _, o := range s.replicaSets {
			of("ReplicaSet", "spec.template", &o.ObjectMeta, &o.Spec.Template)
		}
		for _, o := range s.controllers {
			if o.Spec.Template != nil {
				of("ReplicationController", "spec.template", &o.ObjectMeta, o.Spec.Template)
			}
		}
		for _, o := range s.statefulSets {
			of("StatefulSet", "spec.template", &o.ObjectMeta, &o.Spec.Template)
		}
		for _, o := range s.DaemonSets {
			of("DaemonSet", "spec.template", &o.ObjectMeta, &o.Spec.Template)
		}
		for _, o := range s.jobs {
			of("Job", "spec.template", &o.ObjectMeta, &o.Spec.Template)
		}
		for _, o := range s.PodTemplates {
			of("PodTemplate", "template", &o.ObjectMeta, &o.Template)
		}
	}
}

// checkTemplates refuses templates that no server would keep, also of workloads that ask for no pods. Their pods may be
// refused all the same, by what a namespace or a class adds.
func (s *Set) checkTemplates() error {
	for t := range s.templates() {
		if t.in.UID != "" {
			continue
		}
		if err := admission.Template(t.pod); err != nil {
			return fmt.Errorf("%s %s/%s: %s.%w", t.kind, t.in.Namespace, t.in.Name, t.field, err)
		}
	}
	return nil
}
