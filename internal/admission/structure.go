package admission

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Structure refuses a pod's spec that no server keeps, whatever else is in the cluster: as far as a slip there would
// change where the pod runs. Claims are volumes by name that its owner adds, as a StatefulSet does. The error names a
// field below "spec".
func Structure(spec *corev1.PodSpec, claims ...string) error {
	steps := []func(*corev1.PodSpec) error{
		checkContainers, checkPorts, checkSelector, checkTolerations, checkSpread, checkWhole,
		func(spec *corev1.PodSpec) error { return checkVolumes(spec, claims) },
	}
	for _, step := range steps {
		if err := step(spec); err != nil {
			return err
		}
	}
	return nil
}

func checkSelector(spec *corev1.PodSpec) error {
	return first(metavalidation.ValidateLabels(spec.NodeSelector, specPath.Child("nodeSelector")))
}

// first of several errors; nil for none.
func first(list field.ErrorList) error {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func checkTolerations(spec *corev1.PodSpec) error {
	for i := range spec.Tolerations {
		t, at := &spec.Tolerations[i], specPath.Child("tolerations").Index(i)
		switch {
		case t.Key != "" && len(metavalidation.ValidateLabelName(t.Key, at.Child("key"))) > 0:
			return first(metavalidation.ValidateLabelName(t.Key, at.Child("key")))
		case t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute:
			return field.Invalid(at.Child("effect"), t.Effect, "only NoExecute may have tolerationSeconds")
		case t.Operator == corev1.TolerationOpExists && t.Value != "":
			return field.Invalid(at.Child("value"), t.Value, "operator Exists has no value")
		}
	}
	return nil
}

func checkSpread(spec *corev1.PodSpec) error {
	type rule struct {
		key  string
		when corev1.UnsatisfiableConstraintAction
	}
	seen := map[rule]bool{}
	for i := range spec.TopologySpreadConstraints {
		s, at := &spec.TopologySpreadConstraints[i], specPath.Child("topologySpreadConstraints").Index(i)
		switch of := (rule{s.TopologyKey, s.WhenUnsatisfiable}); {
		case seen[of]:
			return field.Duplicate(at, fmt.Sprintf("{%s, %s}", s.TopologyKey, s.WhenUnsatisfiable))
		case s.MinDomains != nil && s.WhenUnsatisfiable != corev1.DoNotSchedule:
			return field.Invalid(at.Child("minDomains"), *s.MinDomains, "only DoNotSchedule may have it")
		default:
			seen[of] = true
		}
		if err := checkLabelKeys(at.Child("matchLabelKeys"), s.MatchLabelKeys, s.LabelSelector); err != nil {
			return err
		}
	}
	return nil
}

func checkLabelKeys(at *field.Path, keys []string, selector *metav1.LabelSelector) error {
	if len(keys) > 0 && selector == nil {
		return field.Forbidden(at, "labelSelector is missing, to which they would be added")
	}
	for i, key := range keys {
		if errs := metavalidation.ValidateLabelName(key, at.Index(i)); len(errs) > 0 {
			return errs[0]
		}
	}
	return nil
}

// checkWhole refuses resources that only containers can ask for.
func checkWhole(spec *corev1.PodSpec) error {
	if spec.Resources == nil {
		return nil
	}
	return checkResources(specPath.Child("resources"), spec.Resources, true)
}

func checkVolumes(spec *corev1.PodSpec, claims []string) error {
	names := map[string]bool{}
	for i := range spec.Volumes {
		v, at := &spec.Volumes[i], specPath.Child("volumes").Index(i)
		switch {
		case v.Name == "":
			return field.Required(at.Child("name"), "")
		case names[v.Name]:
			return field.Duplicate(at.Child("name"), v.Name)
		case v.PersistentVolumeClaim != nil && v.PersistentVolumeClaim.ClaimName == "":
			return field.Required(at.Child("persistentVolumeClaim", "claimName"), "")
		case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate == nil:
			return field.Required(at.Child("ephemeral", "volumeClaimTemplate"), "")
		}
		names[v.Name] = true
		if v.Ephemeral == nil {
			continue
		}
		in := at.Child("ephemeral", "volumeClaimTemplate", "spec")
		if err := ClaimStructure(in, &v.Ephemeral.VolumeClaimTemplate.Spec); err != nil {
			return err
		}
	}
	for _, name := range claims {
		names[name] = true
	}
	return eachContainer(&corev1.Pod{Spec: *spec}, func(at *field.Path, c *corev1.Container) error {
		return checkMounts(at, c, names)
	})
}

func checkMounts(at *field.Path, c *corev1.Container, volumes map[string]bool) error {
	for i, m := range c.VolumeMounts {
		if !volumes[m.Name] {
			return field.NotFound(at.Child("volumeMounts").Index(i).Child("name"), m.Name)
		}
	}
	for i, d := range c.VolumeDevices {
		if !volumes[d.Name] {
			return field.NotFound(at.Child("volumeDevices").Index(i).Child("name"), d.Name)
		}
	}
	return nil
}

// ClaimStructure refuses a volume claim that no server keeps. at is where its spec stands.
func ClaimStructure(at *field.Path, spec *corev1.PersistentVolumeClaimSpec) error {
	modes := at.Child("accessModes")
	size, sized := spec.Resources.Requests[corev1.ResourceStorage]
	known := []corev1.PersistentVolumeAccessMode{
		corev1.ReadOnlyMany, corev1.ReadWriteMany, corev1.ReadWriteOnce, corev1.ReadWriteOncePod,
	}
	for i, mode := range spec.AccessModes {
		if !slices.Contains(known, mode) {
			return field.NotSupported(modes.Index(i), mode, known)
		}
	}
	storage := at.Child("resources", "requests").Key(string(corev1.ResourceStorage))
	switch {
	case len(spec.AccessModes) == 0:
		return field.Required(modes, "at least one access mode is required")
	case slices.Contains(spec.AccessModes, corev1.ReadWriteOncePod) && len(spec.AccessModes) > 1:
		return field.Forbidden(modes, "ReadWriteOncePod allows no other mode beside it")
	case !sized:
		return field.Required(storage, "")
	case size.Sign() <= 0:
		return field.Invalid(storage, size.String(), "must be greater than zero")
	}
	return nil
}
