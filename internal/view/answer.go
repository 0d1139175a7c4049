package view

import (
	"fmt"
	"io"
	"strings"

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
	NotPlanned   Verdict = "notPlanned"   // Reason says why nobody looks for a place
)

// Pod is what is to be said of one pod.
type Pod struct {
	Pod     string  `json:"pod"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // of NotPlanned
	Node    string  `json:"node,omitempty"`
	New     *Node   `json:"newNode,omitempty"`

	// Why holds for pods without a place what became of every alternative, and for pods with
	// one which alternatives could hold the pod if it were alone: what no group accounts for.
	Why explain.Tree `json:"why"`

	Notes []string `json:"notes,omitempty"`
}

// Resource is how much of one resource a node has and what is left of it.
type Resource struct {
	Name        string `json:"name"`
	Allocatable int64  `json:"allocatable"` // base units: milli-cores, bytes
	Free        int64  `json:"free"`        // after the plan
}

// NodeAnswer is what is to be said of one node.
type NodeAnswer struct {
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
	Why explain.Tree `json:"why"`

	Notes []string `json:"notes,omitempty"`
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
	case NotPlanned:
		fmt.Fprintf(t, "%s is not planned: %s\n", p.Pod, p.Reason)
	}
	if p.Verdict == NewNode || p.Verdict == ExistingNode {
		t.WriteString("what could hold it if it were alone:\n")
	}
	t.WriteString(body(&p.Why))
	t.notes(p.Notes)
	_, err := io.WriteString(w, t.String())
	return err
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
	return fmt.Sprintf("%s in %s, %s, %.4f $/h, from pool %s; %s", n.InstanceType, n.Zone, n.CapacityType, n.Price, n.Pool, choice)
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
		fmt.Fprintf(t, "  %s: %s free of %s\n", r.Name, explain.Amount(r.Name, max(r.Free, 0)), explain.Amount(r.Name, r.Allocatable))
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
	t.notes(n.Notes)
	_, err := io.WriteString(w, t.String())
	return err
}

func (n *NodeAnswer) facts(t *lines) {
	fmt.Fprintf(t, "%s exists\n", n.Node)
	if n.Pool == "" {
		t.WriteString("  not of a NodePool\n")
	} else {
		fmt.Fprintf(t, "  %s in %s, %s, %.4f $/h, from pool %s\n", n.InstanceType, n.Zone, n.CapacityType, n.Price, n.Pool)
	}
	if n.Leaving {
		t.WriteString("  being deleted\n")
	}
	if n.Kept != "" {
		fmt.Fprintf(t, "  kept: %s\n", n.Kept)
	}
}
