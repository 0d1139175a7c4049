package provider

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// MaxAmount is where amounts saturate, in base units: a pebibyte, or a trillion cores. Sums of
// thousands of them stay within an int64.
const MaxAmount = 1 << 50

// Amount is a quantity in base units, rounded up, from -MaxAmount to MaxAmount.
func Amount(q *resource.Quantity, scale resource.Scale) int64 {
	// Quantities far outside of int64 come back from ScaledValue as anything, 0 included.
	rough := q.AsApproximateFloat64()
	if scale == resource.Milli {
		rough *= 1000
	}
	switch {
	case rough >= MaxAmount:
		return MaxAmount
	case rough <= -MaxAmount:
		return -MaxAmount
	}
	return q.ScaledValue(scale)
}

// ScaleOf is the base unit of a resource: milli-cores of cpu, bytes, pieces.
func ScaleOf(name corev1.ResourceName) resource.Scale {
	if name == corev1.ResourceCPU {
		return resource.Milli
	}
	return 0
}
