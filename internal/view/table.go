package view

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Table writes the plan for people: nodes that are alike in one line, then what could not be
// placed, pods with the same reasons together, then the sums.
func (p *Plan) Table(w io.Writer) error {
	t := &lines{}
	t.nodes(p.Nodes)
	t.placed(p.Placed)
	t.unplaced(p.Unplaced)
	t.notes(p.Notes)
	if len(p.Notes) > 0 {
		fmt.Fprintln(t)
	}
	t.sums(p)
	_, err := io.WriteString(w, t.String())
	return err
}

// lines collects text; writing to it cannot go wrong.
type lines struct{ strings.Builder }

// alike are nodes that differ in their pods only.
type alike struct {
	Node
	count, pods int
}

func (t *lines) nodes(nodes []Node) {
	if len(nodes) == 0 {
		return
	}
	var groups []*alike
	at := map[string]*alike{}
	for _, n := range nodes {
		key := strings.Join(
			[]string{n.Pool, n.InstanceType, n.Zone, n.CapacityType, strconv.FormatFloat(n.Price, 'g', -1, 64)},
			"\x00",
		)
		g := at[key]
		if g == nil {
			g = &alike{Node: n}
			at[key], groups = g, append(groups, g)
		}
		g.count++
		g.pods += len(n.Pods)
	}
	slices.SortFunc(groups, func(a, b *alike) int {
		return cmp.Or(
			cmp.Compare(a.Pool, b.Pool),
			cmp.Compare(b.Price*float64(b.count), a.Price*float64(a.count)),
			cmp.Compare(
				a.InstanceType,
				b.InstanceType,
			),
			cmp.Compare(a.Zone, b.Zone),
			cmp.Compare(a.CapacityType, b.CapacityType),
		)
	})
	table := tabwriter.NewWriter(t, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "NODES\tPOOL\tINSTANCE TYPE\tZONE\tCAPACITY\tPODS\tEACH $/h\tALL $/h")
	for _, g := range groups {
		fmt.Fprintf(
			table,
			"%d\t%s\t%s\t%s\t%s\t%d\t%.4f\t%.4f\n",
			g.count,
			g.Pool,
			g.InstanceType,
			g.Zone,
			g.CapacityType,
			g.pods,
			g.Price,
			g.Price*float64(g.count),
		)
	}
	table.Flush()
	fmt.Fprintln(t)
}

func (t *lines) placed(placed []Placement) {
	if len(placed) == 0 {
		return
	}
	count := map[string]int{}
	var nodes []string
	for _, p := range placed {
		if count[p.Node]++; count[p.Node] == 1 {
			nodes = append(nodes, p.Node)
		}
	}
	slices.Sort(nodes)
	table := tabwriter.NewWriter(t, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "EXISTING NODE\tMORE PODS")
	for _, n := range nodes {
		fmt.Fprintf(table, "%s\t%d\n", n, count[n])
	}
	table.Flush()
	fmt.Fprintln(t)
}

// unplaced writes a tree once for all pods that have it.
func (t *lines) unplaced(list []Unplaced) {
	pods := map[string][]string{}
	var bodies []string
	for i := range list {
		body := body(&list[i].Why)
		if pods[body] == nil {
			bodies = append(bodies, body)
		}
		pods[body] = append(pods[body], list[i].Pod)
	}
	for _, body := range bodies {
		names := pods[body]
		fmt.Fprintf(t, "%s cannot be placed\n%s\n", people(names), body)
	}
}

// people names one pod, or the first and how many more are like it.
func people(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return fmt.Sprintf("%s and %s", names[0], count(len(names)-1, "more pod"))
}

func (t *lines) sums(p *Plan) {
	pods := len(p.Placed) + len(p.Unplaced)
	for _, n := range p.Nodes {
		pods += len(n.Pods)
	}
	fmt.Fprintf(
		t,
		"%s: %d on %s, %d on existing nodes, %d not placed\n",
		count(
			pods,
			"pod",
		),
		pods-len(p.Placed)-len(p.Unplaced),
		count(len(p.Nodes), "new node"),
		len(p.Placed),
		len(p.Unplaced),
	)
	fmt.Fprintf(t, "price $%.4f/h", p.PricePerHour)
	if p.BoundPerHour > 0 {
		fmt.Fprintf(t, ", %.2f %% above the bound of $%.4f/h", 100*(p.PricePerHour/p.BoundPerHour-1), p.BoundPerHour)
	}
	fmt.Fprintf(t, "; planned in %.3f s\n", p.Seconds)
}

// Count is a number of things whose plural ends in s: "1 pod", "2 pods".
func Count(n int, thing string) string { return count(n, thing) }

// count is a number of things whose plural ends in s.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
