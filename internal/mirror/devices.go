package mirror

import (
	"maps"
	"slices"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// inventory holds the cluster's dynamic resources. The zero inventory is one of which nobody plans.
type inventory struct {
	on      bool
	library *devices.Library
	sold    func(instanceType string) []*resourcev1.ResourceSlice
	learned devices.Learned

	claims    map[types.NamespacedName]*resourcev1.ResourceClaim
	templates map[types.NamespacedName]*resourcev1.ResourceClaimTemplate
	slices    map[string]*resourcev1.ResourceSlice
	classes   map[string]*resourcev1.DeviceClass

	world *devices.World // nil when objects have changed since
}

func newInventory(sold func(string) []*resourcev1.ResourceSlice) inventory {
	return inventory{
		on: true, library: devices.NewLibrary(), sold: sold,
		claims:    map[types.NamespacedName]*resourcev1.ResourceClaim{},
		templates: map[types.NamespacedName]*resourcev1.ResourceClaimTemplate{},
		slices:    map[string]*resourcev1.ResourceSlice{},
		classes:   map[string]*resourcev1.DeviceClass{},
	}
}

// DeviceKinds are the kinds that a Mirror follows as well when it plans dynamic resources.
func DeviceKinds() []client.Object {
	return []client.Object{
		&resourcev1.DeviceClass{},
		&resourcev1.ResourceSlice{},
		&resourcev1.ResourceClaimTemplate{},
		&resourcev1.ResourceClaim{},
	}
}

// change notes that an object is there, or gone.
func (i *inventory) change(object client.Object, there bool) Change {
	if !i.on {
		return 0
	}
	switch o := object.(type) {
	case *resourcev1.ResourceClaim:
		keep(i.claims, keyOf(o), o, there)
	case *resourcev1.ResourceClaimTemplate:
		keep(i.templates, keyOf(o), o, there)
	case *resourcev1.ResourceSlice:
		keep(i.slices, o.Name, o, there)
	case *resourcev1.DeviceClass:
		keep(i.classes, o.Name, o, there)
	default:
		return 0
	}
	i.world = nil
	return Room
}

func keep[K comparable, V any](all map[K]V, key K, object V, there bool) {
	if there {
		all[key] = object
		return
	}
	delete(all, key)
}

// known is what plans need to know; nil if nobody plans. What nodes publish is learned on the way.
func (i *inventory) known(nodes []*shape.Node) *devices.World {
	if !i.on {
		return nil
	}
	if i.world == nil {
		i.world = devices.New(devices.Objects{
			Claims:    slices.Collect(maps.Values(i.claims)),
			Templates: slices.Collect(maps.Values(i.templates)),
			Slices:    i.sorted(),
			Classes:   slices.Collect(maps.Values(i.classes)),
			Sold:      i.sold,
			Learned:   i.learned,
		}, i.library)
	}
	i.world = i.world.Learn(nodes)
	i.learned = i.world.Learned()
	return i.world
}

// sorted are the slices by name: the allocator tries them in their order.
func (i *inventory) sorted() []*resourcev1.ResourceSlice {
	out := make([]*resourcev1.ResourceSlice, 0, len(i.slices))
	for _, name := range slices.Sorted(maps.Keys(i.slices)) {
		out = append(out, i.slices[name])
	}
	return out
}

// served reports whether kube-scheduler allocates devices for pods of a class.
func (i *inventory) served(c *shape.Class) bool { return i.on && i.known(nil).Concerns(c) }

// Devices is what the last Snapshot was shaped by; nil if claims for devices are not planned.
func (m *Mirror) Devices() *devices.World {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.devices.known(m.cutNodes)
}
