package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Forecast is what a controller would do to a cluster, as it is printed, saved and held against what came.
type Forecast struct {
	Header
	At     time.Time `json:"at"`
	Source string    `json:"source"`
	Change []string  `json:"change"` // what is tried, one clause each; empty for nothing

	Totals Totals `json:"totals"`
	// Anyway is what would happen without the change; nil if there is none.
	Anyway *Totals `json:"anyway,omitempty"`

	Steps    []Step     `json:"steps"` // in their order
	Unplaced []Unplaced `json:"unplaced"`
	Waits    []Stay     `json:"waits"` // nodes that are to go, and that budgets hold
	Base     Base       `json:"base"`
	Missing  []string   `json:"missing,omitempty"`
	Notes    []string   `json:"notes"`
}

// Totals are a forecast in numbers.
type Totals struct {
	Add       int     `json:"add"`     // nodes bought for pods that wait
	Remove    int     `json:"remove"`  // nodes given up for good
	Replace   int     `json:"replace"` // nodes given up for others
	Opened    int     `json:"opened"`  // those others
	Evictions int     `json:"evictions"`
	Unplaced  int     `json:"unplaced"` // pods
	Before    PerHour `json:"beforePerHour"`
	After     PerHour `json:"afterPerHour"`
	Bound     PerHour `json:"boundPerHour"` // no fleet for the same pods can be cheaper
	Unpriced  int     `json:"unpriced"`     // nodes whose price nobody knows; they are in no sum
}

// Step is nodes that come or go together.
type Step struct {
	Kind    string    `json:"kind"` // add, remove, replace or lose
	Round   int       `json:"round,omitempty"`
	Reason  string    `json:"reason"`
	GiveUp  []Machine `json:"giveUp,omitempty"`
	Open    []Node    `json:"open,omitempty"`
	Evicted int       `json:"evicted"`
	Change  PerHour   `json:"changePerHour"`
}

// Base is what the cluster was when it was planned, as far as it is needed to say later what moved in between.
type Base struct {
	Nodes []string          `json:"nodes"` // of NodePools, ascending
	Pods  map[string]string `json:"pods"`  // by name: the node, empty for those that waited
	Pools map[string]string `json:"pools"` // by name: a hash of the spec
}

// Changes reports whether anything would change.
func (t *Totals) Changes() bool { return t.Add+t.Remove+t.Replace > 0 || t.Unplaced > 0 }

// Line is the counted line: the first and the last of a plan.
func (t *Totals) Line() string {
	if t.Add+t.Remove+t.Replace == 0 {
		if t.Unplaced > 0 {
			return fmt.Sprintf(
				"Plan: no node changes, %s without a place, %s/h%s",
				count(t.Unplaced, "pod"),
				t.Before.Dollars(),
				t.bound(),
			)
		}
		return fmt.Sprintf("No changes. %s/h%s%s", t.Before.Dollars(), t.bound(), t.unknown())
	}
	percent := ""
	if t.Before > 0 {
		percent = fmt.Sprintf(" (%+.1f %%)", 100*float64(t.After-t.Before)/float64(t.Before))
	}
	out := fmt.Sprintf(
		"Plan: +%d -%d ↻%d nodes, %s, %s/h%s, %s → %s%s",
		t.Add,
		t.Remove,
		t.Replace,
		count(t.Evictions, "eviction"),
		(t.After - t.Before).Change(),
		percent,
		t.Before.Dollars(),
		t.After.Dollars(),
		t.bound(),
	)
	if t.Unplaced > 0 {
		out += ", " + count(t.Unplaced, "pod") + " without a place"
	}
	return out + t.unknown()
}

// bound is left out where there is none: no pod can be placed at all.
func (t *Totals) bound() string {
	if t.Bound == 0 {
		return ""
	}
	return ", bound " + t.Bound.Dollars() + "/h"
}

func (t *Totals) unknown() string {
	if t.Unpriced == 0 {
		return ""
	}
	return fmt.Sprintf(", %d nodes without a known price left out", t.Unpriced)
}

// mostLines is how many lines a plan has unless all are asked for.
const mostLines = 40

// Text writes the plan for people: the counted line first and last, what comes and goes in groups, at most forty lines
// unless all is set. Nodes that go are named, whatever the number.
func (f *Forecast) Text(w io.Writer, all bool) error {
	t := &lines{}
	line := f.Totals.Line()
	fmt.Fprintln(t, line)
	if len(f.Change) > 0 {
		fmt.Fprintf(t, "  if: %s\n", strings.Join(f.Change, "; "))
	}
	if f.Anyway != nil {
		fmt.Fprintf(t, "  without that: %s\n", f.Anyway.Line())
	}
	groups := f.grouped()
	tail := f.tail(all)
	room := mostLines - strings.Count(t.String(), "\n") - len(tail) - 2
	if all || len(groups) <= room {
		room = len(groups)
	} else {
		room = max(room-2, 0)
	}
	for _, g := range groups[:room] {
		fmt.Fprintln(t, "  "+g.text)
	}
	if rest := groups[room:]; len(rest) > 0 {
		var names []string
		for _, g := range rest {
			names = append(names, g.names...)
		}
		fmt.Fprintf(t, "  … and %s more; -v lists them\n", count(len(rest), "group"))
		if len(names) > 0 {
			fmt.Fprintf(t, "  … with them go: %s\n", strings.Join(names, ", "))
		}
	}
	for _, l := range tail {
		fmt.Fprintln(t, "  "+l)
	}
	if len(groups)+len(tail) > 0 {
		fmt.Fprintln(t, line)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// group is steps that are alike in one line.
type group struct {
	text  string
	names []string // of nodes that go
}

func (f *Forecast) grouped() []group {
	type sum struct {
		Step
		rise  bool
		names []string
		opens int
	}
	var order []string
	sums := map[string]*sum{}
	for i := range f.Steps {
		s := &f.Steps[i]
		key := s.Kind + "\x00" + s.Reason + "\x00" + openText(
			s.Open,
		) + "\x00" + goText(
			s.GiveUp,
		) + fmt.Sprint(
			s.Change > 0,
		)
		g := sums[key]
		if g == nil {
			g = &sum{
				Step: Step{Kind: s.Kind, Reason: s.Reason, GiveUp: s.GiveUp, Open: s.Open},
				rise: s.Kind == "replace" && s.Change > 0,
			}
			sums[key] = g
			order = append(order, key)
		}
		g.Evicted += s.Evicted
		g.Change += s.Change
		g.opens += len(s.Open)
		for j := range s.GiveUp {
			g.names = append(g.names, s.GiveUp[j].Name)
		}
	}
	slices.SortStableFunc(
		order,
		func(a, b string) int { return cmp.Compare(kindRank[sums[a].Kind], kindRank[sums[b].Kind]) },
	)
	var out []group
	for _, key := range order {
		g := sums[key]
		text := ""
		switch g.Kind {
		case "add":
			text = fmt.Sprintf("+ %d %s", g.opens, openText(g.Open))
		case "replace":
			text = fmt.Sprintf("↻ %d %s → %d %s", len(g.names), goText(g.GiveUp), g.opens, openText(g.Open))
		default:
			text = fmt.Sprintf("- %d %s", len(g.names), goText(g.GiveUp))
		}
		text += fmt.Sprintf(", %s, %s/h", g.Reason, g.Change.Change())
		if g.rise {
			text += ", DEARER"
		}
		if g.Evicted > 0 {
			text += ", " + count(g.Evicted, "eviction")
		}
		if len(g.names) > 0 {
			text += ": " + strings.Join(g.names, ", ")
		}
		out = append(out, group{text, g.names})
	}
	return out
}

var kindRank = map[string]int{"lose": 0, "remove": 1, "replace": 2, "add": 3}

func openText(nodes []Node) string {
	return texts(len(nodes), func(i int) string {
		return nodes[i].InstanceType + " " + nodes[i].Zone + " " + nodes[i].CapacityType + " (" + nodes[i].Pool + ")"
	})
}

func goText(machines []Machine) string {
	return texts(len(machines), func(i int) string {
		return machines[i].InstanceType + " " + machines[i].CapacityType + " (" + cmp.Or(
			machines[i].Pool,
			"no pool",
		) + ")"
	})
}

func texts(n int, of func(i int) string) string {
	var out []string
	for i := range n {
		if s := of(i); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return strings.Join(out, " + ")
}

// tailLines is how many pods, nodes that wait and notes are told one by one.
const tailLines = 4

// tail are the lines after the steps: pods without a place, what waits for budgets, the order, what is missing, and
// notes.
func (f *Forecast) tail(all bool) (out []string) {
	few := func(list []string, what string) {
		for i, l := range list {
			if i >= tailLines && !all {
				out = append(out, fmt.Sprintf("… and %d more %s", len(list)-i, what))
				return
			}
			out = append(out, l)
		}
	}
	var list []string
	for _, u := range f.Unplaced {
		list = append(list, "! no place for "+u.Pod+": "+strings.Join(u.Reasons, "; "))
	}
	few(list, "pods without a place")
	if len(f.Waits) > 0 {
		list = nil
		for _, s := range grouped(append([]Stay{}, f.Waits...)) {
			list = append(list, "waits: "+s.Node+": "+s.Why)
		}
		few(list, "nodes that wait")
	}
	rounds := map[int]int{}
	last := 0
	for i := range f.Steps {
		rounds[f.Steps[i].Round] += len(f.Steps[i].GiveUp)
		last = max(last, f.Steps[i].Round)
	}
	if last > 1 {
		var parts []string
		for r := 1; r <= last; r++ {
			parts = append(parts, fmt.Sprint(rounds[r]))
		}
		out = append(
			out,
			fmt.Sprintf("order: nodes go in %d rounds as budgets let them: %s", last, strings.Join(parts, ", ")),
		)
	}
	list = nil
	for _, m := range f.Missing {
		list = append(list, "missing: "+m)
	}
	for _, n := range f.Notes {
		list = append(list, "note: "+n)
	}
	few(list, "notes")
	return out
}
