package objects

import (
	"maps"
	"slices"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
)

// Inventory holds the cluster's dynamic resources. The zero Inventory is one of which nobody plans.
type Inventory struct {
	On      bool // whether claims for devices are planned
	library *devices.Library
	sold    func(instanceType string) []*resourcev1.ResourceSlice
	Learned devices.Learned // what nodes have published so far

	claims    map[types.NamespacedName]*resourcev1.ResourceClaim
	templates map[types.NamespacedName]*resourcev1.ResourceClaimTemplate
	slices    map[string]*resourcev1.ResourceSlice
	classes   map[string]*resourcev1.DeviceClass

	world *devices.World // nil when objects have changed since
}

// NewInventory makes an empty Inventory that is planned with; see devices.Objects for sold.
func NewInventory(sold func(string) []*resourcev1.ResourceSlice) Inventory {
	return Inventory{
		On: true, library: devices.NewLibrary(), sold: sold,
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

// Change notes that an object is there, or gone.
func (i *Inventory) Change(object client.Object, there bool) Change {
	if !i.On {
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

// Known is what plans need to know; nil if nobody plans. What nodes publish is learned on the way.
func (i *Inventory) Known(nodes []*shape.Node) *devices.World {
	if !i.On {
		return nil
	}
	if i.world == nil {
		i.world = devices.New(devices.Objects{
			Claims:    slices.Collect(maps.Values(i.claims)),
			Templates: slices.Collect(maps.Values(i.templates)),
			Slices:    i.sorted(),
			Classes:   slices.Collect(maps.Values(i.classes)),
			Sold:      i.sold,
			Learned:   i.Learned,
		}, i.library)
	}
	i.world = i.world.Learn(nodes)
	i.Learned = i.world.Learned()
	return i.world
}

// sorted are the slices by name: the allocator tries them in their order.
func (i *Inventory) sorted() []*resourcev1.ResourceSlice {
	out := make([]*resourcev1.ResourceSlice, 0, len(i.slices))
	for _, name := range slices.Sorted(maps.Keys(i.slices)) {
		out = append(out, i.slices[name])
	}
	return out
}

// Served reports whether kube-scheduler allocates devices for pods of a class.
func (i *Inventory) Served(c *shape.Class) bool { return i.On && i.Known(nil).Concerns(c) }
