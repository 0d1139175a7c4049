package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/require"
)

// Offerings are what new nodes can be: columns, and which of them have which label.
type Offerings struct {
	Dimensions

	// Columns are the offerings of all pools, cheapest first. Offerings that are not
	// available are columns too: they matter for explanations.
	Columns   []Column
	Available bitset.Set // of Columns
	Reserved  bool       // some column is a capacity reservation's

	keys   map[string]*keyIndex // by label, built when first asked
	traits *Traits              // nil before it is asked for
}

// keyIndex says which columns have which value of one label.
type keyIndex struct {
	values  []string     // ascending
	columns []bitset.Set // by values: columns that have, or may have, the value
	absent  bitset.Set   // columns whose nodes lack the label
	defined bitset.Set   // columns that say anything about the key
}

// key indexes one label, once.
func (off *Offerings) key(key string) *keyIndex {
	if k := off.keys[key]; k != nil {
		return k
	}
	n := len(off.Columns)
	k := &keyIndex{absent: bitset.New(n), defined: bitset.New(n)}
	at := map[string]bitset.Set{}
	note := func(value string, i int) {
		if at[value] == nil {
			at[value] = bitset.New(n)
			k.values = append(k.values, value)
		}
		at[value].Add(i)
	}
	for i := range off.Columns {
		if value, ok := off.Columns[i].value(key); ok { // by far the most
			k.defined.Add(i)
			note(value, i)
			continue
		}
		v, ok := off.Columns[i].Label(key)
		if ok {
			k.defined.Add(i)
		}
		members, listed := v.List()
		if !ok || !listed || len(members) == 0 {
			k.absent.Add(i)
			continue
		}
		for _, m := range members {
			note(m, i)
		}
	}
	slices.Sort(k.values)
	for _, m := range k.values {
		k.columns = append(k.columns, at[m])
	}
	off.keys[key] = k
	return k
}

// meeting is the set of columns that satisfy one wish.
func (off *Offerings) meeting(v require.Values) bitset.Set {
	k := off.key(v.Key())
	out := bitset.New(len(off.Columns))
	for i, value := range k.values {
		if v.Has(value) {
			out.Join(k.columns[i])
		}
	}
	if v.HasAbsent() {
		out.Join(k.absent)
	}
	return out
}
