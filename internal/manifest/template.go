package manifest

import (
	"cmp"
	"fmt"
	"iter"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/dovetail-sh/dovetail/internal/admission"
)

// template is a template of pods and where it stands.
type template struct {
	kind, field string
	in          *metav1.ObjectMeta
	pod         *corev1.PodTemplateSpec
	selector    *metav1.LabelSelector

	// claims are volumes that its owner adds.
	claims []corev1.PersistentVolumeClaim
}

// templates are those of all objects that have one.
func (s *Set) templates() iter.Seq[template] {
	return func(yield func(template) bool) {
		more := true
		of := func(t template) {
			t.field = cmp.Or(t.field, "spec.template")
			more = more && yield(t)
		}
		for _, o := range s.deployments {
			of(template{kind: "Deployment", in: &o.ObjectMeta, pod: &o.Spec.Template, selector: o.Spec.Selector})
		}
		for _, o := range s.replicaSets {
			of(template{kind: "ReplicaSet", in: &o.ObjectMeta, pod: &o.Spec.Template, selector: o.Spec.Selector})
		}
		for _, o := range s.controllers {
			if o.Spec.Template != nil {
				of(template{kind: "ReplicationController", in: &o.ObjectMeta, pod: o.Spec.Template})
			}
		}
		for _, o := range s.statefulSets {
			of(template{
				kind: "StatefulSet", in: &o.ObjectMeta, pod: &o.Spec.Template, selector: o.Spec.Selector,
				claims: o.Spec.VolumeClaimTemplates,
			})
		}
		for _, o := range s.DaemonSets {
			of(template{kind: "DaemonSet", in: &o.ObjectMeta, pod: &o.Spec.Template, selector: o.Spec.Selector})
		}
		for _, o := range s.jobs {
			of(template{kind: "Job", in: &o.ObjectMeta, pod: &o.Spec.Template})
		}
		for _, o := range s.PodTemplates {
			of(template{kind: "PodTemplate", field: "template", in: &o.ObjectMeta, pod: &o.Template})
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
		if err := t.check(); err != nil {
			return fmt.Errorf("%s %s/%s: %w", t.kind, t.in.Namespace, t.in.Name, err)
		}
	}
	return nil
}

func (t *template) check() error {
	if err := t.checkSelector(); err != nil {
		return err
	}
	var claims []string
	for i := range t.claims {
		claims = append(claims, t.claims[i].Name)
		at := field.NewPath("spec", "volumeClaimTemplates").Index(i).Child("spec")
		if err := admission.ClaimStructure(at, &t.claims[i].Spec); err != nil {
			return err
		}
	}
	err := cmp.Or(t.checkRestart(), admission.Structure(&t.pod.Spec, claims...), admission.Template(t.pod),
		firstOf(metavalidation.ValidateLabels(t.pod.Labels, field.NewPath("metadata", "labels"))))
	if err != nil {
		return fmt.Errorf("%s.%w", t.field, err)
	}
	return nil
}

// checkSelector refuses a workload that would not find its own pods.
func (t *template) checkSelector() error {
	at := field.NewPath("spec", "selector")
	switch t.kind {
	case "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet":
	default:
		return nil // theirs is filled in, or they have none
	}
	if t.selector == nil {
		return field.Required(at, "say which pods are its own, as the labels of spec.template do")
	}
	if len(t.selector.MatchLabels)+len(t.selector.MatchExpressions) == 0 {
		return field.Invalid(at, "{}", "it selects every pod; say which are its own")
	}
	selector, err := metav1.LabelSelectorAsSelector(t.selector)
	if err != nil {
		return fmt.Errorf("spec.selector: %w", err)
	}
	if !selector.Matches(labels.Set(t.pod.Labels)) {
		return fmt.Errorf(
			"spec.selector wants %s, which the labels of spec.template are not; make them agree",
			selector,
		)
	}
	return nil
}

// checkRestart refuses what a workload's pods may not do when they end.
func (t *template) checkRestart() error {
	policy, at := t.pod.Spec.RestartPolicy, field.NewPath("spec", "restartPolicy")
	switch {
	case t.kind == "PodTemplate":
		return nil
	case t.kind != "Job" && policy != "" && policy != corev1.RestartPolicyAlways:
		return field.NotSupported(at, policy, []corev1.RestartPolicy{corev1.RestartPolicyAlways})
	case t.kind == "Job" && (policy == "" || policy == corev1.RestartPolicyAlways):
		return field.Required(at, "a Job's pods have Never or OnFailure")
	}
	return nil
}

// firstOf several errors; nil for none.
func firstOf(list field.ErrorList) error {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}
