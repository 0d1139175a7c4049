package view

import (
	"fmt"
	"io"
	"strings"
)

// PoolReservations is what `explain pool` says of a NodePool.
type PoolReservations struct {
	Header
	Name  string `json:"name"`
	Class string `json:"class"` // kind and name of the node class
	Ready string `json:"ready"` // "True", or why it is not

	// Reserved are the capacity reservations that its nodes may be launched into, and Idle those of the account that
	// have room left which they do not use.
	Reserved []Reserved `json:"reserved,omitempty"`
	Idle     []Reserved `json:"idle,omitempty"`

	// Unwanted says that the pool's requirements leave no reserved capacity in.
	Unwanted bool `json:"unwanted,omitempty"`
}

// Reserved is one capacity reservation.
type Reserved struct {
	ID           string `json:"id"`
	InstanceType string `json:"instanceType"`
	Zone         string `json:"zone"`
	Criteria     string `json:"criteria"` // open or targeted
	State        string `json:"state,omitempty"`
	Left         int32  `json:"left,omitempty"`       // of Idle alone
	HourlyCost   string `json:"hourlyCost,omitempty"` // dollars, of what is left
}

// Text prints it for people.
func (p *PoolReservations) Text(to io.Writer) error {
	var w strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	line("NodePool %s: %s, ready: %s", p.Name, p.Class, p.Ready)
	if len(p.Reserved) == 0 {
		line("  no capacity reservation is selected")
	}
	for _, r := range p.Reserved {
		line("  reservation %s: %s in %s, %s, %s", r.ID, r.InstanceType, r.Zone, r.Criteria, r.State)
	}
	if p.Unwanted && len(p.Reserved)+len(p.Idle) > 0 {
		line("  the pool's requirements on karpenter.sh/capacity-type leave reserved capacity out")
	}
	for _, r := range p.Idle {
		cost := "at a price that is not known"
		if r.HourlyCost != "" {
			cost = "for $" + r.HourlyCost + " an hour"
		}
		line("  idle %s: room for %d more %s in %s, %s, %s", r.ID, r.Left, r.InstanceType, r.Zone, cost, useOf(r))
	}
	_, err := io.WriteString(to, w.String())
	return err
}

// useOf is how an idle reservation would be used.
func useOf(r Reserved) string {
	if r.Criteria == "open" {
		return "open: select it in capacityReservationSelectorTerms, or set --use-open-reservations"
	}
	return r.Criteria + ": select it in capacityReservationSelectorTerms"
}
