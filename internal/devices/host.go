package devices

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/dynamic-resource-allocation/structured"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// patience is how long one allocation may take: the allocator tries combinations.
const patience = 5 * time.Second

// host is a node, or what a node to be opened will be, with its devices.
type host struct {
	node   *corev1.Node
	slices []*resourcev1.ResourceSlice
	offers shape.Vector // what it has without devices
	books  ledger       // of the pools of its slices
}

// hostOf is a node of the Snapshot. Drivers that have not published everything on a node that is still starting count
// by what such nodes publish.
func (r *resolver) hostOf(n *shape.Node) *host {
	h := &host{node: &corev1.Node{}, offers: n.Allocatable}
	h.node.Name = n.Name
	h.node.Labels = map[string]string{shape.LabelHostname: n.Hostname}
	if int(n.Profile) < len(r.snapshot.Profiles) {
		for _, l := range r.snapshot.Profiles[n.Profile].Labels {
			h.node.Labels[l.Key] = l.Value
		}
	}
	h.slices = r.local[n.Name]
	if n.Stage == shape.Launching || n.Stage == shape.Joined {
		kind := cmp.Or(n.InstanceType, h.node.Labels[shape.LabelInstanceType])
		h.slices = r.awaited(n.Name, r.soldBy(Seller{n.Pool, kind}))
	}
	h.slices = append(slices.Clip(h.slices), r.common...)
	h.books = r.taken.of(h.slices)
	return h
}

// awaited are the slices of a node that is still starting.
func (w *World) awaited(node string, sold []*resourcev1.ResourceSlice) []*resourcev1.ResourceSlice {
	there := complete(w.local[node])
	out := slices.Clone(there)
	for _, s := range w.imagined(sold, node) {
		if !publishes(there, s.Spec.Driver) {
			out = append(out, s)
		}
	}
	return out
}

// newHost is what a node of a type will be.
func (w *World) newHost(name string, s Seller, labels map[string]string, offers shape.Vector) *host {
	h := &host{node: &corev1.Node{}, offers: offers}
	h.node.Name, h.node.Labels = name, labels
	h.slices = append(w.imagined(w.soldBy(s), name), w.common...)
	h.books = w.taken.of(h.slices)
	return h
}

// newLabels are the labels by which slices may choose a new node: those of its pool, type and offering.
func newLabels(p *shape.Pool, it *shape.InstanceType, zone, capacityType string) map[string]string {
	out := map[string]string{}
	for _, q := range it.Requirements {
		if q.Operator == shape.In && len(q.Values) == 1 {
			out[q.Key] = q.Values[0]
		}
	}
	for _, l := range p.Labels {
		out[l.Key] = l.Value
	}
	out[shape.LabelInstanceType], out[shape.LabelNodePool] = it.Name, p.Name
	out[shape.LabelZone], out[shape.LabelCapacityType] = zone, capacityType
	return out
}

// seat allocates a pod's claims on a host, books them, and reports the drivers whose devices it got from them. why says
// why it got none; the books stay as they were then.
func (w *World) seat(h *host, c *shape.Class, d *demand) (drivers []string, why string) {
	claims := d.claims
	if extra := w.extended(h, c); extra != nil {
		claims = append(slices.Clip(claims), extra)
	}
	var open []*resourcev1.ResourceClaim
	for _, claim := range claims {
		if len(claim.Spec.Devices.Requests) > 0 {
			open = append(open, unallocated(claim))
		}
	}
	if len(open) == 0 {
		return nil, ""
	}
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	allocator, err := structured.NewAllocator(ctx, features, h.books.state(h.slices), w, h.slices, w.library.cel)
	if err != nil {
		return nil, err.Error()
	}
	results, err := allocator.Allocate(ctx, h.node, open)
	switch {
	case err != nil:
		return nil, err.Error()
	case results == nil:
		return nil, "its claims cannot be allocated there beside the others"
	}
	for _, result := range results {
		h.books.add(result.Devices.Results)
		for _, got := range result.Devices.Results {
			if !strings.HasPrefix(got.Request, fromPlugin) {
				drivers = append(drivers, got.Driver)
			}
		}
	}
	slices.Sort(drivers)
	return slices.Compact(drivers), ""
}

// unallocated is a claim without what it was given: it is allocated anew. It has the defaults that an API server gives.
func unallocated(c *resourcev1.ResourceClaim) *resourcev1.ResourceClaim {
	out := &resourcev1.ResourceClaim{ObjectMeta: c.ObjectMeta, Spec: c.Spec}
	out.Spec.Devices.Requests = slices.Clone(c.Spec.Devices.Requests)
	for i := range out.Spec.Devices.Requests {
		r := &out.Spec.Devices.Requests[i]
		if r.Exactly != nil {
			own := *r.Exactly
			own.AllocationMode, own.Count = defaults(own.AllocationMode, own.Count)
			r.Exactly = &own
		}
		r.FirstAvailable = slices.Clone(r.FirstAvailable)
		for k := range r.FirstAvailable {
			sub := &r.FirstAvailable[k]
			sub.AllocationMode, sub.Count = defaults(sub.AllocationMode, sub.Count)
		}
	}
	return out
}

func defaults(mode resourcev1.DeviceAllocationMode, count int64) (resourcev1.DeviceAllocationMode, int64) {
	if mode == "" {
		mode = resourcev1.DeviceAllocationModeExactCount
	}
	if mode == resourcev1.DeviceAllocationModeExactCount && count == 0 {
		count = 1
	}
	return mode, count
}

// extended is the claim that stands for those extended resources of a pod that a host serves from devices, or that are
// the devices of a driver of the host; nil for none.
func (w *World) extended(h *host, c *shape.Class) *resourcev1.ResourceClaim {
	var claim *resourcev1.ResourceClaim
	for _, a := range c.Requests.Extended {
		class := w.served[a.Resource]
		if class == "" || !w.draws(h, a.Resource) {
			continue
		}
		if claim == nil {
			claim = &resourcev1.ResourceClaim{}
			claim.Name = "extended-resources"
		}
		claim.Spec.Devices.Requests = append(claim.Spec.Devices.Requests, resourcev1.DeviceRequest{
			Name: giver(h, a.Resource) + strconv.Itoa(len(claim.Spec.Devices.Requests)),
			Exactly: &resourcev1.ExactDeviceRequest{
				DeviceClassName: class, AllocationMode: resourcev1.DeviceAllocationModeExactCount, Count: a.Value,
			},
		})
	}
	return claim
}

// fromPlugin begins the names of requests for devices that a device plugin hands out, and no driver.
const fromPlugin = "plugin"

// giver begins the name of the request for an extended resource of a host.
func giver(h *host, resource string) string {
	if h.offers.Get(resource) > 0 && h.offers.Get(servedName(resource)) == 0 {
		return fromPlugin
	}
	return "r"
}

// draws reports whether an extended resource of a host takes from its devices: no plugin offers it, or the plugin
// offers the devices of a driver that is there as well.
func (w *World) draws(h *host, resource string) bool {
	if h.offers.Get(resource) == 0 || h.offers.Get(servedName(resource)) > 0 {
		return true
	}
	driver := linked[resource]
	return driver != "" && w.served[resource] != "" && publishes(h.slices, driver)
}

// servedName is what nodes have one of that serve an extended resource from devices.
func servedName(resource string) string { return Prefix + "serves/" + resource }

// settle books what the pods of a node will get that have not got it yet, and reports what is left.
func (r *resolver) settle(h *host, n *shape.Node) {
	for i := range n.Pods {
		p := &n.Pods[i]
		c := r.classOf(p)
		if c == nil {
			continue
		}
		open := r.demands[p.ID].open()
		if r.made[made{p.ID, ""}] != nil {
			c = &shape.Class{} // its extended resources have been allocated
		}
		if len(open.claims) > 0 || len(c.Requests.Extended) > 0 {
			_, _ = r.seat(h, c, open) // what fails takes nothing
		}
	}
}

// open is what nobody has allocated yet; d may be nil.
func (d *demand) open() *demand {
	out := &demand{}
	if d == nil {
		return out
	}
	for _, claim := range d.claims {
		if claim.Status.Allocation == nil {
			out.claims = append(out.claims, claim)
		}
	}
	return out
}

// room counts the devices that are left on a host by kind, and what counters have left.
type room struct {
	free     map[int]int64
	capacity map[int]map[string]int64 // of kinds that may be allocated several times
	counters map[string]int64         // by driver and counter
}

func (w *World) roomOf(h *host) room {
	out := room{free: map[int]int64{}, capacity: map[int]map[string]int64{}, counters: map[string]int64{}}
	for _, s := range h.slices {
		if !reaches(h, s) {
			continue
		}
		books := h.books[poolID{s.Spec.Driver, s.Spec.Pool.Name}]
		for _, set := range s.Spec.SharedCounters {
			for name, counter := range set.Counters {
				out.counters[s.Spec.Driver+"/"+name] += counter.Value.Value()
			}
		}
		for i := range s.Spec.Devices {
			w.count(&out, s, &s.Spec.Devices[i], books)
		}
	}
	return out
}

// reaches reports whether slices can be used from a host. What cannot be read is left to the allocator.
func reaches(h *host, s *resourcev1.ResourceSlice) bool {
	if s.Spec.PerDeviceNodeSelection != nil && *s.Spec.PerDeviceNodeSelection {
		return true
	}
	name, all := "", s.Spec.AllNodes != nil && *s.Spec.AllNodes
	if s.Spec.NodeName != nil {
		name = *s.Spec.NodeName
	}
	ok, err := structured.NodeMatches(features, h.node, name, all, s.Spec.NodeSelector)
	return ok && err == nil || len(s.Spec.SharedCounters) > 0
}

func (w *World) count(
	out *room, s *resourcev1.ResourceSlice, d *resourcev1.Device, books []resourcev1.DeviceRequestAllocationResult,
) {
	i := w.library.kindOf(s.Spec.Driver, d)
	if d.AllowMultipleAllocations != nil && *d.AllowMultipleAllocations {
		w.countShared(out, i, d, books)
		return
	}
	mine := func(r resourcev1.DeviceRequestAllocationResult) bool { return r.Device == d.Name }
	if !slices.ContainsFunc(books, mine) {
		out.free[i]++
		return
	}
	for name, n := range loadOf(d) {
		out.counters[s.Spec.Driver+"/"+name] -= n
	}
}

func (w *World) countShared(
	out *room, kind int, d *resourcev1.Device, books []resourcev1.DeviceRequestAllocationResult,
) {
	if out.capacity[kind] == nil {
		out.capacity[kind] = map[string]int64{}
	}
	out.free[kind] += plenty // as often as capacity lets it
	for name, c := range d.Capacity {
		left := c.Value.Value()
		for _, r := range books {
			if used, ok := r.ConsumedCapacity[name]; ok && r.Device == d.Name {
				left -= used.Value()
			}
		}
		out.capacity[kind][string(name)] += left
	}
}
