package devices

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Objects are a cluster's dynamic resources. They must not be changed afterwards.
type Objects struct {
	Claims    []*resourcev1.ResourceClaim
	Templates []*resourcev1.ResourceClaimTemplate
	Slices    []*resourcev1.ResourceSlice
	Classes   []*resourcev1.DeviceClass

	// Sold says what the drivers of a new node of an instance type will publish, as far as the cloud knows: slices
	// without a name, of no node, with names of pools that are unique on a node. nil means that no cloud knows.
	Sold func(instanceType string) []*resourcev1.ResourceSlice

	// Learned are what nodes published, which wins over what is sold.
	Learned Learned
}

// annotationPodClaim says for which entry of spec.resourceClaims a claim was made from a template.
const annotationPodClaim = "resource.kubernetes.io/pod-claim-name"

// World is what of a cluster's dynamic resources plans depend on. It never changes, and is safe for concurrent use.
type World struct {
	library   *Library
	claims    map[types.NamespacedName]*resourcev1.ResourceClaim
	templates map[types.NamespacedName]*resourcev1.ResourceClaimTemplate
	made      map[made]*resourcev1.ResourceClaim
	classes   map[string]*resourcev1.DeviceClass
	served    map[string]string // extended resource to device class
	local     map[string][]*resourcev1.ResourceSlice
	common    []*resourcev1.ResourceSlice // that are not one node's
	bound     bool                        // some of common are for some nodes only
	taken     ledger
	sold      func(instanceType string) []*resourcev1.ResourceSlice
	learned   Learned
}

// made names a claim that was made for a pod.
type made struct {
	pod   shape.PodID
	entry string // of spec.resourceClaims
}

// New indexes objects. A nil library means one of its own.
func New(o Objects, library *Library) *World {
	if library == nil {
		library = NewLibrary()
	}
	w := &World{
		library:   library,
		claims:    make(map[types.NamespacedName]*resourcev1.ResourceClaim, len(o.Claims)),
		templates: make(map[types.NamespacedName]*resourcev1.ResourceClaimTemplate, len(o.Templates)),
		made:      map[made]*resourcev1.ResourceClaim{},
		classes:   make(map[string]*resourcev1.DeviceClass, len(o.Classes)),
		served:    map[string]string{},
		local:     map[string][]*resourcev1.ResourceSlice{},
		taken:     ledger{},
		sold:      o.Sold,
		learned:   o.Learned,
	}
	for _, c := range o.Claims {
		w.addClaim(c)
	}
	for _, t := range o.Templates {
		w.templates[types.NamespacedName{Namespace: t.Namespace, Name: t.Name}] = t
	}
	w.addClasses(o.Classes)
	for _, s := range o.Slices {
		w.addSlice(s)
	}
	return w
}

func (w *World) addClaim(c *resourcev1.ResourceClaim) {
	w.claims[types.NamespacedName{Namespace: c.Namespace, Name: c.Name}] = c
	if owner := metav1.GetControllerOf(c); owner != nil && owner.Kind == "Pod" {
		w.made[made{shape.PodID(c.Namespace + "/" + owner.Name), c.Annotations[annotationPodClaim]}] = c
	}
	if c.Status.Allocation != nil {
		w.taken.add(c.Status.Allocation.Devices.Results)
	}
}

// addClasses notes which extended resources are served. Of several classes for one the youngest serves it, and of
// those the one whose name comes first.
func (w *World) addClasses(list []*resourcev1.DeviceClass) {
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
}

func (w *World) addSlice(s *resourcev1.ResourceSlice) {
	if name := s.Spec.NodeName; name != nil && *name != "" {
		w.local[*name] = append(w.local[*name], s)
		return
	}
	w.common = append(w.common, s)
	w.bound = w.bound || s.Spec.NodeSelector != nil || s.Spec.PerDeviceNodeSelection != nil
}

// List and Get make World a lister of device classes.
func (w *World) List() ([]*resourcev1.DeviceClass, error) { return nil, nil }

// Get finds a device class.
func (w *World) Get(name string) (*resourcev1.DeviceClass, error) {
	if c := w.classes[name]; c != nil {
		return c, nil
	}
	return nil, notFound(name)
}

// Serves reports whether devices stand behind an extended resource where no device plugin offers it.
func (w *World) Serves(resource corev1.ResourceName) bool {
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
