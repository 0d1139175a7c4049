package enginetest

import (
	"fmt"
	"strings"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/explain"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Print is a decision as scripts show it. With options each new node lists where it may be
// launched and what its claim requires.
func Print(s shape.Snapshot, d engine.Decision, options bool) string {
	var b strings.Builder
	byNode := map[string][]string{}
	var order []string
	for _, p := range d.Place {
		if byNode[p.Node] == nil {
			order = append(order, p.Node)
		}
		byNode[p.Node] = append(byNode[p.Node], short(p.Pod))
	}
	for _, n := range order {
		fmt.Fprintf(&b, "use %s: %s\n", n, strings.Join(byNode[n], " "))
	}
	for _, n := range d.Open {
		first := n.Options[0]
		where := first.Type + "/" + first.Zone
		if first.CapacityType != shape.OnDemand {
			where += "/" + first.CapacityType
		}
		if first.Reservation != "" {
			where += "/" + first.Reservation
		}
		var names []string
		for _, p := range n.Pods {
			names = append(names, short(p))
		}
		relaxed := ""
		if n.Relaxed {
			relaxed = " minValues relaxed"
		}
		fmt.Fprintf(&b, "open %s %s %s %s cpu %s mem %s%s: %s\n", n.ID, n.Pool, where, n.Price,
			explain.Amount(
				shape.CPU, n.Requests.CPU,
			), explain.Amount(shape.Memory, n.Requests.Memory), relaxed, strings.Join(names, " "))
		if options {
			printOptions(&b, n)
		}
	}
	for i := range d.Unplaced {
		fmt.Fprintf(&b, "unplaced %s: %s\n", short(d.Unplaced[i].Pod), d.Unplaced[i].Why.Sentence())
	}
	fmt.Fprintf(&b, "total %s per hour, %d unplaced\n", d.Price, len(d.Unplaced))
	return b.String()
}

func printOptions(b *strings.Builder, n engine.NewNode) {
	for _, o := range n.Options {
		fmt.Fprintf(b, "  or %s/%s/%s %s\n", o.Type, o.Zone, o.CapacityType, o.Price)
	}
	for _, r := range n.Requirements {
		fmt.Fprintf(b, "  requires %s %s %s\n", r.Key, r.Operator, strings.Join(r.Values, ","))
	}
}

func short(id shape.PodID) string { return strings.TrimPrefix(string(id), "default/") }
