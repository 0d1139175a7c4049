package feasible

import (
	"strings"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Dimensions are what amounts are counted in: a flat vector has an entry for each.
type Dimensions struct {
	// Resources names them: the four that shape.Vector has fields for, then those extended resources that a pod to be
	// placed or a daemon wants, then slots of volume drivers that a pod to be placed takes.
	Resources []string
}

// Flat is a vector by Resources. What has no dimension is left out.
func (dims *Dimensions) Flat(v shape.Vector) []int64 {
	out := make([]int64, len(dims.Resources))
	dims.add(out, &v, 1)
	return out
}

// add adds n times v to sum.
func (dims *Dimensions) add(sum []int64, v *shape.Vector, n int64) {
	sum[0] += n * v.CPU
	sum[1] += n * v.Memory
	sum[2] += n * v.Ephemeral
	sum[3] += n * v.Pods
	if len(v.Extended) == 0 {
		return
	}
	for i, name := range dims.Resources[4:] {
		sum[4+i] += n * v.Get(name)
	}
}

// Vector is Flat's inverse.
func (dims *Dimensions) Vector(flat []int64) shape.Vector {
	v := shape.Vector{CPU: flat[0], Memory: flat[1], Ephemeral: flat[2], Pods: flat[3]}
	for i, name := range dims.Resources[4:] {
		if flat[4+i] != 0 && !strings.HasPrefix(name, attachPrefix) {
			v.Extended = append(v.Extended, shape.Amount{Resource: name, Value: flat[4+i]})
		}
	}
	return v
}

// driver is the dimension of a CSI driver's slots, -1 if no pod to be placed takes any.
func (dims *Dimensions) driver(name string) int {
	for d := len(dims.Resources) - 1; d >= 4; d-- {
		if driver, ok := strings.CutPrefix(dims.Resources[d], attachPrefix); ok && driver == name {
			return d
		}
	}
	return -1
}

// slots writes how many volumes of each driver a machine can attach.
func (dims *Dimensions) slots(room []int64, limits []shape.Amount) {
	for d := len(dims.Resources) - 1; d >= 4; d-- {
		driver, ok := strings.CutPrefix(dims.Resources[d], attachPrefix)
		if !ok {
			return
		}
		room[d] = unlimited
		for _, l := range limits {
			if l.Resource == driver {
				room[d] = l.Value
			}
		}
	}
}

// Short is the first resource that room has too little of.
func (dims *Dimensions) Short(need, room []int64, kind Kind) (Reason, bool) {
	for d, n := range need {
		if n > 0 && n > room[d] {
			if driver, ok := strings.CutPrefix(dims.Resources[d], attachPrefix); ok {
				return Reason{Kind: NoAttach, Key: driver, Need: n, Have: max(room[d], 0)}, false
			}
			return Reason{Kind: kind, Resource: dims.Resources[d], Need: n, Have: max(room[d], 0)}, false
		}
	}
	return Reason{}, true
}
