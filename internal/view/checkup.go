package view

import (
	"fmt"
	"io"
	"time"
)

// Checkup is what a look for faults has found.
type Checkup struct {
	Header
	At       time.Time `json:"at"`
	Checked  int       `json:"checked"` // how many checks were made
	Findings []Finding `json:"findings"`
}

// Finding is one fault.
type Finding struct {
	Code     string `json:"code"`     // stable
	Severity string `json:"severity"` // error or warning
	Title    string `json:"title"`
	Object   string `json:"object"`
	Message  string `json:"message"`
	Fix      string `json:"fix"`  // the command that mends it
	Page     string `json:"page"` // what it means, in the documentation
}

// Errors is how many findings are no mere warnings.
func (c *Checkup) Errors() (n int) {
	for i := range c.Findings {
		if c.Findings[i].Severity == "error" {
			n++
		}
	}
	return n
}

// Text writes the findings for people; short says nothing if there are none.
func (c *Checkup) Text(w io.Writer, short bool) error {
	t := &lines{}
	for i := range c.Findings {
		f := &c.Findings[i]
		fmt.Fprintf(t, "%s %s  %s: %s\n", f.Code, f.Severity, Clean(f.Object), Clean(f.Message))
		if !short {
			fmt.Fprintf(t, "      mend: %s\n      page: %s\n", f.Fix, f.Page)
		}
	}
	if !short {
		fmt.Fprintf(
			t,
			"%s made, %s, %s\n",
			count(c.Checked, "check"),
			count(c.Errors(), "error"),
			count(len(c.Findings)-c.Errors(), "warning"),
		)
	}
	_, err := io.WriteString(w, t.String())
	return err
}
