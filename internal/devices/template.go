package devices

import (
	"maps"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Learned is what nodes of a pool and instance type published, a list of slices for each.
type Learned map[Seller][]*resourcev1.ResourceSlice

// Seller is who sells nodes that publish the same devices: a pool and an instance type.
type Seller struct{ Pool, Type string }

// Learned is what is known of what nodes publish.
func (w *World) Learned() Learned { return w.learned }

// Learn is w with what the ready nodes of a Snapshot publish, of which the last by name counts; w itself if that is
// known. Pools that are incomplete teach nothing.
func (w *World) Learn(nodes []*shape.Node) *World {
	var out Learned
	for _, n := range nodes {
		if n.Pool == "" || n.InstanceType == "" || n.Stage != shape.Ready || len(w.local[n.Name]) == 0 {
			continue
		}
		list, by := complete(w.local[n.Name]), Seller{n.Pool, n.InstanceType}
		if len(list) == 0 || alike(w.learned[by], list) {
			continue
		}
		if out == nil {
			out = Learned{}
			maps.Copy(out, w.learned)
		}
		out[by] = list
	}
	if out == nil {
		return w
	}
	own := *w
	own.learned = out
	return &own
}

// alike reports whether two nodes publish as many devices of the same drivers, slice by slice: what was learned of the
// one does for the other.
func alike(a, b []*resourcev1.ResourceSlice) bool {
	return slices.EqualFunc(a, b, func(x, y *resourcev1.ResourceSlice) bool {
		return x == y || x.Spec.Driver == y.Spec.Driver &&
			apiequality.Semantic.DeepEqual(unnamed(x.Spec.Devices), unnamed(y.Spec.Devices)) &&
			apiequality.Semantic.DeepEqual(x.Spec.SharedCounters, y.Spec.SharedCounters)
	})
}

// unnamed are devices without what names the single one.
func unnamed(list []resourcev1.Device) []resourcev1.Device {
	out := make([]resourcev1.Device, len(list))
	for i, d := range list {
		out[i] = impersonal(d)
	}
	return out
}

// soldBy is what a new node is expected to publish, by driver: what nodes of the kind published, or else what the cloud
// says.
func (w *World) soldBy(s Seller) []*resourcev1.ResourceSlice {
	seen := w.learned[s]
	if w.sold == nil {
		return seen
	}
	out := slices.Clone(seen)
	for _, slice := range w.sold(s.Type) {
		if !publishes(seen, slice.Spec.Driver) {
			out = append(out, slice)
		}
	}
	return out
}

func publishes(list []*resourcev1.ResourceSlice, driver string) bool {
	return slices.ContainsFunc(list, func(s *resourcev1.ResourceSlice) bool { return s.Spec.Driver == driver })
}

// complete are the slices of those pools of which all slices of the newest generation are there.
func complete(list []*resourcev1.ResourceSlice) (out []*resourcev1.ResourceSlice) {
	newest, count := map[[2]string]int64{}, map[[2]string]int64{}
	pool := func(s *resourcev1.ResourceSlice) [2]string { return [2]string{s.Spec.Driver, s.Spec.Pool.Name} }
	for _, s := range list {
		newest[pool(s)] = max(newest[pool(s)], s.Spec.Pool.Generation)
	}
	for _, s := range list {
		if s.Spec.Pool.Generation == newest[pool(s)] {
			count[pool(s)]++
		}
	}
	for _, s := range list {
		if s.Spec.Pool.Generation == newest[pool(s)] && count[pool(s)] >= s.Spec.Pool.ResourceSliceCount {
			out = append(out, s)
		}
	}
	return out
}

// Missing lists those of drivers that have no complete pool of a node, in their order.
func (w *World) Missing(drivers []string, node string) (out []string) {
	whole := complete(w.local[node])
	for _, d := range drivers {
		if !publishes(whole, d) {
			out = append(out, d)
		}
	}
	return out
}

// imagined are slices of a kind of node as one node would publish them.
func (w *World) imagined(list []*resourcev1.ResourceSlice, node string) []*resourcev1.ResourceSlice {
	out := make([]*resourcev1.ResourceSlice, len(list))
	for i, s := range list {
		own := &resourcev1.ResourceSlice{Spec: s.Spec}
		own.Name = node + "/" + s.Spec.Driver + "/" + s.Spec.Pool.Name
		own.Spec.NodeName = &node
		own.Spec.Pool.Name = node + "/" + s.Spec.Pool.Name
		own.Spec.Devices = w.library.impersonal(s)
		out[i] = own
	}
	return out
}

// impersonal is a device without the attributes that name the single one.
func impersonal(d resourcev1.Device) resourcev1.Device {
	for name := range d.Attributes {
		if strings.HasSuffix(strings.ToLower(string(name)), "uuid") {
			d.Attributes = maps.Clone(d.Attributes)
			delete(d.Attributes, name)
		}
	}
	return d
}
