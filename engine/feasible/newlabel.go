package feasible

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/require"
)

// LabelsAllowNew reports whether a new node from a column, of whose free labels only these values remain, will satisfy
// the node selector and node affinity; taints and volumes are not looked at.
func (off *Offerings) LabelsAllowNew(w *Where, p *Pool, column int, free bitset.Set) bool {
	free = p.settled(free)
	return slices.ContainsFunc(off.ownAlternatives(w, p), func(a Alternative) bool {
		return a.Columns.Has(column) && p.FreeLeft(a.Free.And(free))
	})
}

// Labelled are the columns of a pool for which LabelsAllowNew holds.
func (off *Offerings) Labelled(w *Where, p *Pool, free bitset.Set) bitset.Set {
	out := bitset.New(len(off.Columns))
	free = p.settled(free)
	for _, a := range off.ownAlternatives(w, p) {
		if p.FreeLeft(a.Free.And(free)) {
			out.Join(a.Columns)
		}
	}
	return out
}

// WithLabel are the columns of a pool of which new nodes will have a label's value.
func (off *Offerings) WithLabel(p *Pool, free bitset.Set, key, value string) bitset.Set {
	if f := p.free(key); f != nil {
		if settled, ok := f.Settled(free); !ok || settled != value {
			return bitset.New(len(off.Columns))
		}
		return p.Columns
	}
	return off.meeting(require.Only(key, value)).And(p.Columns)
}

// LabelsAllowSome reports whether a new node from any of several columns can satisfy the node selector and node
// affinity.
func (off *Offerings) LabelsAllowSome(w *Where, p *Pool, columns, free bitset.Set) bool {
	return slices.ContainsFunc(off.ownAlternatives(w, p), func(a Alternative) bool {
		return a.Columns.Meets(columns) && p.FreeLeft(a.Free.And(free))
	})
}

// ownAlternatives is Alternatives by node selector and node affinity alone.
func (off *Offerings) ownAlternatives(w *Where, p *Pool) []Alternative {
	alts, known := w.byAffinity[p]
	if !known {
		if !w.noNode {
			alts = []Alternative{{Columns: p.Columns.Clone(), Free: p.freeFull.Clone()}}
			alts = off.narrow(alts, p, []term{{labels: w.selector}})
			alts = off.narrow(alts, p, w.terms)
		}
		w.byAffinity[p] = alts
	}
	return alts
}

// MayHave reports whether a new node from some of the columns may have a label.
func (off *Offerings) MayHave(p *Pool, columns, free bitset.Set, key string) bool {
	if f := p.free(key); f != nil {
		return free.AnyIn(f.from, f.from+len(f.Values))
	}
	return off.key(key).defined.Meets(columns)
}

// NewLabel is the value that a label of a new node from a column will have; ok is false if it will have none.
func (off *Offerings) NewLabel(p *Pool, column int, free bitset.Set, key string) (value string, ok bool) {
	if f := p.free(key); f != nil {
		return f.Settled(free)
	}
	v, ok := off.Columns[column].Label(key)
	if !ok {
		return "", false
	}
	return v.Some()
}
