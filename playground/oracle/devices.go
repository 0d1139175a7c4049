package oracle

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcev1 "k8s.io/api/resource/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/internal/sample"
)

// devicesSeed makes another seed of a cluster's, for its devices.
const devicesSeed = 0xDE71CE << 32

// equipment are a cluster's dynamic resources. What nodes publish goes by their instance type.
type equipment struct {
	classes   []*resourcev1.DeviceClass
	templates []*resourcev1.ResourceClaimTemplate
	sold      map[string][]*resourcev1.ResourceSlice
	common    []*resourcev1.ResourceSlice
	claims    claims

	// late are claims that the planner has not seen yet, though the scheduler has.
	late map[types.NamespacedName]bool
}

// claims are ResourceClaims by name. The objects are never changed.
type claims map[types.NamespacedName]*resourcev1.ResourceClaim

// newEquipment draws what there is before any pod.
func newEquipment(d sample.DeviceDice, list []*shape.InstanceType) *equipment {
	e := &equipment{
		classes: sample.DeviceClasses(), sold: map[string][]*resourcev1.ResourceSlice{}, claims: claims{},
		late: map[types.NamespacedName]bool{},
	}
	for _, t := range list {
		e.sold[t.Name] = d.Devices()
	}
	if d.Percent(20) {
		e.common = append(e.common, d.CommonDevices())
	}
	for i := range d.Between(2, 4) {
		spec := d.DeviceClaim()
		for _, namespace := range sample.Namespaces() {
			meta := metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("template-", i)}
			t := &resourcev1.ResourceClaimTemplate{ObjectMeta: meta}
			t.Spec.Spec.Devices = spec
			e.templates = append(e.templates, t)
		}
	}
	for i := range d.IntN(3) {
		spec := d.DeviceClaim()
		for _, namespace := range sample.Namespaces() {
			e.keep(&resourcev1.ResourceClaim{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprint("common-", i)},
				Spec:       resourcev1.ResourceClaimSpec{Devices: spec},
			})
		}
	}
	return e
}

func (e *equipment) keep(c *resourcev1.ResourceClaim) {
	name := types.NamespacedName{Namespace: c.Namespace, Name: c.Name}
	c.UID = types.UID("claim/" + name.String())
	e.claims[name] = c
}

// equip has most workloads claim devices.
func (e *equipment) equip(d sample.DeviceDice, templates []*corev1.Pod) {
	kinds := len(e.templates) / len(sample.Namespaces())
	named := len(e.claims) / len(sample.Namespaces())
	for _, pod := range templates {
		switch {
		case d.Percent(20):
			continue
		case d.Percent(15):
			d.EquipFast(pod)
			continue
		case named > 0 && d.Percent(20):
			sample.Equip(pod, fmt.Sprint("=common-", d.IntN(named)))
			continue
		}
		sample.Equip(pod, fmt.Sprint("template-", d.IntN(kinds)))
		if d.Percent(15) {
			sample.Equip(pod, fmt.Sprint("template-", d.IntN(kinds)))
			pod.Spec.ResourceClaims[1].Name = "second"
		}
	}
}

// make makes the claims of a pod that has templates for them.
func (e *equipment) make(pod *corev1.Pod) {
	for _, entry := range pod.Spec.ResourceClaims {
		if entry.ResourceClaimTemplateName == nil {
			continue
		}
		name := pod.Name + "-" + entry.Name
		c := &resourcev1.ResourceClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: pod.Namespace, Name: name, OwnerReferences: []metav1.OwnerReference{ownerOf(pod)},
			Annotations: map[string]string{"resource.kubernetes.io/pod-claim-name": entry.Name},
		}}
		for _, t := range e.templates {
			if t.Namespace == pod.Namespace && t.Name == *entry.ResourceClaimTemplateName {
				c.Spec = t.Spec.Spec
			}
		}
		e.keep(c)
		pod.Status.ResourceClaimStatuses = append(pod.Status.ResourceClaimStatuses,
			corev1.PodResourceClaimStatus{Name: entry.Name, ResourceClaimName: &name})
	}
}

func ownerOf(pod *corev1.Pod) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{APIVersion: "v1", Kind: "Pod", Name: pod.Name, UID: pod.UID, Controller: &yes}
}

// published are what a node publishes.
func (e *equipment) published(n *corev1.Node) (out []*resourcev1.ResourceSlice) {
	for i, s := range e.sold[n.Labels[shape.LabelInstanceType]] {
		own := &resourcev1.ResourceSlice{Spec: s.Spec}
		own.Name = fmt.Sprintf("%s-%s-%d", n.Name, s.Spec.Pool.Name, i)
		own.Spec.NodeName = &n.Name
		own.Spec.Pool.Name = n.Name + "-" + s.Spec.Pool.Name
		out = append(out, own)
	}
	return out
}

// world is what the planner sees of it.
func (e *equipment) world(machines []machine) *devices.World {
	o := devices.Objects{
		Templates: e.templates, Classes: e.classes, Slices: slices.Clone(e.common),
		Sold: func(name string) []*resourcev1.ResourceSlice { return e.sold[name] },
	}
	for i := range machines {
		if machines[i].claim == nil {
			o.Slices = append(o.Slices, e.published(machines[i].node)...)
		}
	}
	slices.SortFunc(o.Slices, func(a, b *resourcev1.ResourceSlice) int { return cmp.Compare(a.Name, b.Name) })
	for name, c := range e.claims {
		if !e.late[name] {
			o.Claims = append(o.Claims, c)
		}
	}
	return devices.New(o, nil)
}

// freed are the claims as they are once pods that leave their nodes are gone.
func (e *equipment) freed(machines []machine) claims {
	out := maps.Clone(e.claims)
	gone := map[types.UID]bool{}
	for i := range machines {
		if machines[i].leaving {
			for _, pod := range machines[i].pods {
				gone[pod.UID] = true
			}
		}
	}
	for name, c := range out {
		if c.Status.Allocation == nil {
			continue
		}
		own := c.DeepCopy()
		own.Status.ReservedFor = slices.DeleteFunc(own.Status.ReservedFor,
			func(r resourcev1.ResourceClaimConsumerReference) bool { return gone[r.UID] })
		if len(own.Status.ReservedFor) == 0 {
			own.Status = resourcev1.ResourceClaimStatus{}
			if own.Annotations[resourcev1.ExtendedResourceClaimAnnotation] == "true" {
				delete(out, name) // it goes with its pod
				continue
			}
		}
		out[name] = own
	}
	return out
}

// plan is the planner's decision about a Snapshot of a cluster.
func (c *cluster) plan(s shape.Snapshot, w *devices.World) engine.Decision {
	return w.Plan(s, func(s shape.Snapshot) engine.Decision {
		return engine.Plan(s, engine.DefaultPolicy())
	}).Decision
}

// tell writes what devices there are, and who claims which.
func (e *equipment) tell(b *strings.Builder) {
	for _, name := range slices.Sorted(maps.Keys(e.sold)) {
		for _, s := range e.sold[name] {
			fmt.Fprintf(b, "nodes of %s publish %s %s\n", name, text(s.Spec.SharedCounters), text(s.Spec.Devices))
		}
	}
	for _, s := range e.common {
		fmt.Fprintf(b, "common devices for %s: %s\n", text(s.Spec.NodeSelector), text(s.Spec.Devices))
	}
	for name, c := range e.claims {
		fmt.Fprintf(b, "claim %s: %s", name, text(c.Spec.Devices))
		if c.Status.Allocation != nil {
			fmt.Fprintf(b, " has %s for %s", text(c.Status.Allocation), text(c.Status.ReservedFor))
		}
		b.WriteByte('\n')
	}
}
