package feasible

import (
	"maps"
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/require"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// twins are the labels in which columns differ that are alike in type, zone and capacity type, ascending. of numbers
// these three, each from 0 up. Reservations are not among them: which one a machine is launched into is the cloud's to
// choose. It builds no index of labels: others may be doing that meanwhile.
func (off *Offerings) twins(of [][3]int32, types, zones, capacity int) []string {
	first := make([]int32, types*zones*capacity) // the first column with these, counted from 1
	keys := map[string]bool{}
	for i := range of {
		o := off.Columns[i].Offering
		if o.Reservation != "" {
			continue
		}
		at := &first[(int(of[i][0])*zones+int(of[i][1]))*capacity+int(of[i][2])]
		if *at == 0 {
			*at = int32(i + 1)
			continue
		}
		differing(off.Columns[*at-1].Offering.Extra, o.Extra, keys)
	}
	return slices.Sorted(maps.Keys(keys))
}

// differing notes the keys that two lists of labels disagree on.
func differing(a, b []shape.Label, keys map[string]bool) {
	for _, lists := range [2][2][]shape.Label{{a, b}, {b, a}} {
		for _, l := range lists[0] {
			if value, ok := shape.LabelValue(lists[1], l.Key); !ok || value != l.Value {
				keys[l.Key] = true
			}
		}
	}
}

// Ruling is what a claim has to require, beside types, zones and capacity types, to be launched from none but some
// columns of a pool: of each label in which offerings differ that are alike otherwise the values that those columns
// have. It says nothing of labels that rule nothing out, or that some of the columns lack.
func (off *Offerings) Ruling(p *Pool, columns bitset.Set) []shape.Requirement {
	var out []shape.Requirement
	for _, key := range off.Traits().twins {
		k := off.key(key)
		if k.absent.Meets(columns) {
			continue
		}
		var values []string
		for i, value := range k.values {
			if k.columns[i].Meets(columns) {
				values = append(values, value)
			}
		}
		r := shape.Requirement{Key: key, Values: values}
		if p.stock.MeetsBeyond(off.meeting(require.Of(r))) {
			out = append(out, r)
		}
	}
	return out
}

// combined are the columns of a pool, those of last resort included, that a claim for some columns may be launched from
// as far as other labels than type, zone and capacity type say.
func (off *Offerings) combined(p *Pool, columns bitset.Set) bitset.Set {
	usable := p.stock
	for _, r := range off.Ruling(p, columns) {
		usable = usable.And(off.meeting(require.Of(r)))
	}
	return usable
}
