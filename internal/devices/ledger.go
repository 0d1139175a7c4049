package devices

import (
	"fmt"
	"maps"
	"slices"

	resourcev1 "k8s.io/api/resource/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/dynamic-resource-allocation/structured"
)

// poolID names a pool of devices.
type poolID struct{ driver, pool string }

// ledger says what has been allocated, by pool.
type ledger map[poolID][]resourcev1.DeviceRequestAllocationResult

// add books results. Admin access takes nothing.
func (l ledger) add(list []resourcev1.DeviceRequestAllocationResult) {
	for _, r := range list {
		if r.AdminAccess == nil || !*r.AdminAccess {
			id := poolID{r.Driver, r.Pool}
			l[id] = append(l[id], r)
		}
	}
}

// copied is l to book further on, without changing l.
func (l ledger) copied() ledger {
	out := make(ledger, len(l))
	for id, list := range l {
		out[id] = list[:len(list):len(list)]
	}
	return out
}

// of is the part of l that concerns slices, to book further on without changing l.
func (l ledger) of(list []*resourcev1.ResourceSlice) ledger {
	out := ledger{}
	for _, s := range list {
		id := poolID{s.Spec.Driver, s.Spec.Pool.Name}
		if taken := l[id]; len(taken) > 0 {
			out[id] = taken[:len(taken):len(taken)]
		}
	}
	return out
}

// reset has l book of the pools of slices what another ledger books of them.
func (l ledger) reset(list []*resourcev1.ResourceSlice, to ledger) {
	for _, s := range list {
		delete(l, poolID{s.Spec.Driver, s.Spec.Pool.Name})
	}
	maps.Copy(l, to.of(list))
}

// equal reports whether both book the same devices of the same pools. How shares are called does not matter.
func (l ledger) equal(other ledger) bool {
	devices := func(list []resourcev1.DeviceRequestAllocationResult) (out []string) {
		for _, r := range list {
			out = append(out, r.Device)
		}
		return out
	}
	return maps.EqualFunc(l, other, func(a, b []resourcev1.DeviceRequestAllocationResult) bool {
		return slices.Equal(devices(a), devices(b))
	})
}

// state is what of it concerns slices, as the allocator reads it.
func (l ledger) state(list []*resourcev1.ResourceSlice) structured.AllocatedState {
	state := structured.AllocatedState{
		AllocatedDevices:         sets.New[structured.DeviceID](),
		AllocatedSharedDeviceIDs: sets.New[structured.SharedDeviceID](),
		AggregatedCapacity:       structured.NewConsumedCapacityCollection(),
	}
	seen := map[poolID]bool{}
	for _, s := range list {
		id := poolID{s.Spec.Driver, s.Spec.Pool.Name}
		if seen[id] {
			continue
		}
		seen[id] = true
		for _, r := range l[id] {
			device := structured.MakeDeviceID(r.Driver, r.Pool, r.Device)
			if r.ShareID == nil {
				state.AllocatedDevices.Insert(device)
				continue
			}
			state.AllocatedSharedDeviceIDs.Insert(structured.MakeSharedDeviceID(device, r.ShareID))
			state.AggregatedCapacity.Insert(structured.NewDeviceConsumedCapacity(device, r.ConsumedCapacity))
		}
	}
	return state
}

func notFound(class string) error {
	return apierrors.NewNotFound(resourcev1.Resource("deviceclasses"), fmt.Sprint(class))
}
