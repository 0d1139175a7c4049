package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/engine/explain"
)

// Verdict is what became of a pod.
type Verdict string

// Verdicts.
const (
	NoPlace      Verdict = "unplaced"     // Why says why
	NewNode      Verdict = "newNode"      // on New, which is to be bought
	ExistingNode Verdict = "existingNode" // on Node, which has room
	HasNode      Verdict = "hasNode"      // runs on Node, or is on its way there
	Awaits       Verdict = "awaits"       // planned on Node, which Stage keeps from taking it yet
	NotPlanned   Verdict = "notPlanned"   // Reason says why nobody looks for a place
)

// Pod is what is to be said of one pod.
type Pod struct {
	Header
	Pod     string  `json:"pod"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // of NotPlanned
	Node    string  `json:"node,omitempty"`
	New     *Node   `json:"newNode,omitempty"`

	// Why holds for pods without a place what became of every alternative, and for pods with
	// one which alternatives could hold the pod if it were alone: what no group accounts for.
	Why explain.Tree `json:"why,omitzero"`

	Remedy *Remedy `json:"remedy,omitempty"` // for pods without a place

	At    time.Time `json:"at,omitzero"`
	From  string    `json:"from,omitempty"`  // the node that it is still on, which goes
	Stage *Stage    `json:"stage,omitempty"` // of From or Node, unless that takes pods like any other
	Known *Known    `json:"known,omitempty"` // what the controller says, where it was asked
	Notes []string  `json:"notes,omitempty"`
}

// Resource is how much of one resource a node has and what is left of it.
type Resource struct {
	Name        string `json:"name"`
	Unit        string `json:"unit"` // of both: millicores, bytes or count
	Allocatable int64  `json:"allocatable"`
	Free        int64  `json:"free"` // after the plan
}

// NodeAnswer is what is to be said of one node.
type NodeAnswer struct {
	Header
	Node         string     `json:"node"`
	New          *Node      `json:"newNode,omitempty"` // for one that the plan opens
	Pool         string     `json:"pool,omitempty"`
	InstanceType string     `json:"instanceType,omitempty"`
	Zone         string     `json:"zone,omitempty"`
	CapacityType string     `json:"capacityType,omitempty"`
	Price        float64    `json:"price,omitempty"`
	Kept         string     `json:"kept,omitempty"` // why it is not disrupted
	Leaving      bool       `json:"leaving,omitempty"`
	Resources    []Resource `json:"resources,omitempty"`
	Running      []string   `json:"running,omitempty"`
	Placed       []string   `json:"placed,omitempty"` // by this plan

	// Why says of the other pods that wait what keeps them off this node.
	Why explain.Tree `json:"why,omitzero"`

	Stays     string    `json:"stays,omitempty"`     // why it is still here, in one clause
	Remedy    *Remedy   `json:"remedy,omitempty"`    // what would free it
	PriceFrom string    `json:"priceFrom,omitempty"` // who says what it costs; see Machine
	At        time.Time `json:"at,omitzero"`
	Stage     *Stage    `json:"stage,omitempty"` // unless it takes pods like any other
	Known     *Known    `json:"known,omitempty"` // what the controller says, where it was asked
	Notes     []string  `json:"notes,omitempty"`
}

// Text writes the answer for people.
func (p *Pod) Text(w io.Writer) error {
	t := &lines{}
	switch p.Verdict {
	case NoPlace:
		fmt.Fprintf(t, "%s cannot be placed\n", p.Pod)
	case NewNode:
		fmt.Fprintf(t, "%s goes on new node %s, %s\n  %s\n", p.Pod, p.Node, company(len(p.New.Pods)-1), bought(p.New))
	case ExistingNode:
		fmt.Fprintf(t, "%s goes on node %s, which has room\n", p.Pod, p.Node)
	case HasNode:
		fmt.Fprintf(t, "%s has its place on node %s\n", p.Pod, p.Node)
	case Awaits:
		fmt.Fprintf(t, "%s waits for %s, which is %s\n", p.Pod, place(p.Node, p.Stage), p.Stage.Words(p.At))
	case NotPlanned:
		fmt.Fprintf(t, "%s is not planned: %s\n", p.Pod, p.Reason)
	}
	if p.Verdict == NewNode || p.Verdict == ExistingNode {
		t.WriteString("what could hold it if it were alone:\n")
	}
	switch {
	case p.Stage == nil || p.Verdict == Awaits:
	case p.From != "":
		fmt.Fprintf(t, "until then it is on node %s, which is %s\n", p.From, p.Stage.Words(p.At))
	default:
		fmt.Fprintf(t, "  the node is %s\n", p.Stage.Words(p.At))
	}
	t.WriteString(body(&p.Why))
	t.remedy(p.Remedy)
	t.known(p.Known, p.At)
	t.notes(p.Notes)
	_, err := io.WriteString(w, t.String())
	return err
}

// place is a node by its name, or the claim that is to become one.
func place(node string, s *Stage) string {
	if s.Claim != "" && (s.Phase == Launching || s.Phase == Launched) {
		return "NodeClaim " + s.Claim
	}
	return "node " + node
}

func (t *lines) known(k *Known, at time.Time) {
	if k == nil {
		return
	}
	for _, line := range k.Lines(at) {
		fmt.Fprintf(t, "controller: %s\n", line)
	}
}

// company is who shares a new node with a pod.
func company(others int) string {
	if others == 0 {
		return "alone"
	}
	return "with " + count(others, "other pod")
}

// bought is one line on what a new node is bought as.
func bought(n *Node) string {
	choice := "the only offering that could hold its pods"
	if n.Options > 1 {
		choice = fmt.Sprintf("the cheapest of %d offerings that could hold its pods", n.Options)
	}
	return fmt.Sprintf("%s in %s, %s, $%.4f/h, from pool %s; %s", n.InstanceType, n.Zone, n.CapacityType, n.Price,
		n.Pool, choice)
}

func (t *lines) notes(notes []string) {
	for _, note := range notes {
		fmt.Fprintf(t, "note: %s\n", note)
	}
}

// Text writes the answer for people.
func (n *NodeAnswer) Text(w io.Writer) error {
	t := &lines{}
	if n.New != nil {
		fmt.Fprintf(t, "%s is a node to be bought\n  %s\n", n.Node, bought(n.New))
	} else {
		n.facts(t)
	}
	for _, r := range n.Resources {
		if n.Stage != nil && n.Stage.Phase != Registered {
			fmt.Fprintf(t, "  %s: %s, nothing of it for new pods\n", r.Name, explain.Amount(r.Name, r.Allocatable))
			continue
		}
		fmt.Fprintf(
			t,
			"  %s: %s free of %s\n",
			r.Name,
			explain.Amount(r.Name, max(r.Free, 0)),
			explain.Amount(r.Name, r.Allocatable),
		)
	}
	for _, list := range []struct {
		what string
		pods []string
	}{{"running", n.Running}, {"placed here", n.Placed}} {
		if len(list.pods) > 0 {
			fmt.Fprintf(t, "%s (%d): %s\n", list.what, len(list.pods), strings.Join(list.pods, ", "))
		}
	}
	if n.Why.Of > 0 {
		var b strings.Builder
		branch(&b, &n.Why, "", "could also go here")
		t.WriteString(b.String())
	}
	if n.Stays != "" {
		fmt.Fprintf(t, "still here: %s\n", n.Stays)
	}
	t.remedy(n.Remedy)
	t.known(n.Known, n.At)
	t.notes(n.Notes)
	_, err := io.WriteString(w, t.String())
	return err
}

func (n *NodeAnswer) facts(t *lines) {
	if n.Stage == nil {
		fmt.Fprintf(t, "%s exists\n", n.Node)
	} else {
		fmt.Fprintf(t, "%s is %s\n", place(n.Node, n.Stage), n.Stage.Words(n.At))
	}
	switch {
	case n.Pool == "":
		t.WriteString("  not of a NodePool\n")
	case n.InstanceType == "":
		fmt.Fprintf(t, "  of pool %s; which machine it becomes is not decided\n", n.Pool)
	default:
		fmt.Fprintf(t, "  %s in %s, %s, %s, from pool %s\n", n.InstanceType, n.Zone, n.CapacityType, n.cost(), n.Pool)
	}
	if n.Leaving && n.Stage == nil {
		t.WriteString("  being deleted\n")
	}
	if n.Kept != "" {
		fmt.Fprintf(t, "  kept: %s\n", n.Kept)
	}
}

// cost is the price and who says so; nothing costs $0.0000 for want of a price.
func (n *NodeAnswer) cost() string {
	switch {
	case n.Price == 0:
		return "price unknown"
	case n.Known != nil && n.Known.Price > 0:
		return fmt.Sprintf("$%.4f/h", n.Price)
	case n.PriceFrom == "plan":
		return fmt.Sprintf("$%.4f/h when it was bought", n.Price)
	case n.PriceFrom == "pool" || n.PriceFrom == "catalogue":
		return fmt.Sprintf("$%.4f/h by the built-in catalogue", n.Price)
	}
	return fmt.Sprintf("$%.4f/h", n.Price)
}
