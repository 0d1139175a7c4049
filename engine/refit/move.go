package refit

import (
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Move gives up some nodes. Its replacements must be ready before the first node goes.
type Move struct {
	// Remove names nodes in the order in which they are drained.
	Remove []string `json:"remove"`
	// InTurn is set when a node must be gone before the next one is drained: its pods stand in the way of others'.
	InTurn bool `json:"inTurn,omitempty"`
	// Turns is in how many batches budgets let its nodes go, from what they allow now.
	Turns int `json:"turns"`
	// Open are the nodes to buy, with IDs that are unique in the move.
	Open []engine.NewNode `json:"open,omitempty"`
	// Place says which pods go to nodes that exist, ascending by pod.
	Place []engine.Placement `json:"place,omitempty"`

	Price   shape.Money `json:"price"`   // of the nodes given up
	Instead shape.Money `json:"instead"` // of those opened, as planned
	// Need is what the move had to save at least.
	Need shape.Money `json:"need"`
	// Disturbance weighs the evictions, in thousandths of an ordinary pod.
	Disturbance int64 `json:"disturbance"`
	Pods        int   `json:"pods"` // that are evicted
	// Scores has an entry for each pool that loses nodes, ascending by name.
	Scores []Score `json:"scores,omitempty"`
}

// Saving is by how much the fleet becomes cheaper.
func (m *Move) Saving() shape.Money { return m.Price - m.Instead }

// Score is the share of a pool's price that a move saves over the share of the pool's disturbance that it causes.
type Score struct {
	Pool  string  `json:"pool"`
	Value float64 `json:"value"`
}

// Result is what to do, and why the rest stays.
type Result struct {
	// Moves in the order in which they were found, the most worthwhile first as far as that is known.
	Moves []Move `json:"moves,omitempty"`
	// Kept has an entry for every node of the policy's pools that stays, ascending by name.
	Kept []Kept `json:"kept,omitempty"`

	Before shape.Money `json:"before"` // price of all nodes of the policy's pools
	After  shape.Money `json:"after"`  // of those with all moves made
	// Floor is a price below which the pods of the nodes that may go cannot be had, with the other nodes as they are
	// and their free room at no price. 0 if nothing is known.
	Floor shape.Money `json:"floor"`

	// Ripe is in how long the first of the moves would be made that were refused for no more than the age of their
	// nodes and pods, as far as they were looked at; 0 if there is none.
	Ripe time.Duration `json:"ripe,omitempty"`

	Counters Counters `json:"counters"`
}

// Kept is a node that stays, and why.
type Kept struct {
	Node string `json:"node"`
	Why  Reason `json:"why"`
}

// Counters say how much work it was.
type Counters struct {
	Candidates int  `json:"candidates"` // nodes that may go
	Sketches   int  `json:"sketches"`   // of single nodes, on the board
	Plans      int  `json:"plans"`      // of sets of nodes, by the planner
	Steps      int  `json:"steps"`      // of Policy.Effort
	Exhausted  bool `json:"exhausted"`  // the effort ended before the ideas did
}
