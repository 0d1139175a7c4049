package view

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Outcome is how close reality came to a saved plan.
type Outcome struct {
	Header
	Planned time.Time `json:"planned"`
	At      time.Time `json:"at"`

	Price   PerHour `json:"plannedPerHour"`
	Actual  PerHour `json:"actualPerHour"`
	Percent float64 `json:"percent"` // by which they differ

	PlannedNodes int      `json:"plannedNodes"`
	Nodes        int      `json:"nodes"`
	ToGo         int      `json:"toGo"` // nodes that were to go
	Gone         int      `json:"gone"` // of them
	Left         []string `json:"left"` // of them, those that are still there

	Meanwhile []string `json:"meanwhile"` // what moved beside the plan, one clause each
}

// Within reports whether price and nodes that were to go are as planned, give or take so many percent.
func (o *Outcome) Within(percent float64) bool { return o.Percent <= percent && len(o.Left) == 0 }

// Text writes the outcome for people.
func (o *Outcome) Text(w io.Writer) error {
	t := &lines{}
	fmt.Fprintf(t, "planned %s, now %s: off by %.1f %%\n", o.Price.Dollars()+"/h", o.Actual.Dollars()+"/h", o.Percent)
	fmt.Fprintf(t, "  nodes: %d planned, %d there\n  given up: %d of %d\n", o.PlannedNodes, o.Nodes, o.Gone, o.ToGo)
	if len(o.Left) > 0 {
		fmt.Fprintf(t, "  still there: %s\n", strings.Join(o.Left, ", "))
	}
	for _, m := range o.Meanwhile {
		fmt.Fprintf(t, "  meanwhile: %s\n", m)
	}
	_, err := io.WriteString(w, t.String())
	return err
}
