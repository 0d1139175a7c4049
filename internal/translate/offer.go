package translate

import (
	"slices"

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
		price = of.Price
	}
	return price
}

// Largest is the most of each resource that a claim may still turn out to be, while it is not
// launched: NodePool limits must hold whichever of its instance types it gets.
func (o *Offer) Largest(claim *karpenterv1.NodeClaim) shape.Vector {
	var out shape.Vector
	known := false
	for i := range claim.Spec.Requirements {
		r := &claim.Spec.Requirements[i]
		if r.Key != shape.LabelInstanceType || r.Operator != "In" {
			continue
		}
		for _, name := range r.Values {
			if t := o.Type(name); t != nil {
				out, known = MaxOf(out, t.Capacity), true
			}
		}
	}
	if !known {
		return Asked(claim.Spec.Resources.Requests)
	}
	return out
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
