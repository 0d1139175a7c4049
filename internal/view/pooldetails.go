package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/engine/explain"
)

// PoolDetails is what `explain pool` says of a NodePool.
type PoolDetails struct {
	Header
	Pool
	Class string `json:"class"` // kind and name of the node class
	Ready string `json:"ready"` // "True", or why it is not

	// Offers are what it may buy by capacity type, ascending by name.
	Offers []Offers `json:"offers"`

	// Keeps are the reasons why its nodes are still there, the dearest first.
	Keeps []Keep `json:"keeps,omitempty"`

	// Reserved are the capacity reservations that its nodes may be launched into, and Idle those of the account that
	// have room left which they do not use.
	Reserved []Reserved `json:"reserved,omitempty"`
	Idle     []Reserved `json:"idle,omitempty"`

	// Unwanted says that the pool's requirements leave no reserved capacity in.
	Unwanted bool `json:"unwanted,omitempty"`
}

// Offers are what can be bought of one capacity type: an instance type in a zone is one.
type Offers struct {
	CapacityType  string  `json:"capacityType"`
	Offers        int     `json:"offers"`        // that the requirements of NodePool and class allow
	Available     int     `json:"available"`     // of these, what the cloud has as far as is known
	InstanceTypes int     `json:"instanceTypes"` // of what is available
	Lowest        PerHour `json:"lowestPerHour"` // of what is available
}

// Keep is a reason why nodes are still there.
type Keep struct {
	Kind    string  `json:"kind"` // as in the fleet's whyKind; empty where nothing is known
	Nodes   int     `json:"nodes"`
	PerHour PerHour `json:"perHour"`
	Node    string  `json:"node"` // the dearest of them
	Why     string  `json:"why"`  // of that node
}

// KeepsOf groups a pool's nodes by why they are still there.
func KeepsOf(nodes []Machine, pool string) []Keep {
	at := map[string]int{}
	var out []Keep
	dearest := map[string]PerHour{}
	for i := range nodes {
		m := &nodes[i]
		if m.Pool != pool {
			continue
		}
		k, seen := at[m.WhyKind]
		if !seen {
			k = len(out)
			at[m.WhyKind], out = k, append(out, Keep{Kind: m.WhyKind})
		}
		if out[k].Node == "" || m.Price > dearest[m.WhyKind] {
			dearest[m.WhyKind] = m.Price
			out[k].Node, out[k].Why = cmp.Or(m.Name, m.Claim), m.Why
		}
		out[k].Nodes++
		out[k].PerHour += m.Price
	}
	slices.SortStableFunc(out, func(a, b Keep) int {
		return cmp.Or(cmp.Compare(b.PerHour, a.PerHour), cmp.Compare(a.Kind, b.Kind))
	})
	return out
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
func (p *PoolDetails) Text(to io.Writer) error {
	var w strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&w, format+"\n", args...) }
	line("NodePool %s: %s, %s/h; %s, ready: %s", p.Name, count(p.Nodes, "node"), p.PerHour.Dollars(), p.Class, p.Ready)
	p.room(line)
	for _, k := range p.Keeps {
		line("  %s, %s/h: %s; %s: %s", count(k.Nodes, "node"), k.PerHour.Dollars(), cmp.Or(k.Kind, "unknown"), k.Node,
			cmp.Or(k.Why, "nothing is known of why it is still here"))
	}
	p.reservations(line)
	_, err := io.WriteString(to, w.String())
	return err
}

// room says what the pool may still buy, and what it may give up.
func (p *PoolDetails) room(line func(string, ...any)) {
	if p.Trouble != "" {
		line("  it launches nothing: %s", p.Trouble)
	}
	if len(p.Offers) == 0 {
		line("  no offer meets its requirements")
	}
	for _, o := range p.Offers {
		lowest := ""
		if o.Available > 0 {
			lowest = ", from " + o.Lowest.Dollars() + "/h"
		}
		line("  %s: %d of %s available, of %s%s", o.CapacityType, o.Available, count(o.Offers, "offer"),
			count(o.InstanceTypes, "instance type"), lowest)
	}
	for _, l := range p.Limits {
		line("  limit on %s: %s of %s used", l.Resource, explain.Amount(l.Resource, l.Used),
			explain.Amount(l.Resource, l.Max))
	}
	for _, b := range p.Budgets {
		switch {
		case b.Trouble != "":
			line("  budgets for %s: %s", b.Reason, b.Trouble)
		case b.Allowed >= 0:
			line("  budgets for %s: %s at once, %d on the way out", b.Reason, count(b.Allowed, "node"), b.Going)
		}
	}
	if p.Held != "" {
		line("  held %s: nothing is disrupted by choice", p.Held)
	}
	if p.Outdated > 0 {
		line("  a rollout has yet to replace %s", count(p.Outdated, "node"))
	}
}

func (p *PoolDetails) reservations(line func(string, ...any)) {
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
}

// useOf is how an idle reservation would be used.
func useOf(r Reserved) string {
	if r.Criteria == "open" {
		return "open: select it in capacityReservationSelectorTerms, or set --use-open-reservations"
	}
	return r.Criteria + ": select it in capacityReservationSelectorTerms"
}
