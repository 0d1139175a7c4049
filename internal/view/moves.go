package view

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/dovetail-sh/dovetail/engine/refit"
)

// Moves is what a search for nodes to give up has found, as it is printed. Prices are in dollars an hour.
type Moves struct {
	Moves    []Move   `json:"moves"`
	Together Sum      `json:"together"`
	Before   float64  `json:"beforePerHour"` // price of all nodes that were looked at
	After    float64  `json:"afterPerHour"`
	Stay     []Stay   `json:"stay"` // nodes, and why
	Notes    []string `json:"notes"`
}

// Move gives up nodes and opens others.
type Move struct {
	GiveUp  []string    `json:"giveUp"` // in the order in which they are drained
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
		Moves: make([]Move, 0, len(r.Moves)), Before: r.Before.Float(), After: r.After.Float(),
		Stay: make([]Stay, 0, len(r.Kept)), Notes: append([]string{}, notes...),
	}
	for i := range r.Moves {
		out.add(&r.Moves[i])
	}
	for _, k := range r.Kept {
		out.Stay = append(out.Stay, Stay{k.Node, string(k.Why.Kind), k.Why.Sentence()})
	}
	return out
}

func (m *Moves) add(from *refit.Move) {
	move := Move{
		GiveUp: from.Remove, Open: make([]Node, 0, len(from.Open)), Placed: make([]Placement, 0, len(from.Place)), Evicted: from.Pods,
		Price: from.Price.Float(), Instead: from.Instead.Float(), Need: from.Need.Float(),
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
	fmt.Fprintln(table, "GIVE UP\tOPEN\tPODS\t$/h\tINSTEAD $/h\tSAVES $/h\tAT LEAST")
	for _, move := range m.Moves {
		open := "-"
		if len(move.Open) > 0 {
			types := make([]string, len(move.Open))
			for i := range move.Open {
				types[i] = move.Open[i].InstanceType
			}
			open = strings.Join(types, ", ")
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%.4f\t%.4f\t%.4f\t%.4f\n", strings.Join(move.GiveUp, ", "), open, move.Evicted,
			move.Price, move.Instead, move.Price-move.Instead, move.Need)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(m.Stay) > 0 {
		fmt.Fprintln(t)
		stay := tabwriter.NewWriter(t, 0, 0, 3, ' ', 0)
		fmt.Fprintln(stay, "STAYS\tWHY")
		for _, s := range m.Stay {
			fmt.Fprintf(stay, "%s\t%s\n", s.Node, s.Why)
		}
		if err := stay.Flush(); err != nil {
			return err
		}
	}
	t.notes(m.Notes)
	fmt.Fprintf(t, "\n%d nodes go, %d are opened, %d pods move\nprice %.4f $/h becomes %.4f $/h\n",
		m.Together.GivenUp, m.Together.Opened, m.Together.Pods, m.Before, m.After)
	_, err := io.WriteString(w, t.String())
	return err
}
