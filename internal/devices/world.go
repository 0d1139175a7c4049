package devices

import (
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
	deviceClasses
	published

	library   *Library
	claims    map[types.NamespacedName]*resourcev1.ResourceClaim
	templates map[types.NamespacedName]*resourcev1.ResourceClaimTemplate
	made      map[made]*resourcev1.ResourceClaim
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
		deviceClasses: newDeviceClasses(o.Classes),
		published:     published{local: map[string][]*resourcev1.ResourceSlice{}},

		library:   library,
		claims:    make(map[types.NamespacedName]*resourcev1.ResourceClaim, len(o.Claims)),
		templates: make(map[types.NamespacedName]*resourcev1.ResourceClaimTemplate, len(o.Templates)),
		made:      map[made]*resourcev1.ResourceClaim{},
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
	for _, s := range o.Slices {
		w.published.add(s)
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

// published are the slices of a cluster.
type published struct {
	local  map[string][]*resourcev1.ResourceSlice // by node
	common []*resourcev1.ResourceSlice            // that are not one node's
	bound  bool                                   // some of common are for some nodes only
}

func (w *published) add(s *resourcev1.ResourceSlice) {
	if name := s.Spec.NodeName; name != nil && *name != "" {
		w.local[*name] = append(w.local[*name], s)
		return
	}
	w.common = append(w.common, s)
	w.bound = w.bound || s.Spec.NodeSelector != nil || s.Spec.PerDeviceNodeSelection != nil
}
