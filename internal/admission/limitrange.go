package admission

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resources "k8s.io/component-helpers/resource"
)

// of are the LimitRanges of a namespace by name. A server takes them in no order that anybody could know.
func (r *Rules) of(namespace string) []*corev1.LimitRange {
	var out []*corev1.LimitRange
	for _, name := range slices.Sorted(maps.Keys(r.LimitRanges[namespace])) {
		out = append(out, r.LimitRanges[namespace][name])
	}
	return out
}

// defaultsOf are the limits and requests that containers get from one LimitRange, with what a server fills in when it
// keeps it: a default limit follows from the maximum, a default request from the default limit, else from the minimum.
// The last of several items about containers counts.
func defaultsOf(l *corev1.LimitRange) (limits, requests corev1.ResourceList) {
	limits, requests = corev1.ResourceList{}, corev1.ResourceList{}
	for i := range l.Spec.Limits {
		item := &l.Spec.Limits[i]
		if item.Type != corev1.LimitTypeContainer {
			continue
		}
		most := merged(item.Default, item.Max)
		maps.Copy(limits, most)
		maps.Copy(requests, merged(merged(item.DefaultRequest, most), item.Min))
	}
	return limits, requests
}

// applyDefaults gives containers, those that run before the others too, what they leave open.
func applyDefaults(pod *corev1.Pod, l *corev1.LimitRange) {
	limits, requests := defaultsOf(l)
	for _, list := range []*[]corev1.Container{&pod.Spec.InitContainers, &pod.Spec.Containers} {
		*list = withResources(*list, func(r *corev1.ResourceRequirements) {
			r.Limits = merged(r.Limits, limits)
			r.Requests = merged(r.Requests, requests)
		})
	}
}

// checkPod refuses pods that a LimitRange does not allow.
func checkPod(pod *corev1.Pod, l *corev1.LimitRange) error {
	for i := range l.Spec.Limits {
		item := &l.Spec.Limits[i]
		switch item.Type {
		case corev1.LimitTypeContainer:
			err := eachContainer(pod, func(at *field.Path, c *corev1.Container) error {
				return refused(at.Child("resources"), l, bounds(item, c.Resources.Requests, c.Resources.Limits))
			})
			if err != nil {
				return err
			}
		case corev1.LimitTypePod:
			// Overhead is no part of what LimitRanges look at.
			options := resources.PodResourcesOptions{ExcludeOverhead: true}
			if err := refused(
				specPath,
				l,
				bounds(item, resources.PodRequests(pod, options), resources.PodLimits(pod, options)),
			); err != nil {
				return err
			}
		}
	}
	return nil
}

// refused says at which field and by which LimitRange; nil for no error.
func refused(at *field.Path, by *corev1.LimitRange, err error) error {
	if err == nil {
		return nil
	}
	return field.Forbidden(at, fmt.Sprintf("LimitRange %s: %v", by.Name, err))
}

// Claim refuses a volume claim that a LimitRange of its namespace does not allow.
func (r *Rules) Claim(claim *corev1.PersistentVolumeClaim) error {
	for _, l := range r.of(claim.Namespace) {
		for i := range l.Spec.Limits {
			item := &l.Spec.Limits[i]
			if item.Type != corev1.LimitTypePersistentVolumeClaim {
				continue
			}
			if err := refused(
				specPath.Child("resources"),
				l,
				boundsOfClaim(item, claim.Spec.Resources.Requests),
			); err != nil {
				return err
			}
		}
	}
	return nil
}

func boundsOfClaim(item *corev1.LimitRangeItem, requests corev1.ResourceList) error {
	if err := atLeast(item, requests, nil); err != nil {
		return err
	}
	for _, name := range sorted(item.Max) {
		most := item.Max[name]
		asked, has := requests[name]
		switch {
		case !has:
			return fmt.Errorf("there is no request of %s, of which at most %s are allowed", name, most.String())
		case less(most, asked):
			return fmt.Errorf("the request of %s is %s; at most %s are allowed", name, asked.String(), most.String())
		}
	}
	return nil
}

// bounds holds what a container or pod asks for against one item.
func bounds(item *corev1.LimitRangeItem, requests, limits corev1.ResourceList) error {
	if err := atLeast(item, requests, limits); err != nil {
		return err
	}
	for _, name := range sorted(item.Max) {
		most := item.Max[name]
		limit, has := limits[name]
		asked := requests[name]
		switch {
		case !has:
			return fmt.Errorf("there is no limit of %s, of which at most %s are allowed", name, most.String())
		case less(most, limit):
			return fmt.Errorf("the limit of %s is %s; at most %s are allowed", name, limit.String(), most.String())
		case less(most, asked):
			return fmt.Errorf("the request of %s is %s; at most %s are allowed", name, asked.String(), most.String())
		}
	}
	for _, name := range sorted(item.MaxLimitRequestRatio) {
		if err := ratio(name, item.MaxLimitRequestRatio[name], requests[name], limits[name]); err != nil {
			return err
		}
	}
	return nil
}

func atLeast(item *corev1.LimitRangeItem, requests, limits corev1.ResourceList) error {
	for _, name := range sorted(item.Min) {
		fewest := item.Min[name]
		asked, has := requests[name]
		limit, limited := limits[name]
		switch {
		case !has:
			return fmt.Errorf(
				"there is no request of %s, of which at least %s must be asked for",
				name,
				fewest.String(),
			)
		case less(asked, fewest):
			return fmt.Errorf(
				"the request of %s is %s; it must be at least %s",
				name,
				asked.String(),
				fewest.String(),
			)
		case limited && less(limit, fewest):
			return fmt.Errorf("the limit of %s is %s; it must be at least %s", name, limit.String(), fewest.String())
		}
	}
	return nil
}

// ratio refuses a limit that is more than so many times the request.
func ratio(name corev1.ResourceName, most, request, limit resource.Quantity) error {
	switch {
	case request.IsZero():
		return fmt.Errorf(
			"there is no request of %s, of which the limit may be at most %s times the request",
			name,
			most.String(),
		)
	case limit.IsZero():
		return fmt.Errorf("there is no limit of %s, which may be at most %s times the request", name, most.String())
	case 1000*(float64(limit.MilliValue())/float64(request.MilliValue())) > float64(most.MilliValue()):
		return fmt.Errorf(
			"the limit of %s is %s, more than %s times the request of %s",
			name,
			limit.String(),
			most.String(),
			request.String(),
		)
	}
	return nil
}

func sorted(list corev1.ResourceList) []corev1.ResourceName { return slices.Sorted(maps.Keys(list)) }
