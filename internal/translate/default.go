package translate

import (
	"fmt"
	"maps"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// ReadDefaults reads the constraints that kube-scheduler is configured to put on pods without any of
// their own, from YAML or JSON:
//
//	podTopologySpread:
//	  defaultConstraints:
//	    - {maxSkew: 1, topologyKey: topology.kubernetes.io/zone, whenUnsatisfiable: DoNotSchedule}
//
// The empty text has none. Selectors are not allowed: they follow from what owns and serves a pod.
func ReadDefaults(text string) ([]corev1.TopologySpreadConstraint, error) {
	var config struct {
		Spread struct {
			Constraints []corev1.TopologySpreadConstraint `json:"defaultConstraints"`
		} `json:"podTopologySpread"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &config); err != nil {
		return nil, fmt.Errorf("reading the scheduler's configuration: %w", err)
	}
	type identity struct {
		key    string
		action corev1.UnsatisfiableConstraintAction
	}
	seen := map[identity]bool{}
	at := field.NewPath("podTopologySpread", "defaultConstraints")
	for i := range config.Spread.Constraints {
		c := &config.Spread.Constraints[i]
		at := at.Index(i)
		if err := checkSpread(at, c); err != nil {
			return nil, err
		}
		id := identity{c.TopologyKey, c.WhenUnsatisfiable}
		switch {
		case c.LabelSelector != nil:
			return nil, field.Forbidden(at.Child("labelSelector"), "it follows from what owns and serves a pod")
		case len(c.MatchLabelKeys) > 0:
			return nil, field.Forbidden(
				at.Child("matchLabelKeys"),
				"the selector follows from what owns and serves a pod",
			)
		case seen[id]:
			return nil, field.Duplicate(at, fmt.Sprintf("{%s, %s}", c.TopologyKey, c.WhenUnsatisfiable))
		}
		seen[id] = true
	}
	return config.Spread.Constraints, nil
}

// Workload names an object that owns pods.
type Workload struct {
	Kind string
	types.NamespacedName
}

// WorkloadOf reads the selector of a ReplicaSet, StatefulSet or ReplicationController; ok is false for others.
func WorkloadOf(object runtime.Object) (w Workload, selector *metav1.LabelSelector, ok bool) {
	switch o := object.(type) {
	case *appsv1.ReplicaSet:
		return Workload{
			"ReplicaSet",
			types.NamespacedName{Namespace: o.Namespace, Name: o.Name},
		}, o.Spec.Selector, true
	case *appsv1.StatefulSet:
		return Workload{
			"StatefulSet",
			types.NamespacedName{Namespace: o.Namespace, Name: o.Name},
		}, o.Spec.Selector, true
	case *corev1.ReplicationController:
		return Workload{
				"ReplicationController",
				types.NamespacedName{Namespace: o.Namespace, Name: o.Name},
			}, &metav1.LabelSelector{
				MatchLabels: o.Spec.Selector,
			}, true
	}
	return w, nil, false
}

// deduced is the selector of the constraints that a pod gets by default: the labels by which services
// and its owner select it. Empty if it gets none.
func (in *Interner) deduced(pod *corev1.Pod) []shape.Requirement {
	if len(in.world.Defaults) == 0 || len(pod.Spec.TopologySpreadConstraints) > 0 {
		return nil
	}
	wanted := map[string]string{}
	services := in.world.Services[pod.Namespace]
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if selector := services[name]; selects(selector, pod.Labels) {
			maps.Copy(wanted, selector)
		}
	}
	var out []shape.Requirement
	for key, value := range wanted {
		out = append(out, shape.Requirement{Key: key, Operator: shape.In, Values: []string{value}})
	}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		w := Workload{owner.Kind, types.NamespacedName{Namespace: pod.Namespace, Name: owner.Name}}
		if s, err := selectorOf(nil, "", in.world.Workloads[w]); err == nil && !s.Nothing {
			out = append(out, s.Requirements...)
		}
	}
	return sortRequirements(out)
}

// selects reports whether a service's selector chooses a pod. One that is nil chooses none.
func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if have, ok := labels[key]; !ok || have != value {
			return false
		}
	}
	return selector != nil
}

// ObserveDefaults notes the labels that services and owners look at, and reports whether any is new. They count only
// when there are default constraints.
func (in *Interner) ObserveDefaults(selectors ...*metav1.LabelSelector) (grew bool) {
	if len(in.world.Defaults) == 0 {
		return false
	}
	before := len(in.observed)
	for _, s := range selectors {
		in.observeSelector(s)
	}
	if len(in.observed) == before {
		return false
	}
	in.Reset()
	return true
}

func (d *digest) requirements(list []shape.Requirement) {
	for _, r := range list {
		d.text(r.Key)
		d.word(uint64(r.Operator))
		d.texts(r.Values)
	}
}

func sameRequirements(a, b []shape.Requirement) bool {
	return slices.EqualFunc(a, b, func(x, y shape.Requirement) bool { return compareRequirements(x, y) == 0 })
}

// PutService notes what a service selects.
func (w *World) PutService(s *corev1.Service) {
	if w.Services[s.Namespace] == nil {
		w.Services[s.Namespace] = map[string]map[string]string{}
	}
	w.Services[s.Namespace][s.Name] = s.Spec.Selector
}
