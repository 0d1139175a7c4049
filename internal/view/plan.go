package view

import (
	"fmt"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/explain"
)

// Plan is a plan as it is printed. Prices are in dollars an hour.
type Plan struct {
	Header
	Nodes        []Node      `json:"nodes"`        // to be bought
	PricePerHour float64     `json:"pricePerHour"` // of Nodes
	BoundPerHour float64     `json:"boundPerHour"` // no plan can be cheaper
	Seconds      float64     `json:"seconds"`      // that planning took, translation included
	Placed       []Placement `json:"placed"`       // on nodes that exist
	Unplaced     []Unplaced  `json:"unplaced"`
	Notes        []string    `json:"notes"` // what was assumed or left out
}

// Node is one node to be bought, at the cheapest of its options.
type Node struct {
	Name         string   `json:"name"` // in this plan
	Pool         string   `json:"pool"`
	InstanceType string   `json:"instanceType"`
	Zone         string   `json:"zone"`
	CapacityType string   `json:"capacityType"`
	Price        float64  `json:"price"`
	Options      int      `json:"options"` // offerings that could hold the pods
	Pods         []string `json:"pods"`
}

// Placement is a pod on a node that exists.
type Placement struct {
	Pod  string `json:"pod"`
	Node string `json:"node"`
}

// Unplaced is a pod without a place.
type Unplaced struct {
	Pod     string   `json:"pod"`
	Reasons []string `json:"reasons"` // one for each place that was looked at, in words

	// Why is the same as data: what of each place was ruled out, with numbers.
	Why explain.Tree `json:"why,omitzero"`
}

// PlanOf is the read model of a decision that took so long. Notes say what was assumed or left out.
func PlanOf(d engine.Decision, notes []string, took time.Duration) Plan {
	out := Plan{
		Header:       HeaderOf("Simulation"),
		Nodes:        make([]Node, 0, len(d.Open)),
		PricePerHour: d.Price.Float(),
		BoundPerHour: d.Bound.Float(),
		Seconds:      took.Seconds(),
		Placed:       make([]Placement, 0, len(d.Place)),
		Unplaced:     make([]Unplaced, 0, len(d.Unplaced)),
		Notes:        append([]string{}, notes...),
	}
	for i := range d.Open {
		out.Nodes = append(out.Nodes, NodeOf(&d.Open[i]))
	}
	for _, p := range d.Place {
		out.Placed = append(out.Placed, Placement{Pod: string(p.Pod), Node: p.Node})
	}
	for i := range d.Unplaced {
		u := &d.Unplaced[i]
		out.Unplaced = append(out.Unplaced, Unplaced{Pod: string(u.Pod), Reasons: reasons(&u.Why), Why: u.Why})
	}
	return out
}

// NodeOf is the read model of a node to be bought.
func NodeOf(n *engine.NewNode) Node {
	out := Node{
		Name:    n.ID,
		Pool:    n.Pool,
		Price:   n.Price.Float(),
		Options: len(n.Options),
		Pods:    make([]string, 0, len(n.Pods)),
	}
	if len(n.Options) > 0 {
		out.InstanceType, out.Zone, out.CapacityType = n.Options[0].Type, n.Options[0].Zone, n.Options[0].CapacityType
	}
	for _, id := range n.Pods {
		out.Pods = append(out.Pods, string(id))
	}
	return out
}

// Words are what is bought, in one clause.
func (n *Node) Words() string {
	return fmt.Sprintf("%s in %s, %s, $%.4f/h, from pool %s", n.InstanceType, n.Zone, n.CapacityType, n.Price, n.Pool)
}

// reasons are a tree's, one sentence for each place that was looked at.
func reasons(t *explain.Tree) []string {
	var out []string
	for i := range t.Children {
		one := explain.Tree{Children: t.Children[i : i+1]}
		out = append(out, one.Sentence())
	}
	if len(t.Groups) > 0 {
		one := explain.Tree{Groups: t.Groups}
		out = append(out, one.Sentence())
	}
	return out
}
