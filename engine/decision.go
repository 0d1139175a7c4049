package engine

import (
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Decision is what to do: which pods go where, and which nodes to open for them.
// Every pod of the Snapshot is in exactly one of Place, Open and Unplaced.
type Decision struct {
	// Place puts pods on nodes that run or are on their way, ascending by pod.
	Place []Placement `json:"place,omitempty"`
	// Open lists nodes to buy, in the order of their IDs.
	Open []NewNode `json:"open,omitempty"`
	// Unplaced lists pods for which there is no room, ascending by pod.
	Unplaced []Unplaced `json:"unplaced,omitempty"`

	// Price is the sum of the new nodes' prices.
	Price shape.Money `json:"price"`
	// Bound is a price that no plan for the same pods on new nodes can go below; at most Price.
	Bound shape.Money `json:"bound"`

	Counters Counters `json:"counters"`
}

// Placement puts a pod on a node of the Snapshot.
type Placement struct {
	Pod  shape.PodID `json:"pod"`
	Node string      `json:"node"` // shape.Node.Name
}

// NewNode is a node to open. Whoever launches it may take any of Options.
type NewNode struct {
	ID   string `json:"id"` // "n1", "n2", …: unique in the Decision only
	Pool string `json:"pool"`

	// Requirements are the NodeClaim's: the pool's, narrowed by the pods, ascending by key.
	// Instance types, zones and capacity types are listed.
	Requirements []shape.Requirement `json:"requirements"`

	// Options can each hold all pods, cheapest first.
	Options []Option `json:"options"`

	Requests shape.Vector  `json:"requests"` // of Pods and of the daemons on the cheapest option
	Pods     []shape.PodID `json:"pods"`     // ascending
	Price    shape.Money   `json:"price"`    // of the cheapest option

	// Drivers are those of the devices that the pods get, ascending. The planner knows no devices: whoever allocates
	// them says so.
	Drivers []string `json:"drivers,omitempty"`

	// Relaxed is set when the pool's minValues could not be kept and policy allows that.
	Relaxed bool `json:"relaxed,omitempty"`
}

// Option is one offering that a new node may be launched from.
type Option struct {
	Type         string      `json:"type"`
	Zone         string      `json:"zone"`
	CapacityType string      `json:"capacityType"`
	Reservation  string      `json:"reservation,omitempty"`
	Price        shape.Money `json:"price"`
}

// Unplaced is a pod for which there is no room, and why.
type Unplaced struct {
	Pod shape.PodID  `json:"pod"`
	Why explain.Tree `json:"why"`
}

// Counters say how much work the plan was.
type Counters struct {
	Pods    int `json:"pods"`
	Classes int `json:"classes"` // of pods to be placed
	Columns int `json:"columns"` // offerings that some pool may use
	Steps   int `json:"steps"`   // of Policy.Effort
}
