package admission

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resources "k8s.io/component-helpers/resource"
)

// specPath is where an error's fields are.
var specPath = field.NewPath("spec")

// eachContainer calls f for every container until it fails, with the path of the container.
func eachContainer(pod *corev1.Pod, f func(at *field.Path, c *corev1.Container) error) error {
	for i := range pod.Spec.InitContainers {
		c := &pod.Spec.InitContainers[i]
		if err := f(specPath.Child("initContainers").Key(c.Name), c); err != nil {
			return err
		}
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		if err := f(specPath.Child("containers").Key(c.Name), c); err != nil {
			return err
		}
	}
	return nil
}

// validate refuses requests beyond limits, to which defaults of a LimitRange lead more often than hands do.
func validate(pod *corev1.Pod) error {
	err := eachContainer(pod, func(at *field.Path, c *corev1.Container) error {
		return withinLimits(at.Child("resources"), &c.Resources)
	})
	if err != nil || pod.Spec.Resources == nil {
		return err
	}
	at := specPath.Child("resources")
	if err := withinLimits(at, pod.Spec.Resources); err != nil {
		return err
	}
	return withinWhole(at, pod)
}

func withinLimits(at *field.Path, r *corev1.ResourceRequirements) error {
	for _, name := range sorted(r.Requests) {
		asked := r.Requests[name]
		limit, limited := r.Limits[name]
		switch {
		case limited && whole(name) && limit.Cmp(asked) != 0:
			return field.Invalid(
				at.Child("requests").Key(string(name)),
				asked.String(),
				"it must be the limit, "+limit.String(),
			)
		case limited && less(limit, asked):
			return field.Invalid(
				at.Child("requests").Key(string(name)),
				asked.String(),
				"it is more than the limit, "+limit.String(),
			)
		case !limited && whole(name):
			return field.Required(
				at.Child("limits").Key(string(name)),
				"of this resource the limit must be given, too",
			)
		}
	}
	var pages, others bool
	for name := range merged(r.Requests, r.Limits) {
		pages = pages || hugePages(name)
		others = others || name == corev1.ResourceCPU || name == corev1.ResourceMemory
	}
	if pages && !others {
		return field.Forbidden(at, "huge pages are given only to those that ask for cpu or memory, too")
	}
	return nil
}

// withinWhole holds what containers say against what the pod says as a whole.
func withinWhole(at *field.Path, pod *corev1.Pod) error {
	r := pod.Spec.Resources
	requests := resources.AggregateContainerRequests(pod, resources.PodResourcesOptions{})
	for _, name := range sorted(requests) {
		sum := requests[name]
		if most, given := r.Requests[name]; given && less(most, sum) {
			return field.Invalid(
				at.Child("requests").Key(string(name)),
				most.String(),
				"the containers together ask for more, "+sum.String(),
			)
		}
	}
	limits := resources.AggregateContainerLimits(pod, resources.PodResourcesOptions{})
	for _, name := range sorted(limits) {
		sum := limits[name]
		if most, given := r.Limits[name]; given && hugePages(name) && less(most, sum) {
			return field.Invalid(
				at.Child("limits").Key(string(name)),
				most.String(),
				"the limits of the containers together are more, "+sum.String(),
			)
		}
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		for _, name := range sorted(c.Resources.Limits) {
			limit := c.Resources.Limits[name]
			if most, given := r.Limits[name]; given && less(most, limit) {
				return field.Invalid(
					at.Child("limits").Key(string(name)),
					most.String(),
					fmt.Sprintf("the limit of container %s is more, %s", c.Name, limit.String()),
				)
			}
		}
	}
	return nil
}
