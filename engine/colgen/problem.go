package colgen

import "github.com/dovetail-sh/dovetail/engine/bitset"

// Row is pods that are alike.
type Row struct {
	Need  []int64 // by resource: what one takes of a machine's room
	Pods  int     // at least 1
	Scope int     // a machine takes the row if it has this among its Takes
}

// Machine is one kind of machine that can be bought any number of times.
type Machine struct {
	Price float64 // more than 0
	Room  []int64 // by resource, as long as every Row's Need
	Takes bitset.Set
}

// Count is so many pods of one row.
type Count struct{ Row, Pods int }

// Pattern is one way to fill a machine.
type Pattern struct {
	Machine int     // index into Problem.Machines
	Content []Count // ascending by row, each once, none of no pods
	Price   float64
}

// Chosen is a pattern that is bought so often.
type Chosen struct {
	Pattern
	Times int
}

// Packer knows what lies beyond arithmetic.
type Packer interface {
	// Obey takes pods out of a pattern until it breaks no rule; false if nothing is left.
	Obey(*Pattern) bool
	// RightSized is what the cheapest machine costs that holds a pattern's content.
	RightSized(*Pattern) float64
	// Complete is a packing of so many pods of each row by other means, and its price; infinite if not all have a
	// place.
	Complete(left []int) ([]Chosen, float64)
}

// Problem is what to pack.
type Problem struct {
	Rows     []Row
	Machines []Machine
	Packer   Packer

	// Rules is set when a pattern may break a rule that the numbers do not know: then Packer.Obey is asked of each.
	Rules bool

	// Effort is how many steps may be spent, each about a microsecond's work on a small problem.
	Effort int
}
