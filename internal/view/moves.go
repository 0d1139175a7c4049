package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/dovetail-sh/dovetail/engine/refit"
)

// Moves is what a search for nodes to give up has found, as it is printed. Prices are in dollars an hour.
type Moves struct {
	Header
	Moves    []Move   `json:"moves"`
	Together Sum      `json:"together"`
	Before   float64  `json:"beforePerHour"` // price of all nodes that were looked at
	After    float64  `json:"afterPerHour"`
	Stay     []Stay   `json:"stay"` // nodes, and why
	Notes    []string `json:"notes"`
}

// Move gives up nodes and opens others.
type Move struct {
	Round int `json:"round,omitempty"` // 1 for what is begun at once
	// Reason is Empty, Drifted, Underutilized or Expired; of searches it is Underutilized.
	Reason  string      `json:"reason,omitempty"`
	Why     string      `json:"why,omitempty"`
	Later   []string    `json:"later,omitempty"` // those of GiveUp for which budgets make it wait
	GiveUp  []string    `json:"giveUp"`          // in the order in which they are drained
	Open    []Node      `json:"open"`
	Placed  []Placement `json:"placed"` // on nodes that exist
	Evicted int         `json:"evicted"`
	Price   float64     `json:"price"`   // of the nodes given up
	Instead float64     `json:"instead"` // of those opened
	Need    float64     `json:"need"`    // that had to be saved at least
}

// Sum is what moves do together.
type Sum struct {
	Pods    int     `json:"pods"` // that are evicted
	GivenUp int     `json:"givenUp"`
	Opened  int     `json:"opened"`
	Saving  float64 `json:"saving"`
}

// Stay is a node that stays.
type Stay struct {
	Node string `json:"node"`
	Kind string `json:"kind"`
	Why  string `json:"why"`
}

// MovesOf is the read model of a search.
func MovesOf(r refit.Result, notes []string) Moves {
	out := Moves{
		Header: HeaderOf("Consolidation"),
		Moves:  make([]Move, 0, len(r.Moves)), Before: r.Before.Float(), After: r.After.Float(),
		Stay: make([]Stay, 0, len(r.Kept)), Notes: append([]string{}, notes...),
	}
	for i := range r.Moves {
		out.Add(&r.Moves[i])
	}
	for _, k := range r.Kept {
		out.Stay = append(out.Stay, Stay{k.Node, string(k.Why.Kind), k.Why.Sentence()})
	}
	return out
}

// Add appends a move and counts it.
func (m *Moves) Add(from *refit.Move) {
	move := Move{
		GiveUp:  from.Remove,
		Open:    make([]Node, 0, len(from.Open)),
		Placed:  make([]Placement, 0, len(from.Place)),
		Evicted: from.Pods,
		Price:   from.Price.Float(),
		Instead: from.Instead.Float(),
		Need:    from.Need.Float(),
	}
	for i := range from.Open {
		move.Open = append(move.Open, NodeOf(&from.Open[i]))
	}
	for _, p := range from.Place {
		move.Placed = append(move.Placed, Placement{Pod: string(p.Pod), Node: p.Node})
	}
	m.Moves = append(m.Moves, move)
	m.Together.Pods += from.Pods
	m.Together.GivenUp += len(from.Remove)
	m.Together.Opened += len(from.Open)
	m.Together.Saving += from.Saving().Float()
}

// Table writes the moves for people: one line for each, then why the other nodes stay, then the sum.
func (m *Moves) Table(w io.Writer) error {
	t := &lines{}
	table := tabwriter.NewWriter(t, 0, 0, 3, ' ', 0)
	first := ""
	if slices.ContainsFunc(m.Moves, func(one Move) bool { return one.Reason != "" }) {
		first = "REASON\t"
	}
	rounds := slices.ContainsFunc(m.Moves, func(one Move) bool { return one.Round > 1 })
	if rounds {
		first = "ROUND\t" + first
	}
	fmt.Fprintln(table, first+"GIVE UP\tOPEN\tPODS\t$/h\tINSTEAD $/h\tSAVES $/h\tAT LEAST")
	for _, move := range m.Moves {
		if rounds {
			fmt.Fprintf(table, "%d\t", move.Round)
		}
		if first != "" {
			fmt.Fprintf(table, "%s\t", move.Reason)
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.4f\t%.4f\t%.4f\t%.4f\n", move.giveUp(), move.open(), move.Evicted,
			move.Price, move.Instead, move.Price-move.Instead, move.Need)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(m.Stay) > 0 {
		fmt.Fprintln(t)
		stay := tabwriter.NewWriter(t, 0, 0, 3, ' ', 0)
		fmt.Fprintln(stay, "STAYS\tWHY")
		for _, s := range grouped(m.Stay) {
			fmt.Fprintf(stay, "%s\t%s\n", s.Node, s.Why)
		}
		if err := stay.Flush(); err != nil {
			return err
		}
	}
	t.notes(m.Notes)
	fmt.Fprintf(t, "\n%d nodes go, %d are opened, %d pods move\nprice $%.4f/h becomes $%.4f/h\n",
		m.Together.GivenUp, m.Together.Opened, m.Together.Pods, m.Before, m.After)
	_, err := io.WriteString(w, t.String())
	return err
}

// giveUp names the nodes, and says which of them wait for their budgets.
func (m *Move) giveUp() string {
	names := slices.Clone(m.GiveUp)
	for i, name := range names {
		if slices.Contains(m.Later, name) {
			names[i] = name + " (later)"
		}
	}
	return strings.Join(names, ", ")
}

// open names the types of the new nodes.
func (m *Move) open() string {
	if len(m.Open) == 0 {
		return "-"
	}
	types := make([]string, len(m.Open))
	for i := range m.Open {
		types[i] = m.Open[i].InstanceType
	}
	return strings.Join(types, ", ")
}

// oneByOne is up to how many nodes that stay are printed each by itself.
const oneByOne = 40

// grouped are nodes that stay, those with the same reason in one line if there are many.
func grouped(list []Stay) []Stay {
	if len(list) <= oneByOne {
		return list
	}
	var out []Stay
	at, count := map[string]int{}, map[string]int{}
	for _, s := range list {
		if _, known := at[s.Why]; !known {
			at[s.Why] = len(out)
			out = append(out, s)
		}
		count[s.Why]++
	}
	for why, n := range count {
		if n > 1 {
			out[at[why]].Node += fmt.Sprintf(" and %d more", n-1)
		}
	}
	return out
}
