package pack

import (
	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Bin is a new node being filled.
type Bin struct {
	Pool   int // index into feasible.Table.Pools
	Column int // the column it is planned for: the cheapest of Columns that holds Load

	// Columns suit all its pods by labels; not all of them are large enough.
	Columns bitset.Set
	Free    bitset.Set // see feasible.Pool.Free

	Load    []int64 // of its pods, without daemons
	Entries []Entry // ascending by Item
}

// Entry is so many pods of one item in a bin.
type Entry struct {
	Item  int
	Count int
}

// Options is the set of columns that can hold the bin's pods.
func (b *Bin) Options(t *feasible.Table) bitset.Set {
	p := t.Pools[b.Pool]
	out := bitset.New(len(t.Columns))
	for i := b.Columns.Next(0); i >= 0; i = b.Columns.Next(i + 1) {
		if feasible.Holds(b.Load, p.Room(i)) {
			out.Add(i)
		}
	}
	return out
}

// Price is what the bin costs as planned.
func (b *Bin) Price(t *feasible.Table) shape.Money { return t.Columns[b.Column].Price() }
