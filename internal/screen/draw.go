package screen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// lead are the lines above the rows: money, where one is, and the titles of columns; foot is the one below.
const (
	lead = 3
	foot = 1
)

// room is how many rows fit.
func (m *Model) room() int { return max(m.height-lead-foot-len(m.facts()), 1) }

var (
	titleStyle  = lipgloss.NewStyle().Bold(true)
	cursorStyle = lipgloss.NewStyle().Reverse(true)
	phaseStyles = map[view.Phase]lipgloss.Style{
		view.Disrupting: lipgloss.NewStyle().
			Foreground(lipgloss.Yellow),
		view.Draining: lipgloss.NewStyle().Foreground(lipgloss.Yellow),
		view.Terminating: lipgloss.NewStyle().
			Foreground(lipgloss.Yellow),
		view.Broken: lipgloss.NewStyle().Foreground(lipgloss.Red),
		view.Launching: lipgloss.NewStyle().
			Foreground(lipgloss.Cyan),
		view.Launched:   lipgloss.NewStyle().Foreground(lipgloss.Cyan),
		view.Registered: lipgloss.NewStyle().Foreground(lipgloss.Cyan),
	}
)

// Draw is the whole screen: as many lines as it is high, none wider than it is. Without styles it is plain text; what
// styles say the text says too.
func (m *Model) Draw(styled bool) string {
	if m.width <= 0 || m.height <= 0 {
		return ""
	}
	lines := make([]line, 0, m.height)
	lines = append(lines, line{m.money(), &titleStyle}, line{m.where(), nil})
	for _, fact := range m.facts() {
		lines = append(lines, line{fact, nil})
	}
	lines = append(lines, m.body()...)
	for len(lines) < m.height-foot {
		lines = append(lines, line{})
	}
	lines = append(lines[:max(m.height-foot, 0)], line{m.footer(), nil})
	var b strings.Builder
	for i, l := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		text := strings.TrimRight(view.Cut(l.text, m.width), " ")
		if styled && l.style != nil {
			text = l.style.Render(text)
		}
		b.WriteString(text)
	}
	return b.String()
}

type line struct {
	text  string
	style *lipgloss.Style
}

func (m *Model) money() string {
	if m.frame.Fleet == nil {
		return "reading the cluster"
	}
	return m.frame.Fleet.Line()
}

// where says which page it is, of what, and as of when.
func (m *Model) where() string {
	p := m.here()
	var parts []string
	for _, k := range pages {
		title := titles[k]
		if k == m.trail[0].page {
			title = "[" + title + "]"
		}
		parts = append(parts, title)
	}
	out := strings.Join(parts, " ")
	if pool := m.poolHere(); pool != "" {
		out += " › pool " + pool
	}
	if p.page == nodePage {
		out += " › node " + p.name
	}
	if p.page == textPage {
		out += " › explanation"
	}
	if m.filter != "" && p.page == nodesPage {
		out += fmt.Sprintf(" · %d match %q", len(m.rows), m.filter)
	}
	if f := m.frame.Fleet; f != nil {
		stamp := f.At.UTC().Format("15:04:05Z")
		if m.frame.Past != "" {
			stamp = f.At.UTC().Format("2006-01-02 15:04:05Z") + ", " + m.frame.Past
		}
		out += " · " + stamp
		if f.Source != "" {
			out += " · " + f.Source
		}
	}
	return out
}

// facts are lines of a node's page above its pods.
func (m *Model) facts() []string {
	p := m.here()
	if p.page != nodePage {
		return nil
	}
	n := m.node(p.name)
	if n == nil {
		return []string{p.name + " is gone"}
	}
	where := []string{
		string(n.Phase),
		n.InstanceType,
		n.Zone,
		n.CapacityType,
		n.PriceText() + " $/h",
		"age " + view.Age(n.Created, m.now),
	}
	where = slices.DeleteFunc(where, func(s string) bool { return s == "" })
	var use []string
	for _, u := range n.Use {
		use = append(use, u.Resource+" "+u.Amounts())
	}
	return []string{strings.Join(where, ", "), strings.Join(use, ", "), "why: " + n.Reason()}
}

// footer is what is typed, what is wrong, what is missing, or the keys that help.
func (m *Model) footer() string {
	switch {
	case m.prompt == filtering:
		return "/" + m.typed + "▏"
	case m.prompt == commanding:
		return ":" + m.typed + "▏"
	case m.trouble != "":
		return m.trouble
	case m.frame.Fleet != nil && len(m.frame.Fleet.Missing) > 0:
		return "missing: " + strings.Join(m.frame.Fleet.Missing, "; ")
	}
	return "? keys   / filter   enter into   esc back   [ ] journal   q quit"
}

// body are the titles and the rows that fit.
func (m *Model) body() []line {
	f, p := m.frame.Fleet, m.here()
	switch {
	case p.page == textPage:
		return m.texts(p.text)
	case p.page == helpPage:
		return m.texts(helpText())
	case f == nil:
		return nil
	}
	switch p.page {
	case podsPage:
		return m.grid([]string{"PENDING POD", "AGE", "WHY"}, func(i int) []string {
			w := &f.Pending[i]
			return []string{w.Pod, view.Age(w.Since, m.now), w.Why}
		})
	case poolsPage:
		return m.grid([]string{"NODEPOOL", "NODES", "$/h", "LIMITS", "BUDGETS", "STATE"}, func(i int) []string {
			q := &f.Pools[i]
			return []string{
				q.Name,
				strconv.Itoa(q.Nodes),
				q.PerHour.Dollars(),
				q.LimitText(),
				q.BudgetText(),
				q.State(),
			}
		})
	case movesPage:
		return m.grid([]string{"STATE", "REASON", "NODES", "PODS", "SAVES $/h", "WHY"}, func(i int) []string {
			c := &f.Moves[i]
			return []string{
				c.State,
				c.Reason,
				strings.Join(c.GiveUp, " "),
				strconv.Itoa(c.Evicted),
				c.Saving.Dollars(),
				c.Why,
			}
		})
	case nodePage:
		n := m.node(p.name)
		return m.grid([]string{"POD"}, func(i int) []string { return []string{n.Pods[i]} })
	}
	return m.machines()
}

// texts are lines that scroll.
func (m *Model) texts(text []string) []line {
	p := m.here()
	out := []line{{"", nil}}
	for i := p.offset; i < min(p.offset+m.room(), len(text)); i++ {
		out = append(out, line{text[i], nil})
	}
	return out
}

func helpText() []string {
	var out []string
	for _, b := range keys.all() {
		out = append(out, view.Fit(b.Help().Key, 12, false)+b.Help().Desc)
	}
	return out
}

// dropped are the columns that go first where there is no room, in this order.
var dropped = []string{
	"priceFrom",
	"claim",
	"arch",
	"gpu",
	"pods",
	"zone",
	"memory",
	"capacity",
	"pool",
	"age",
	"cpu",
	"type",
	"why",
}

// leastName is what of a name is shown on the narrowest screens.
const leastName = 12

// leastWhy is how wide the last column must be to be worth its place.
const leastWhy = 16

// machines are the rows of nodes.
func (m *Model) machines() []line {
	columns := slices.Clone(view.Columns)
	if !m.wide {
		columns = slices.DeleteFunc(columns, func(c view.Column) bool { return c.Wide })
	}
	p, list := m.here(), m.frame.Fleet.Nodes
	shown := m.rows[min(p.offset, len(m.rows)):min(p.offset+m.room(), len(m.rows))]
	cells := make([][]string, len(shown))
	for i, row := range shown {
		cells[i] = make([]string, len(columns))
		for j := range columns {
			cells[i][j] = columns[j].Text(&list[row], m.now)
		}
	}
	heads := make([]string, len(columns))
	widths := make([]int, len(columns))
	for j, c := range columns {
		heads[j] = c.Title
		if c.Key == m.sort {
			heads[j] += map[bool]string{false: "↑", true: "↓"}[m.descending]
		}
		widths[j] = max(view.Width(heads[j]), usual[c.Key])
		for i := range cells {
			widths[j] = max(widths[j], view.Width(cells[i][j]))
		}
	}
	widths[0] = min(widths[0], max(m.width/3, leastName)) // the name
	keep := m.choose(columns, widths)
	out := []line{{"  " + join(heads, widths, columns, keep), &titleStyle}}
	for i, row := range shown {
		l := line{"  " + join(cells[i], widths, columns, keep), nil}
		if style, ok := phaseStyles[list[row].Phase]; ok {
			l.style = &style
		}
		if p.offset+i == p.cursor {
			l.text, l.style = "> "+l.text[2:], &cursorStyle
		}
		out = append(out, l)
	}
	return out
}

// usual widths keep columns where they are while one scrolls.
var usual = map[string]int{
	"phase":    11,
	"age":      4,
	"capacity": 9,
	"price":    7,
	"cpu":      4,
	"memory":   4,
	"pods":     6,
	"type":     12,
	"zone":     10,
}

// choose drops columns until a line fits, and narrows the last one that is left.
func (m *Model) choose(columns []view.Column, widths []int) []int {
	var keep []int
	for j := range columns {
		keep = append(keep, j)
	}
	last := len(columns) - 1
	total := func() int {
		sum := 2
		for _, j := range keep {
			w := widths[j]
			if j == last {
				w = min(w, leastWhy)
			}
			sum += w + 1
		}
		return sum
	}
	for _, key := range dropped {
		if total() <= m.width {
			break
		}
		keep = slices.DeleteFunc(keep, func(j int) bool { return columns[j].Key == key })
	}
	rest := m.width - total()
	if len(keep) > 0 && keep[len(keep)-1] == last {
		widths[last] = max(min(widths[last], leastWhy)+rest, 1)
	}
	return keep
}

func join(cells []string, widths []int, columns []view.Column, keep []int) string {
	var b strings.Builder
	for i, j := range keep {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(view.Fit(cells[j], widths[j], columns[j].Right))
	}
	return b.String()
}

// grid draws a page whose last column takes what is left.
func (m *Model) grid(heads []string, row func(i int) []string) []line {
	p := m.here()
	rows := [][]string{heads}
	for i := p.offset; i < min(p.offset+m.room(), m.count()); i++ {
		rows = append(rows, row(i))
	}
	widths := make([]int, len(heads))
	left := m.width - 2 - len(heads)
	for j := range heads {
		for i := range rows {
			widths[j] = max(widths[j], view.Width(rows[i][j]))
		}
		if most := max(left/2, 1); j < len(heads)-1 {
			widths[j] = min(widths[j], most)
		} else {
			widths[j] = max(left, 1)
		}
		left -= widths[j]
	}
	var out []line
	for i, cells := range rows {
		var b strings.Builder
		for j := range cells {
			if j > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(view.Fit(cells[j], widths[j], false))
		}
		l := line{"  " + b.String(), nil}
		switch {
		case i == 0:
			l.style = &titleStyle
		case p.offset+i-1 == p.cursor:
			l.text, l.style = "> "+b.String(), &cursorStyle
		}
		out = append(out, l)
	}
	return out
}

func courseText(c *view.Course) []string {
	out := []string{
		c.State + ": " + c.Reason,
		"why: " + c.Why,
		fmt.Sprintf("evicts %d pods, saves %s an hour", c.Evicted, c.Saving.Dollars()),
		"gives up:",
	}
	for _, n := range c.GiveUp {
		out = append(out, "  "+n)
	}
	if len(c.Open) > 0 {
		out = append(out, "opens:")
	}
	for _, n := range c.Open {
		out = append(out, "  "+n)
	}
	return out
}
