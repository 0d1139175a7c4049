package shape

import (
	"cmp"
	"slices"
)

// Names of the resources that every Vector has a field for.
const (
	CPU       = "cpu"
	Memory    = "memory"
	Ephemeral = "ephemeral-storage"
	Pods      = "pods"
)

// Vector is an amount of each resource: what a pod asks for, or what a node has.
// The zero Vector is nothing of anything.
type Vector struct {
	CPU       int64 `json:"cpu,omitempty"`       // milli-cores
	Memory    int64 `json:"memory,omitempty"`    // bytes
	Ephemeral int64 `json:"ephemeral,omitempty"` // bytes
	Pods      int64 `json:"pods,omitempty"`      // a pod's own request is 1

	// Extended holds all other resources, ascending by name, without zeros.
	// The slice is shared between Vectors and never written to.
	Extended []Amount `json:"extended,omitempty"`
}

// Amount is so much of one named resource, in base units (bytes for hugepages, devices for GPUs).
type Amount struct {
	Resource string `json:"resource"`
	Value    int64  `json:"value"`
}

// Get is the amount of one resource, 0 if there is none.
func (v Vector) Get(resource string) int64 {
	switch resource {
	case CPU:
		return v.CPU
	case Memory:
		return v.Memory
	case Ephemeral:
		return v.Ephemeral
	case Pods:
		return v.Pods
	}
	i, ok := slices.BinarySearchFunc(v.Extended, resource, func(a Amount, name string) int {
		return cmp.Compare(a.Resource, name)
	})
	if !ok {
		return 0
	}
	return v.Extended[i].Value
}

// Add is v + w.
func (v Vector) Add(w Vector) Vector { return v.combine(w, 1) }

// Sub is v - w. Results below zero are kept: they mean overcommitted.
func (v Vector) Sub(w Vector) Vector { return v.combine(w, -1) }

// Times is n copies of v.
func (v Vector) Times(n int64) Vector { return Vector{}.combine(v, n) }

// Fits reports whether v is at most room in every resource. Only what v asks for
// counts: a node that is overcommitted in a resource still takes pods that want none of it.
func (v Vector) Fits(room Vector) bool {
	_, short := v.Short(room)
	return !short
}

// Short names the first resource of which v wants more than room has: cpu, memory,
// ephemeral-storage, pods, then extended resources by name.
func (v Vector) Short(room Vector) (resource string, short bool) {
	switch {
	case v.CPU > 0 && v.CPU > room.CPU:
		return CPU, true
	case v.Memory > 0 && v.Memory > room.Memory:
		return Memory, true
	case v.Ephemeral > 0 && v.Ephemeral > room.Ephemeral:
		return Ephemeral, true
	case v.Pods > 0 && v.Pods > room.Pods:
		return Pods, true
	}
	for _, a := range v.Extended {
		if a.Value > 0 && a.Value > room.Get(a.Resource) {
			return a.Resource, true
		}
	}
	return "", false
}

// IsZero reports whether there is nothing of anything.
func (v Vector) IsZero() bool {
	return v.CPU == 0 && v.Memory == 0 && v.Ephemeral == 0 && v.Pods == 0 && len(v.Extended) == 0
}

// Each calls f for every resource of which v has some, in Short's order.
func (v Vector) Each(f func(resource string, value int64)) {
	for _, a := range [...]Amount{{CPU, v.CPU}, {Memory, v.Memory}, {Ephemeral, v.Ephemeral}, {Pods, v.Pods}} {
		if a.Value != 0 {
			f(a.Resource, a.Value)
		}
	}
	for _, a := range v.Extended {
		f(a.Resource, a.Value)
	}
}

// combine is v + n*w. The result shares no slice with w unless v has no extended resources and n is 1.
func (v Vector) combine(w Vector, n int64) Vector {
	sum := Vector{
		CPU:       v.CPU + n*w.CPU,
		Memory:    v.Memory + n*w.Memory,
		Ephemeral: v.Ephemeral + n*w.Ephemeral,
		Pods:      v.Pods + n*w.Pods,
	}
	switch {
	case len(w.Extended) == 0:
		sum.Extended = v.Extended
	case len(v.Extended) == 0 && n == 1:
		sum.Extended = w.Extended
	default:
		sum.Extended = mergeAmounts(v.Extended, w.Extended, n)
	}
	return sum
}

func mergeAmounts(a, b []Amount, n int64) []Amount {
	out := make([]Amount, 0, len(a)+len(b))
	add := func(name string, value int64) {
		if value != 0 {
			out = append(out, Amount{name, value})
		}
	}
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Resource < b[0].Resource:
			add(a[0].Resource, a[0].Value)
			a = a[1:]
		case len(a) == 0 || b[0].Resource < a[0].Resource:
			add(b[0].Resource, n*b[0].Value)
			b = b[1:]
		default:
			add(a[0].Resource, a[0].Value+n*b[0].Value)
			a, b = a[1:], b[1:]
		}
	}
	return out
}
