package provider

import (
	"cmp"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Candidate is one thing that can be bought. Both pointers are into shared data.
type Candidate struct {
	Type     *shape.InstanceType
	Offering *shape.Offering
}

// Allocatable is what pods can use on the candidate's node.
func (c Candidate) Allocatable() shape.Vector {
	if c.Offering.Allocatable != nil {
		return *c.Offering.Allocatable
	}
	return c.Type.Allocatable
}

// Labels are the labels that a node launched from the candidate has: what the offering says,
// and of the type's labels those with one value.
func (c Candidate) Labels() map[string]string {
	labels := map[string]string{}
	for _, r := range c.Type.Requirements {
		if r.Operator == shape.In && len(r.Values) == 1 {
			labels[r.Key] = r.Values[0]
		}
	}
	labels[shape.LabelInstanceType] = c.Type.Name
	labels[shape.LabelZone] = c.Offering.Zone
	labels[shape.LabelCapacityType] = c.Offering.CapacityType
	for _, l := range c.Offering.Extra {
		labels[l.Key] = l.Value
	}
	return labels
}

// Candidates lists the available offerings that satisfy all requirements and hold need, the
// cheapest first. Ties are broken by type, zone, capacity type, reservation and further
// labels, so equal input gives equal output.
//
// Requirements on labels that a type does not speak of, such as a NodePool's own, are met
// elsewhere and do not count here.
func Candidates(types []*shape.InstanceType, reqs []shape.Requirement, need shape.Vector) []Candidate {
	wanted := require.New(reqs)
	var out []Candidate
	for _, t := range types {
		unmet := unmetBy(t, wanted)
		for i := range t.Offerings {
			c := Candidate{t, &t.Offerings[i]}
			if c.Offering.Available && need.Fits(c.Allocatable()) && offeringSuits(c.Offering, wanted, unmet) {
				out = append(out, c)
			}
		}
	}
	slices.SortFunc(out, CompareCandidates)
	return out
}

// CompareCandidates orders candidates by price and then by everything that tells them apart.
func CompareCandidates(a, b Candidate) int {
	return cmp.Or(
		cmp.Compare(a.Offering.Price, b.Offering.Price),
		cmp.Compare(a.Type.Name, b.Type.Name),
		cmp.Compare(a.Offering.Zone, b.Offering.Zone),
		cmp.Compare(a.Offering.CapacityType, b.Offering.CapacityType),
		cmp.Compare(a.Offering.Reservation, b.Offering.Reservation),
		slices.CompareFunc(a.Offering.Extra, b.Offering.Extra, func(a, b shape.Label) int {
			return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Value, b.Value))
		}),
	)
}

// unmetBy lists the keys of which the type itself has nothing that is wished for. An offering
// may still have it: what it says of a label counts instead of what the type says.
func unmetBy(t *shape.InstanceType, wanted require.Set) []string {
	var keys []string
	for _, w := range wanted.All() {
		i, known := slices.BinarySearchFunc(t.Requirements, w.Key(), func(r shape.Requirement, key string) int {
			return cmp.Compare(r.Key, key)
		})
		if known && !w.Overlaps(require.Of(t.Requirements[i])) {
			keys = append(keys, w.Key())
		}
	}
	return keys
}

// offeringSuits checks what the offering decides: zone, capacity type and further labels.
func offeringSuits(o *shape.Offering, wanted require.Set, unmet []string) bool {
	for _, key := range unmet {
		if _, decided := shape.LabelValue(o.Extra, key); !decided {
			return false
		}
	}
	if !wanted.Get(shape.LabelZone).Has(o.Zone) || !wanted.Get(shape.LabelCapacityType).Has(o.CapacityType) {
		return false
	}
	for _, l := range o.Extra {
		if !wanted.Get(l.Key).Has(l.Value) {
			return false
		}
	}
	return true
}
