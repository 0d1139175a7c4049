package view

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Table writes the fleet for people: the money line, machines, pods that wait, NodePools, and what is missing. width is
// how wide a line may be, 0 for as wide as it must.
func (f *Fleet) Table(w io.Writer, width int, wide bool) error {
	t := &lines{}
	t.WriteString(f.Line() + "\n")
	if len(f.Nodes) > 0 {
		t.WriteByte('\n')
		t.grid(width, f.machines(wide)...)
	}
	if len(f.Pending) > 0 {
		rows := [][]string{{"PENDING POD", "AGE", "WHY"}}
		for i := range f.Pending {
			rows = append(rows, []string{f.Pending[i].Pod, Age(f.Pending[i].Since, f.At), f.Pending[i].Why})
		}
		t.WriteByte('\n')
		t.grid(width, rows...)
	}
	if len(f.Pools) > 0 {
		rows := [][]string{{"NODEPOOL", "NODES", "$/h", "LIMITS", "BUDGETS", "STATE"}}
		for i := range f.Pools {
			p := &f.Pools[i]
			rows = append(
				rows,
				[]string{
					p.Name,
					strconv.Itoa(p.Nodes),
					p.PerHour.Dollars()[1:],
					p.LimitText(),
					p.BudgetText(),
					p.State(),
				},
			)
		}
		t.WriteByte('\n')
		t.grid(width, rows...)
	}
	for _, missing := range f.Missing {
		fmt.Fprintf(t, "missing: %s\n", missing)
	}
	for _, note := range f.Notes {
		fmt.Fprintf(t, "note: %s\n", note)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

func (f *Fleet) machines(wide bool) [][]string {
	var columns []Column
	for _, c := range Columns {
		if wide || !c.Wide {
			columns = append(columns, c)
		}
	}
	rows := make([][]string, 1, len(f.Nodes)+1)
	for _, c := range columns {
		rows[0] = append(rows[0], c.Title)
	}
	for i := range f.Nodes {
		row := make([]string, len(columns))
		for j, c := range columns {
			row[j] = c.Text(&f.Nodes[i], f.At)
		}
		rows = append(rows, row)
	}
	return rows
}

// CSV writes one line for each machine, with all columns and bare numbers.
func (f *Fleet) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{
		"name",
		"claim",
		"pool",
		"phase",
		"phaseSince",
		"created",
		"instanceType",
		"arch",
		"zone",
		"capacityType",
		"pricePerHour",
		"priceFrom",
		"cpuMilliUsed",
		"cpuMilli",
		"memoryBytesUsed",
		"memoryBytes",
		"podsUsed",
		"podsMost",
		"gpuUsed",
		"gpu",
		"whyKind",
		"why",
	}
	if err := out.Write(header); err != nil {
		return err
	}
	for i := range f.Nodes {
		m := &f.Nodes[i]
		price := ""
		if m.Priced() {
			price = m.Price.Dollars()[1:]
		}
		row := []string{
			m.Name,
			m.Claim,
			m.Pool,
			string(m.Phase),
			stamp(m.Since),
			stamp(m.Created),
			m.InstanceType,
			m.Arch,
			m.Zone,
			m.CapacityType,
			price,
			m.PriceFrom,
		}
		device, _ := m.device()
		for _, u := range []Use{m.Used("cpu"), m.Used("memory"), m.Used("pods"), device} {
			row = append(row, strconv.FormatInt(u.Used, 10), strconv.FormatInt(u.Of, 10))
		}
		if err := out.Write(append(row, m.WhyKind, m.Why)); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// LimitText is what of its limits a pool has used: "cpu 12 of 100".
func (p *Pool) LimitText() string {
	var parts []string
	for _, l := range p.Limits {
		parts = append(parts, l.Resource+" "+Use{Resource: l.Resource, Used: l.Used, Of: l.Max}.Amounts())
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// BudgetText is what the budgets let go now, reasons that are alike together: "2 now", "0 now, Drifted 5".
func (p *Pool) BudgetText() string {
	if len(p.Budgets) == 0 {
		return "-"
	}
	text := func(a Allowance) string {
		switch {
		case a.Trouble != "":
			return "unreadable"
		case a.Allowed < 0:
			return "any"
		}
		return strconv.Itoa(max(a.Allowed-a.Going, 0))
	}
	first := text(p.Budgets[0])
	parts := []string{first + " now"}
	for _, a := range p.Budgets[1:] {
		if t := text(a); t != first {
			parts = append(parts, a.Reason+" "+t)
		}
	}
	return strings.Join(parts, ", ")
}

// State is what is to be said of a pool beside its numbers.
func (p *Pool) State() string {
	switch {
	case p.Trouble != "":
		return "launches nothing: " + p.Trouble
	case p.Held != "":
		return "held " + p.Held
	case p.Outdated > 0:
		return count(p.Outdated, "node") + " to replace"
	}
	return "ready"
}

// gap is between two columns.
const gap = 2

// leastWidth is what the last column keeps where lines are cut.
const leastWidth = 12

// grid writes rows in columns as wide as their content; the last column is cut where a line would be wider than width,
// and before that the widest of the others.
func (t *lines) grid(width int, rows ...[]string) {
	if len(rows) == 0 {
		return
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], Width(cell))
		}
	}
	if width > 0 {
		if few := max(fitting(widths, width), 1); few < len(widths)-1 {
			t.grid(width, without(rows, few)...)
			return
		}
		narrow(widths, width)
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			if i > 0 {
				b.WriteString(strings.Repeat(" ", gap))
			}
			b.WriteString(Fit(cell, widths[i], false))
		}
		t.WriteString(strings.TrimRight(b.String(), " ") + "\n")
	}
}

// leastColumn is what a column keeps where lines are cut; one that would get less is left out.
const leastColumn = 4

// fitting is how many columns have room beside the last one.
func fitting(widths []int, width int) int {
	last := len(widths) - 1
	room := width - min(widths[last], leastWidth)
	for i, w := range widths[:last] {
		if room -= min(w, leastColumn) + gap; room < 0 {
			return i
		}
	}
	return last
}

// without leaves out the columns between the first few and the last one.
func without(rows [][]string, few int) [][]string {
	out := make([][]string, 0, len(rows))
	for _, row := range rows {
		out = append(out, append(slices.Clone(row[:few]), row[len(row)-1]))
	}
	return out
}

// narrow takes from columns until a line fits: first from the last one, then from the widest.
func narrow(widths []int, width int) {
	over := gap*(len(widths)-1) - width
	for _, w := range widths {
		over += w
	}
	last := len(widths) - 1
	if cut := min(over, widths[last]-leastWidth); cut > 0 {
		widths[last] -= cut
		over -= cut
	}
	for ; over > 0; over-- {
		widest := 0
		for i := range widths {
			if widths[i] > widths[widest] {
				widest = i
			}
		}
		if widths[widest] <= 1 {
			return
		}
		widths[widest]--
	}
}
