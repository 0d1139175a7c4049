package board

import (
	"github.com/dovetail-sh/dovetail/engine/bitset"
	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Bin is a new node being filled.
type Bin struct {
	Pool   int // index into feasible.Table.Pools
	Column int // the column it is planned for: the cheapest of Columns that holds Load

	// Columns can hold its pods: whoever launches it may take any of them. Bins may share the set.
	Columns bitset.Set
	Free    bitset.Set // see feasible.Pool.Free

	// Keeps is by the pool's limits: what they have to leave for the bin, so that enough of Columns may be launched to
	// keep the pool's minValues. nil is what Column takes.
	Keeps []int64

	Load    []int64 // of its pods, without daemons
	Entries []Entry // ascending by Item
}

// Entry is so many pods of one item in a bin.
type Entry struct {
	Item  int
	Count int
}

// Price is what the bin costs as planned.
func (b *Bin) Price(t *feasible.Table) shape.Money { return t.Columns[b.Column].Price() }
