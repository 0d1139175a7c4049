package engine

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
)

// offer is a choice of columns in words; launches that differ in other things share it.
type offer struct {
	columns bitset.Set
	listed  bool   // the rest is there, or on its way
	of      *offer // of whose options the offer's are the last; nil if it is not known to be the tail of another
	cut     bool   // some types are left out

	options                []Option
	types, zones, capacity []string // of options; ascending, without repeats
}

func (a *assembler) offer(columns bitset.Set) *offer {
	key := a.key[:0]
	for _, word := range columns {
		key = binary.LittleEndian.AppendUint64(key, word)
	}
	a.key = key
	o := a.offers[string(key)]
	if o == nil {
		o = &offer{columns: columns}
		a.offers[string(key)] = o
	}
	return o
}

// mostWholes is among how many offers another one's whole is looked for.
const mostWholes = 64

// findTails parts offers into those that are listed by themselves and those that are the tail of one of them. Columns
// ascend by price, and what a larger load drops of them are the cheapest: most offers are the tail of another.
func findTails(offers []*offer) (whole, tails []*offer) {
	slices.SortStableFunc(offers, func(a, b *offer) int {
		return cmp.Or(
			cmp.Compare(a.columns.Next(0), b.columns.Next(0)), cmp.Compare(b.columns.Count(), a.columns.Count()),
		)
	})
	for _, o := range offers {
		first := o.columns.Next(0)
		near := whole[max(len(whole)-mostWholes, 0):]
		if i := slices.IndexFunc(near, func(w *offer) bool { return w.columns.EqualFrom(first, o.columns) }); i >= 0 {
			o.of = near[i]
			tails = append(tails, o)
		} else {
			whole = append(whole, o)
		}
	}
	return whole, tails
}

// list lists the columns of the cheapest types, as many types as the policy allows. A tail is listed after its whole.
func (a *assembler) list(o *offer) {
	traits := a.table.Traits()
	have := make([]bool, len(traits.Names))
	if o.of != nil && !o.of.cut {
		before := o.of.columns.CountBelow(o.columns.Next(0))
		o.options = slices.Clip(o.of.options[before:])
		for i := o.columns.Next(0); i >= 0; i = o.columns.Next(i + 1) {
			for _, n := range traits.Of[i] {
				have[n] = true
			}
		}
	} else {
		a.write(o, have)
	}
	o.types = traits.List(have, 0, traits.Zones)
	o.zones = traits.List(have, traits.Zones, traits.Capacity)
	o.capacity = traits.List(have, traits.Capacity, len(have))
}

// write writes down an offer's options, and notes which traits they have.
func (a *assembler) write(o *offer, have []bool) {
	traits, types := a.table.Traits(), 0
	o.options = make([]Option, 0, o.columns.Count())
	for i := o.columns.Next(0); i >= 0; i = o.columns.Next(i + 1) {
		t := &traits.Of[i]
		if !have[t[0]] {
			if a.policy.MaxInstanceTypes > 0 && types == a.policy.MaxInstanceTypes {
				o.cut = true
				continue
			}
			types++
		}
		have[t[0]], have[t[1]], have[t[2]] = true, true, true
		c := &a.table.Columns[i]
		o.options = append(o.options, Option{
			Type: c.Type.Name, Zone: c.Offering.Zone, CapacityType: c.Offering.CapacityType,
			Reservation: c.Offering.Reservation, Price: c.Price(),
		})
	}
}
