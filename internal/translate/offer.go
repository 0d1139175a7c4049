package translate

import (
	"cmp"
	"slices"

	corev1 "k8s.io/api/core/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Offer is what a cloud offers to one NodePool. It does not change.
type Offer struct {
	// Types that may be launched; shared with the cloud.
	Types []*shape.InstanceType

	// NotReady is why nothing can be launched, one sentence; empty if it can.
	NotReady string

	// Priced and Resized are the names of types of which NodeOverlays set the price or the capacity.
	Priced, Resized map[string]bool

	byName map[string]*shape.InstanceType
}

// NewOffer makes an Offer of a cloud's answer.
func NewOffer(types []*shape.InstanceType, notReady string) *Offer {
	o := &Offer{Types: types, NotReady: notReady, byName: make(map[string]*shape.InstanceType, len(types))}
	for _, t := range types {
		o.byName[t.Name] = t
	}
	return o
}

// Offer is what a NodePool is offered once overlays were applied.
func (o Overlaid) Offer(notReady string) *Offer {
	out := NewOffer(o.Types, notReady)
	out.Priced, out.Resized = o.Priced, o.Resized
	return out
}

// Type finds an instance type by name; nil if it is not offered. A nil Offer has none.
func (o *Offer) Type(name string) *shape.InstanceType {
	if o == nil {
		return nil
	}
	return o.byName[name]
}

// Price is what a node with these labels costs; 0 if it is not offered any more.
func (o *Offer) Price(labels map[string]string) shape.Money {
	t := o.Type(labels[shape.LabelInstanceType])
	if t == nil {
		return 0
	}
	var price shape.Money
	for i := range t.Offerings {
		of := &t.Offerings[i]
		if of.Zone != labels[shape.LabelZone] || of.CapacityType != labels[shape.LabelCapacityType] {
			continue
		}
		if !slices.ContainsFunc(of.Extra, func(l shape.Label) bool { return labels[l.Key] != l.Value }) {
			return of.Price
		}
		price = cmp.Or(price, of.Price) // the first is the ordinary one, which nodes are that are older than its labels
	}
	return price
}

// Largest is the most of each resource that a claim may still turn out to be, while it is not
// launched: NodePool limits must hold whichever of its instance types it gets.
func (o *Offer) Largest(claim *karpenterv1.NodeClaim) shape.Vector {
	var out shape.Vector
	types, _ := o.may(claim)
	if len(types) == 0 {
		return Asked(claim.Spec.Resources.Requests)
	}
	for _, t := range types {
		out = MaxOf(out, t.Capacity)
	}
	return out
}

// Least is what a claim has for pods at least, while it is not launched: whichever of its instance types it gets has
// that much of each resource. It is what the claim asks for where that cannot be told.
func (o *Offer) Least(claim *karpenterv1.NodeClaim) shape.Vector {
	asked := Asked(claim.Spec.Resources.Requests)
	types, all := o.may(claim)
	if !all {
		return asked
	}
	out := types[0].Allocatable
	for _, t := range types {
		out = minOf(out, t.Allocatable)
		for i := range t.Offerings {
			if own := t.Offerings[i].Allocatable; own != nil {
				out = minOf(out, *own)
			}
		}
	}
	return MaxOf(asked, out)
}

// may lists the instance types that a claim may be launched as, and reports whether it names some and all it names are
// offered.
func (o *Offer) may(claim *karpenterv1.NodeClaim) (types []*shape.InstanceType, all bool) {
	all = true
	for i := range claim.Spec.Requirements {
		r := &claim.Spec.Requirements[i]
		if r.Key != shape.LabelInstanceType || r.Operator != corev1.NodeSelectorOpIn {
			continue
		}
		for _, name := range r.Values {
			if t := o.Type(name); t != nil {
				types = append(types, t)
			} else {
				all = false
			}
		}
	}
	return types, all && len(types) > 0
}

// MaxOf is the larger amount of each resource.
func MaxOf(a, b shape.Vector) shape.Vector {
	out := shape.Vector{
		CPU:       max(a.CPU, b.CPU),
		Memory:    max(a.Memory, b.Memory),
		Ephemeral: max(a.Ephemeral, b.Ephemeral),
		Pods:      max(a.Pods, b.Pods),
		Extended:  a.Extended,
	}
	for _, e := range b.Extended {
		if have := a.Get(e.Resource); e.Value > have {
			out = out.Add(shape.Vector{Extended: []shape.Amount{{Resource: e.Resource, Value: e.Value - have}}})
		}
	}
	return out
}

// minOf is the smaller amount of each resource.
func minOf(a, b shape.Vector) shape.Vector {
	var out shape.Vector
	a.Each(func(name string, value int64) {
		if least := min(value, b.Get(name)); least > 0 {
			addTo(&out, corev1.ResourceName(name), least)
		}
	})
	return out
}
