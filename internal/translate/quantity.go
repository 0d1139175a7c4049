package translate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// ceil is a quantity in base units, rounded up and saturated.
func ceil(q *resource.Quantity, scale resource.Scale) int64 { return provider.Amount(q, scale) }

// floor is a quantity in base units, rounded down and saturated.
func floor(q *resource.Quantity, scale resource.Scale) int64 {
	negative := q.DeepCopy()
	negative.Neg()
	return -ceil(&negative, scale)
}

// Offered is what a node or an instance type has, rounded down. Negative amounts count as nothing.
func Offered(list corev1.ResourceList) shape.Vector {
	return vectorOf(list, func(q *resource.Quantity, s resource.Scale) int64 { return max(floor(q, s), 0) })
}

// Asked is what is asked for, rounded up.
func Asked(list corev1.ResourceList) shape.Vector { return vectorOf(list, ceil) }

func vectorOf(list corev1.ResourceList, round func(*resource.Quantity, resource.Scale) int64) shape.Vector {
	var v shape.Vector
	for name, q := range list {
		addTo(&v, name, round(&q, provider.ScaleOf(name)))
	}
	sortExtended(&v)
	return v
}

// addTo adds n of a resource. Extended is written to and left unsorted.
func addTo(v *shape.Vector, name corev1.ResourceName, n int64) {
	switch name {
	case corev1.ResourceCPU:
		v.CPU += n
	case corev1.ResourceMemory:
		v.Memory += n
	case corev1.ResourceEphemeralStorage:
		v.Ephemeral += n
	case corev1.ResourcePods:
		v.Pods += n
	default:
		if n == 0 {
			return
		}
		for i := range v.Extended {
			if v.Extended[i].Resource == string(name) {
				v.Extended[i].Value += n
				return
			}
		}
		v.Extended = append(v.Extended, shape.Amount{Resource: string(name), Value: n})
	}
}

func sortExtended(v *shape.Vector) {
	if len(v.Extended) > 1 {
		slices.SortFunc(v.Extended, func(a, b shape.Amount) int { return cmp.Compare(a.Resource, b.Resource) })
	}
}
