package view

import (
	"fmt"
	"io"
	"time"
)

// Costs are what the rules of a cluster cost, dearest first.
type Costs struct {
	Header
	At      time.Time `json:"at"`
	Source  string    `json:"source"`
	PerHour PerHour   `json:"perHour"`      // of the NodePools' nodes as they are
	Anew    PerHour   `json:"anewPerHour"`  // of the whole workload bought anew
	Moved   PerHour   `json:"movedPerHour"` // of the nodes once no move is left
	Rules   []Cost    `json:"rules"`
	Untried int       `json:"untried"` // rules for which there was no time
	Missing []string  `json:"missing,omitempty"`
	Notes   []string  `json:"notes"`
}

// Cost is what one rule costs: With less Without, and never less than nothing.
type Cost struct {
	Object  string  `json:"object"`
	Rule    string  `json:"rule"`
	Pods    int     `json:"pods"` // that it concerns
	PerHour PerHour `json:"perHour"`
	// How is "anew", planned for the whole workload on new nodes, or "moves", once all moves of the fleet are made.
	How     string  `json:"how"`
	With    PerHour `json:"withPerHour"`
	Without PerHour `json:"withoutPerHour"`
	Places  int     `json:"places"` // pods that have a place only without it; prices say nothing then
}

// Text writes those that cost something for people, or all of them.
func (c *Costs) Text(w io.Writer, width int, all bool) error {
	t := &lines{}
	rows := [][]string{{"$/month", "$/h", "OF", "RULE", "WITH → WITHOUT"}}
	free := 0
	for _, r := range c.Rules {
		switch {
		case r.Places > 0:
			rows = append(
				rows,
				[]string{"-", "-", r.Object, r.Rule, count(r.Places, "pod") + " placed only without it"},
			)
		case r.PerHour > 0 || all:
			how := map[string]string{"anew": "bought anew", "moves": "after all moves"}[r.How]
			rows = append(
				rows,
				[]string{
					r.PerHour.Month()[1:],
					r.PerHour.Dollars()[1:],
					r.Object,
					r.Rule,
					r.With.Dollars() + " → " + r.Without.Dollars() + "/h " + how,
				},
			)
		default:
			free++
		}
	}
	if len(rows) > 1 {
		t.grid(width, rows...)
	}
	if free > 0 {
		fmt.Fprintf(t, "%d more cost nothing by themselves; --all lists them\n", free)
	}
	fmt.Fprintf(
		t,
		"the nodes cost %s/h; the same pods bought anew would cost %s/h\n",
		c.PerHour.Dollars(),
		c.Anew.Dollars(),
	)
	if len(rows) > 2 {
		t.WriteString("each figure is of one rule taken away alone, so they do not add up\n")
	}
	if c.Untried > 0 {
		fmt.Fprintf(t, "%s not tried for want of time; --within gives more\n", count(c.Untried, "rule"))
	}
	for _, m := range c.Missing {
		fmt.Fprintf(t, "missing: %s\n", m)
	}
	_, err := io.WriteString(w, t.String())
	return err
}
