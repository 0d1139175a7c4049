package screen

import (
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// Frame is a fleet at one moment, and who answers about its pods.
type Frame struct {
	Fleet *view.Fleet
	Ask   func(pod string) string // nil if nobody does; may take a moment
	Past  string                  // what of the past it is: "plan 3 of 12"; empty for the present
}

// Past is what has been: Read is asked for frames from 0, the oldest, to Len()-1.
type Past interface {
	Len() int
	Read(i int) (Frame, error)
}

// page is what is looked at.
type page int

const (
	nodesPage page = iota
	podsPage
	poolsPage
	movesPage
	nodePage // of one node: place.name
	textPage // an explanation: place.text
	helpPage
)

// pages are those that have a key, in the order of their keys.
var pages = []page{nodesPage, podsPage, poolsPage, movesPage}

var titles = map[page]string{nodesPage: "nodes", podsPage: "pods", poolsPage: "pools", movesPage: "moves"}

// place is where somebody is.
type place struct {
	page   page
	name   string // of the node
	pool   string // nodes of one pool only
	text   []string
	cursor int
	offset int
}

// prompt is what is typed at the foot.
type prompt int

const (
	noPrompt prompt = iota
	filtering
	commanding
)

// Model is a screen. Its zero value is not ready; see New.
type Model struct {
	width, height int
	now           time.Time
	frame         Frame
	live          Frame // the present, while the past is looked at
	trouble       string

	trail  []place // where one came from; the last is where one is
	before place   // the view before, for -
	filter string
	typed  string
	prompt prompt

	sort       string
	descending bool
	wide       bool

	past Past
	at   int // index into past; past.Len() is the present

	rows []int32 // of Fleet.Nodes: those that are shown, in order
}

// New is a screen of so many columns and lines that has seen nothing yet. past may be nil.
func New(width, height int, past Past) *Model {
	m := &Model{width: width, height: height, past: past, trail: []place{{}}, sort: "name"}
	if past != nil {
		m.at = past.Len()
	}
	return m
}

// Choose sets filter and sorting, as keys would.
func (m *Model) Choose(filter, sort string, descending bool) {
	m.filter = filter
	if sort != "" {
		m.sort, m.descending = sort, descending
	}
	m.arrange()
}

// What is handed to a Model from outside.
type (
	// FrameMsg is the present.
	FrameMsg Frame
	// NowMsg is the time, for ages.
	NowMsg time.Time
	// TroubleMsg is what keeps the present from being read; empty for nothing.
	TroubleMsg string
	textMsg    string
)

// Init asks for nothing: frames come from outside.
func (m *Model) Init() tea.Cmd { return nil }

// View draws.
func (m *Model) View() tea.View {
	v := tea.NewView(m.Draw(true))
	v.AltScreen, v.WindowTitle = true, "dovetail top"
	return v
}

// Update changes the Model by a key or by what is handed to it.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.settle()
	case FrameMsg:
		m.live = Frame(msg)
		if m.present() {
			m.show(m.live)
		}
	case NowMsg:
		m.now = time.Time(msg)
	case TroubleMsg:
		m.trouble = string(msg)
	case textMsg:
		m.push(place{page: textPage, text: strings.Split(strings.TrimRight(string(msg), "\n"), "\n")})
	case tea.KeyPressMsg:
		if msg.String() == "ctrl+c" { // whatever is on, and with the exit code of an interrupt
			return m, tea.Interrupt
		}
		if m.prompt != noPrompt {
			return m, m.typeKey(msg)
		}
		return m, m.press(msg)
	}
	return m, nil
}

func (m *Model) present() bool { return m.past == nil || m.at >= m.past.Len() }

// show takes a frame; where one is stays.
func (m *Model) show(f Frame) {
	m.frame = f
	if f.Fleet != nil {
		m.now = f.Fleet.At
	}
	m.arrange()
}

func (m *Model) here() *place { return &m.trail[len(m.trail)-1] }

func (m *Model) push(p place) {
	m.before = *m.here()
	m.trail = append(m.trail, p)
}

// visit goes to one of the pages that have a key.
func (m *Model) visit(p place) {
	m.before = *m.here()
	m.trail = []place{p}
	m.arrange()
}

// arrange works out which machines are shown, in which order.
func (m *Model) arrange() {
	m.rows = m.rows[:0]
	if m.frame.Fleet == nil {
		return
	}
	list, filter, pool := m.frame.Fleet.Nodes, view.ParseFilter(m.filter), m.poolHere()
	for i := range list {
		if (pool == "" || list[i].Pool == pool) && filter.Fits(&list[i], m.now) {
			m.rows = append(m.rows, int32(i))
		}
	}
	if column, ok := view.ColumnOf(m.sort); ok && (m.sort != "name" || m.descending) {
		slices.SortStableFunc(m.rows, func(a, b int32) int {
			c := column.Compare(&list[a], &list[b])
			if m.descending {
				return -c
			}
			return c
		})
	}
	m.settle()
}

// poolHere is the pool that nodes are looked at of, by the last page of nodes on the trail.
func (m *Model) poolHere() string {
	for i := len(m.trail) - 1; i >= 0; i-- {
		if m.trail[i].page == nodesPage {
			return m.trail[i].pool
		}
	}
	return ""
}

// count is how many rows the page has.
func (m *Model) count() int {
	f, p := m.frame.Fleet, m.here()
	if p.page == textPage {
		return len(p.text)
	}
	if p.page == helpPage {
		return len(keys.all())
	}
	if f == nil {
		return 0
	}
	switch p.page {
	case podsPage:
		return len(f.Pending)
	case poolsPage:
		return len(f.Pools)
	case movesPage:
		return len(f.Moves)
	case nodePage:
		if n := m.node(p.name); n != nil {
			return len(n.Pods)
		}
		return 0
	}
	return len(m.rows)
}

func (m *Model) node(name string) *view.Machine {
	if m.frame.Fleet == nil {
		return nil
	}
	for i := range m.frame.Fleet.Nodes {
		if n := &m.frame.Fleet.Nodes[i]; n.Name == name {
			return n
		}
	}
	return nil
}

// settle keeps the cursor on a row, and the row on the screen.
func (m *Model) settle() {
	p, room := m.here(), m.room()
	p.cursor = max(min(p.cursor, m.count()-1), 0)
	p.offset = max(min(p.offset, p.cursor, m.count()-room), 0)
	if p.cursor >= p.offset+room {
		p.offset = p.cursor - room + 1
	}
}

// press is a key while nothing is typed.
func (m *Model) press(k tea.KeyPressMsg) tea.Cmd {
	p := m.here()
	switch {
	case key.Matches(k, keys.quit):
		return tea.Quit
	case key.Matches(k, keys.up):
		p.cursor--
	case key.Matches(k, keys.down):
		p.cursor++
	case key.Matches(k, keys.pageUp):
		p.cursor -= m.room()
	case key.Matches(k, keys.pageDown):
		p.cursor += m.room()
	case key.Matches(k, keys.top):
		p.cursor = 0
	case key.Matches(k, keys.end):
		p.cursor = m.count() - 1
	case key.Matches(k, keys.older):
		return m.step(-1)
	case key.Matches(k, keys.newer):
		return m.step(1)
	default:
		return m.turn(k)
	}
	m.settle()
	return nil
}

// turn is a key that goes somewhere else, or shows rows otherwise.
func (m *Model) turn(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, keys.enter):
		return m.drill()
	case key.Matches(k, keys.back):
		m.back()
	case key.Matches(k, keys.last):
		m.visit(m.before)
	case key.Matches(k, keys.nodes):
		m.visit(place{page: nodesPage})
	case key.Matches(k, keys.pods):
		m.visit(place{page: podsPage})
	case key.Matches(k, keys.pools):
		m.visit(place{page: poolsPage})
	case key.Matches(k, keys.moves):
		m.visit(place{page: movesPage})
	case key.Matches(k, keys.help):
		m.push(place{page: helpPage})
	case key.Matches(k, keys.filter):
		m.prompt, m.typed = filtering, m.filter
	case key.Matches(k, keys.command):
		m.prompt, m.typed = commanding, ""
	case key.Matches(k, keys.wide):
		m.wide = !m.wide
	default:
		m.sortBy(k)
	}
	return nil
}

func (m *Model) sortBy(k tea.KeyPressMsg) {
	for column, b := range keys.sort {
		if key.Matches(k, b) {
			m.descending = m.sort == column && !m.descending
			m.sort = column
			m.arrange()
		}
	}
}

func (m *Model) back() {
	switch {
	case len(m.trail) > 1:
		m.before = *m.here()
		m.trail = m.trail[:len(m.trail)-1]
	case m.filter != "":
		m.filter = ""
	}
	m.arrange()
}

// drill goes into the row under the cursor.
func (m *Model) drill() tea.Cmd {
	p, f := m.here(), m.frame.Fleet
	if f == nil || p.cursor >= m.count() {
		return nil
	}
	switch p.page {
	case nodesPage:
		m.push(place{page: nodePage, name: f.Nodes[m.rows[p.cursor]].Name})
	case poolsPage:
		m.push(place{page: nodesPage, pool: f.Pools[p.cursor].Name})
		m.arrange()
	case movesPage:
		m.push(place{page: textPage, text: courseText(&f.Moves[p.cursor])})
	case podsPage:
		return m.ask(f.Pending[p.cursor].Pod)
	case nodePage:
		if n := m.node(p.name); n != nil {
			return m.ask(n.Pods[p.cursor])
		}
	}
	return nil
}

// ask has a pod explained, beside the screen.
func (m *Model) ask(pod string) tea.Cmd {
	ask := m.frame.Ask
	if ask == nil {
		return nil
	}
	return func() tea.Msg { return textMsg(ask(pod)) }
}

// step goes through the journal.
func (m *Model) step(by int) tea.Cmd {
	if m.past == nil || m.past.Len() == 0 {
		m.trouble = "there is no journal to step through; name its directory with --journal"
		return nil
	}
	to := max(min(m.at+by, m.past.Len()), 0)
	if to == m.past.Len() {
		m.at = to
		m.show(m.live)
		return nil
	}
	f, err := m.past.Read(to)
	if err != nil {
		m.trouble = err.Error()
		return nil
	}
	m.at, m.trouble = to, ""
	m.show(f)
	return nil
}

// typeKey is a key while something is typed.
func (m *Model) typeKey(k tea.KeyPressMsg) tea.Cmd {
	switch k.String() {
	case "esc":
		m.prompt = noPrompt
	case "backspace":
		if r := []rune(m.typed); len(r) > 0 {
			m.typed = string(r[:len(r)-1])
		}
	case "enter":
		was := m.prompt
		m.prompt = noPrompt
		if was == commanding {
			return m.obey(strings.TrimSpace(m.typed))
		}
		m.filter = m.typed
	default:
		m.typed += k.Key().Text
	}
	if m.prompt == filtering {
		m.filter = m.typed // shown as it is typed
	}
	m.arrange()
	return nil
}

// obey goes where a command says: to the first page that begins so.
func (m *Model) obey(command string) tea.Cmd {
	if command == "q" || command == "quit" {
		return tea.Quit
	}
	for _, p := range pages {
		if command != "" && strings.HasPrefix(titles[p], command) {
			m.visit(place{page: p})
			return nil
		}
	}
	m.trouble = "there is no view " + command + "; there are nodes, pods, pools, moves"
	return nil
}
