package view

import (
	"fmt"
	"time"

	"github.com/dovetail-sh/dovetail/engine/explain"
)

// Stage is how far a machine is that does not take pods like any other, as its objects say.
type Stage struct {
	Claim   string    `json:"claim,omitempty"`
	Phase   Phase     `json:"phase"`
	Since   time.Time `json:"since,omitzero"`
	Reason  string    `json:"reason,omitempty"`  // of the condition that is not met
	Message string    `json:"message,omitempty"` // in the words of whoever set it; or what a drain waits for
}

// Words say it at a time: "launching for 45s (Unauthorized: …)".
func (s *Stage) Words(now time.Time) string {
	out := string(s.Phase)
	if !s.Since.IsZero() {
		out += " for " + Age(s.Since, now)
	}
	switch {
	case s.Reason != "" && s.Message != "":
		out += fmt.Sprintf(" (%s: %s)", Clean(s.Reason), Clean(s.Message))
	case s.Message != "":
		out += ": " + Clean(s.Message)
	}
	return out
}

// Known is what the running controller says of a pod or a node, and no object tells.
type Known struct {
	Header
	At   time.Time `json:"at"`
	Node string    `json:"node,omitempty"` // of a pod: the node or NodeClaim that it is planned on

	// Why is why the last plan had no place for a pod; PlannedAt when that was, NextPlan when it is made anew at the
	// latest. Anything that changes in the cluster may bring it sooner.
	Why       explain.Tree `json:"why,omitzero"`
	PlannedAt time.Time    `json:"plannedAt,omitzero"`
	NextPlan  time.Time    `json:"nextPlan,omitzero"`

	// Attempts is how often the launch of the node's claim failed, NextLaunch when it is tried again, GiveUp when the
	// claim is given up.
	Attempts   int       `json:"attempts,omitempty"`
	NextLaunch time.Time `json:"nextLaunch,omitzero"`
	GiveUp     time.Time `json:"giveUp,omitzero"`

	// PricesAt is since when the controller has its prices; zero for those that are built in. Price is what the node
	// costs by them.
	PricesAt time.Time `json:"pricesAt,omitzero"`
	Price    PerHour   `json:"pricePerHour,omitempty"`
	SoldOut  int       `json:"soldOut"` // offerings that the cloud has none of just now, of Offerings in all NodePools
	Offered  int       `json:"offered"`
}

// Lines are what it says, one sentence each, as of a time.
func (k *Known) Lines(now time.Time) (out []string) {
	in := func(at time.Time) string { return max(at.Sub(now), 0).Round(time.Second).String() }
	if k.Attempts > 0 {
		line := fmt.Sprintf("the launch failed %s; tried again in %s", times(k.Attempts), in(k.NextLaunch))
		if !k.GiveUp.IsZero() {
			line += ", given up in " + in(k.GiveUp)
		}
		out = append(out, line)
	}
	if !k.PlannedAt.IsZero() {
		out = append(out, fmt.Sprintf("last planned %s ago, and again in %s at the latest", Age(k.PlannedAt, now),
			in(k.NextPlan)))
	}
	if k.SoldOut > 0 {
		out = append(out, fmt.Sprintf("the cloud has none of %d of %d offerings just now", k.SoldOut, k.Offered))
	}
	if k.PricesAt.IsZero() {
		return append(out, "prices are those built in")
	}
	return append(out, fmt.Sprintf("prices are %s old", Age(k.PricesAt, now)))
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// Add puts in what the controller says, or a note on why it says nothing. What it says of a pod without a place counts
// for more than what was planned without it.
func (p *Pod) Add(k *Known, note string) {
	if note != "" {
		p.Notes = append(p.Notes, note)
	}
	if k == nil {
		return
	}
	if p.At.IsZero() {
		p.At = k.At
	}
	p.Known = k
	if len(k.Why.Groups)+len(k.Why.Children) > 0 {
		p.Verdict, p.Why, p.New, p.Node, p.Stage = NoPlace, k.Why, nil, "", nil
	}
}

// Add puts in what the controller says, or a note on why it says nothing.
func (n *NodeAnswer) Add(k *Known, note string) {
	if note != "" {
		n.Notes = append(n.Notes, note)
	}
	if k == nil {
		return
	}
	if n.At.IsZero() {
		n.At = k.At
	}
	n.Known = k
	if k.Price > 0 {
		n.Price = k.Price.Dollar()
	}
}
