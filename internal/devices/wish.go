package devices

import (
	"encoding/json"
	"fmt"

	resourcev1 "k8s.io/api/resource/v1"
)

// maxDevices is how many devices one claim may ask for: more are never allocated.
const maxDevices = resourcev1.AllocationResultsMaxSize

// wish says which devices are wanted.
type wish struct {
	key         string
	class       string
	expressions []string // all must hold
	tolerations []resourcev1.DeviceToleration
	capacity    *resourcev1.CapacityRequirements
}

// ask is one request of a claim: so many devices that one of its wishes selects.
type ask struct {
	wishes []*wish
	count  int64 // at least
	admin  bool
	all    bool
}

// asksOf reads a claim's requests. The error says why no device can be allocated.
func (w *World) asksOf(spec *resourcev1.ResourceClaimSpec) (out []ask, err error) {
	total := int64(0)
	for i := range spec.Devices.Requests {
		a, err := w.askOf(&spec.Devices.Requests[i])
		if err != nil {
			return nil, fmt.Errorf("request %q: %w", spec.Devices.Requests[i].Name, err)
		}
		total += a.count
		out = append(out, a)
	}
	if total > maxDevices {
		return nil, fmt.Errorf("requests %d total devices, exceeding maximum of %d", total, maxDevices)
	}
	return out, nil
}

func (w *World) askOf(r *resourcev1.DeviceRequest) (ask, error) {
	if e := r.Exactly; e != nil {
		one, err := w.wishOf(e.DeviceClassName, e.Selectors, e.Tolerations, e.Capacity)
		a := ask{wishes: []*wish{one}, count: max(e.Count, 1), admin: e.AdminAccess != nil && *e.AdminAccess}
		if a.all = e.AllocationMode == resourcev1.DeviceAllocationModeAll; a.all {
			a.count = 1
		}
		return a, err
	}
	if len(r.FirstAvailable) == 0 {
		return ask{}, fmt.Errorf("only Exactly and FirstAvailable requests are supported")
	}
	a := ask{}
	for i := range r.FirstAvailable {
		sub := &r.FirstAvailable[i]
		one, err := w.wishOf(sub.DeviceClassName, sub.Selectors, sub.Tolerations, sub.Capacity)
		if err != nil {
			return a, err
		}
		count := max(sub.Count, 1)
		if sub.AllocationMode == resourcev1.DeviceAllocationModeAll {
			a.all, count = true, 1
		}
		if i == 0 || count < a.count {
			a.count = count
		}
		a.wishes = append(a.wishes, one)
	}
	return a, nil
}

func (w *World) wishOf(
	class string,
	selectors []resourcev1.DeviceSelector,
	tolerations []resourcev1.DeviceToleration,
	capacity *resourcev1.CapacityRequirements,
) (*wish, error) {
	object := w.classes[class]
	if object == nil {
		return nil, fmt.Errorf("DeviceClass %q not found", class)
	}
	out := &wish{class: class, tolerations: tolerations, capacity: capacity}
	for _, list := range [][]resourcev1.DeviceSelector{object.Spec.Selectors, selectors} {
		for _, s := range list {
			if s.CEL == nil {
				return nil, fmt.Errorf("unsupported selector type (only CEL is supported)")
			}
			out.expressions = append(out.expressions, s.CEL.Expression)
		}
	}
	text, _ := json.Marshal([]any{out.expressions, tolerations}) // plain data: it cannot fail
	out.key = string(text)
	_, err := w.library.selected(out)
	return out, err
}

// bits is what any of the wishes selects.
func (w *World) bits(a *ask) (out []uint64) {
	for _, one := range a.wishes {
		bits, _ := w.library.selected(one) // its error was told when the wish was read
		for i, word := range bits {
			if i == len(out) {
				out = append(out, 0)
			}
			out[i] |= word
		}
	}
	return out
}
