package engine

import (
	"slices"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Roomy are those of options on which the daemons of a pool's nodes have room, in the same order, or all if they have
// room on none. It is for nodes that are opened without pods; plans see to that by themselves. Of the Snapshot only
// DaemonSets and their Classes matter; types are what options name.
func Roomy(s shape.Snapshot, pool *shape.Pool, types []*shape.InstanceType, options []Option) []Option {
	furnished := *pool
	furnished.Types = make([]int32, len(types))
	for i := range types {
		furnished.Types[i] = int32(i)
	}
	table := feasible.Compile(&shape.Snapshot{
		Now: s.Now, Classes: s.Classes, DaemonSets: s.DaemonSets, Types: types, Pools: []*shape.Pool{&furnished},
	}, true)
	roomy := map[Option]bool{}
	for i := range table.Columns {
		if slices.Min(table.Pools[0].Room(i)) >= 0 {
			c := &table.Columns[i]
			roomy[Option{
				Type: c.Type.Name, Zone: c.Offering.Zone, CapacityType: c.Offering.CapacityType,
				Reservation: c.Offering.Reservation, Price: c.Offering.Price,
			}] = true
		}
	}
	out := slices.DeleteFunc(slices.Clone(options), func(o Option) bool { return !roomy[o] })
	if len(out) == 0 {
		return options
	}
	return out
}
