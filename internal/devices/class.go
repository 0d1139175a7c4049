package devices

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
)

// deviceClasses are a cluster's, and those made up for devices that are handed out by a plugin and a driver.
type deviceClasses struct {
	classes map[string]*resourcev1.DeviceClass
	served  map[string]string // extended resource to device class
}

// newDeviceClasses notes which extended resources are served. Of several classes for one the youngest serves it, and
// of those the one whose name comes first.
func newDeviceClasses(list []*resourcev1.DeviceClass) deviceClasses {
	w := deviceClasses{
		classes: make(map[string]*resourcev1.DeviceClass, len(list)),
		served:  map[string]string{},
	}
	sorted := slices.SortedFunc(slices.Values(list), func(a, b *resourcev1.DeviceClass) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(b.Name, a.Name))
	})
	for _, c := range sorted {
		w.classes[c.Name] = c
		w.served[resourcev1.ResourceDeviceClassPrefix+c.Name] = c.Name
		if name := c.Spec.ExtendedResourceName; name != nil && *name != "" {
			w.served[*name] = c.Name
		}
	}
	for resource, driver := range linked {
		name := linkedClass(driver)
		w.classes[name] = classOfDriver(name, driver)
		if w.served[resource] == "" {
			w.served[resource] = name
		}
	}
	return w
}

// List and Get make it a lister of device classes.
func (w deviceClasses) List() ([]*resourcev1.DeviceClass, error) { return nil, nil }

// Get finds a device class.
func (w deviceClasses) Get(name string) (*resourcev1.DeviceClass, error) {
	if c := w.classes[name]; c != nil {
		return c, nil
	}
	return nil, notFound(name)
}

// Serves reports whether devices stand behind an extended resource where no device plugin offers it.
func (w deviceClasses) Serves(resource corev1.ResourceName) bool {
	class := w.served[string(resource)]
	return class != "" && class != linkedClass(linked[string(resource)])
}

// linked are extended resources and the drivers that hand out the same devices: who takes the one takes the other.
var linked = map[string]string{
	"nvidia.com/gpu":        "gpu.nvidia.com",
	"vpc.amazonaws.com/efa": "dra.net",
}

// linkedClass names the made-up class of all devices of a driver; no API server takes such a name.
func linkedClass(driver string) string { return "device:" + driver }

func classOfDriver(name, driver string) *resourcev1.DeviceClass {
	c := &resourcev1.DeviceClass{}
	c.Name = name
	c.Spec.Selectors = []resourcev1.DeviceSelector{
		{CEL: &resourcev1.CELDeviceSelector{Expression: "device.driver == '" + driver + "'"}},
	}
	return c
}
