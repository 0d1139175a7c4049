package board

import "github.com/dovetail-sh/dovetail/engine/spread"

// Item is pods that need new nodes and are alike in everything that matters to them.
type Item struct {
	Class int          // index into feasible.Table.Classes
	Cell  *spread.Cell // the domains that were settled, nil if they do not matter
	Count int

	// Turns are, ascending, when each of its pods was sent to the cell among all that were sent to some. Counted only
	// where something may be scarce; nil for pods that went to no cell.
	Turns []int32
}
