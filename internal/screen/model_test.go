package screen_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/screen"
	"github.com/dovetail-sh/dovetail/internal/view"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

var phases = []view.Phase{
	view.Launching,
	view.Launched,
	view.Registered,
	view.Ready,
	view.Ready,
	view.Ready,
	view.Broken,
	view.Cordoned,
	view.Disrupting,
	view.Draining,
	view.Terminating,
}

var whys = []string{
	"for pod default/web-1 and 3 more",
	"for pod default/web-9",
	"for pods that wait; the node has not registered yet",
	"its replacement saves too little",
	"PodDisruptionBudget shop/carts allows no eviction of pod carts-1",
	"it takes pods of nodes that go",
	"its kubelet does not report that it is ready",
	"the budgets of NodePool web let no further node go now",
	"The node is to go because it has drifted",
	"it is being deleted; 3 pods are still there",
	"it is being deleted",
}

// fleet is one of so many nodes, in all phases.
func fleet(nodes int) *view.Fleet {
	f := &view.Fleet{At: noon, Source: "files", Nodes: make([]view.Machine, 0, nodes)}
	for i := range nodes {
		m := view.Machine{
			Name: fmt.Sprintf(
				"ip-10-0-%d-%d.ec2.internal",
				i/250,
				i%250,
			),
			Claim: fmt.Sprintf("web-%05d", i),
			Pool:  []string{"web", "batch", "gpu"}[i%3],
			Phase: phases[i%len(phases)],
			Created: noon.Add(
				-time.Duration(i) * time.Minute,
			),
			InstanceType: []string{"m6i.large", "c7g.2xlarge", "g5.xlarge"}[i%3],
			Zone:         "us-east-1" + string(rune('a'+i%3)),
			CapacityType: []string{"on-demand", "spot"}[i%2],
			Arch:         "amd64",
			Price:        view.PerHour(50_000 + 1_000*(i%97)),
			PriceFrom:    "pool",
			Why:          whys[i%len(whys)],
			Use: []view.Use{
				{Resource: shape.CPU, Used: int64(i % 2000), Of: 1930},
				{Resource: shape.Memory, Used: int64(i%8) << 30, Of: 8 << 30},
				{Resource: shape.Pods, Used: int64(i % 58), Of: 58},
			},
			Pods: []string{"default/web-1", "kube-system/proxy-1"},
		}
		if i%3 == 2 {
			m.Use = append(m.Use, view.Use{Resource: "nvidia.com/gpu", Used: 1, Of: 1})
		}
		f.Nodes = append(f.Nodes, m)
		f.Money.Nodes++
		f.Money.PerHour += m.Price
	}
	f.Money.Pools, f.Money.Thought, f.Money.Bound, f.Money.Saving = f.Money.PerHour, true, f.Money.PerHour*9/10,
		f.Money.PerHour/50
	f.Pending = []view.Waiting{
		{
			Pod:     "default/too-big",
			Since:   noon.Add(-time.Minute),
			Verdict: view.NoPlace,
			Why:     "pool web: 3 too small (needs 96Gi memory, largest has 15.9Gi)",
		},
	}
	f.Pools = []view.Pool{
		{
			Name:    "web",
			Nodes:   nodes,
			PerHour: f.Money.PerHour,
			Limits:  []view.Limit{{Resource: "cpu", Used: 12000, Max: 100000}},
			Budgets: []view.Allowance{
				{Reason: "Underutilized", Allowed: 2, Going: 1},
			},
		},
		{Name: "batch", Trouble: "the NodePool has not been looked at yet"},
	}
	f.Moves = []view.Course{
		{
			State:   "next",
			Reason:  "Underutilized",
			Why:     "it costs $0.3840 an hour and the pods fit elsewhere",
			GiveUp:  []string{"ip-10-0-0-4.ec2.internal"},
			Evicted: 2,
			Saving:  384_000,
		},
	}
	return f
}

func started(width, height int, f *view.Fleet) *screen.Model {
	m := screen.New(width, height, nil)
	m.Update(
		screen.FrameMsg{
			Fleet: f,
			Ask:   func(pod string) string { return pod + " cannot be placed\n  pool web: 3 offerings, 0 left\n" },
		},
	)
	return m
}

var named = map[string]rune{
	"enter":     tea.KeyEnter,
	"esc":       tea.KeyEscape,
	"down":      tea.KeyDown,
	"up":        tea.KeyUp,
	"pgdown":    tea.KeyPgDown,
	"backspace": tea.KeyBackspace,
}

// press gives a screen keys, and does what it asks for.
func press(t *testing.T, m *screen.Model, list ...string) (quit bool) {
	t.Helper()
	for _, k := range list {
		msg := tea.KeyPressMsg{Text: k}
		if len([]rune(k)) == 1 {
			msg.Code = []rune(k)[0]
		} else if code, ok := named[k]; ok {
			msg = tea.KeyPressMsg{Code: code}
		} else if letter, ok := strings.CutPrefix(k, "ctrl+"); ok {
			msg = tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}
		} else {
			t.Fatalf("no key %q", k)
		}
		if _, cmd := m.Update(msg); cmd != nil {
			if out := cmd(); out == tea.Quit() || out == tea.Interrupt() {
				quit = true
			} else {
				m.Update(out)
			}
		}
	}
	return quit
}

func TestFramesLookAsTheyDid(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		width, height, nodes int
		keys                 string
	}{
		"none-80x24":        {80, 24, 0, ""},
		"one-40x10":         {40, 10, 1, ""},
		"phases-80x24":      {80, 24, 11, ""},
		"phases-120x40":     {120, 40, 11, ""},
		"phases-200x60":     {200, 60, 11, "ctrl+w"},
		"thousand-120x40":   {120, 40, 1000, "P P G"},
		"filter-120x40":     {120, 40, 1000, "/ p o o l = g p u enter"},
		"typing-80x24":      {80, 24, 11, "/ d r a"},
		"pods-80x24":        {80, 24, 11, "2"},
		"pools-120x40":      {120, 40, 11, "3"},
		"moves-120x40":      {120, 40, 11, "4"},
		"node-120x40":       {120, 40, 11, "down down enter"},
		"explain-80x24":     {80, 24, 11, "2 enter"},
		"pool-nodes-120x40": {120, 40, 11, "3 enter"},
		"keys-80x60":        {80, 60, 11, "?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := started(tc.width, tc.height, fleet(tc.nodes))
			press(t, m, strings.Fields(tc.keys)...)
			golden(t, name, m.Draw(false)+"\n")
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// Whatever the size and the page, a screen has as many lines as it is high, and none is wider.
func TestNoLineIsWiderThanTheTerminal(t *testing.T) {
	t.Parallel()
	f := fleet(1000)
	f.Nodes[0].Name, f.Nodes[1].Why = "节点-一二三四五六七八九十一二三四五六七八九十", "a reason\x1b[31m of 很多 wide\ncharacters"
	for _, size := range [][2]int{{1, 1}, {10, 4}, {40, 10}, {80, 24}, {120, 40}, {200, 60}} {
		for _, keys := range []string{"", "2", "3", "4", "?", "enter", "2 enter", "ctrl+w", "G", "/ x"} {
			m := started(size[0], size[1], f)
			press(t, m, strings.Fields(keys)...)
			lines := strings.Split(m.Draw(false), "\n")
			if len(lines) != size[1] {
				t.Errorf("%v, keys %q: %d lines", size, keys, len(lines))
			}
			for _, line := range lines {
				if view.Width(line) > size[0] || strings.ContainsRune(line, '\x1b') {
					t.Errorf("%v, keys %q: %q", size, keys, line)
				}
			}
		}
	}
}

func TestKeysGoWhereTheySay(t *testing.T) {
	t.Parallel()
	m := started(120, 40, fleet(11))
	has := func(keys, want string) {
		t.Helper()
		press(t, m, strings.Fields(keys)...)
		if got := m.Draw(false); !strings.Contains(got, want) {
			t.Errorf("after %q there is no %q in\n%s", keys, want, got)
		}
	}
	has("3 enter enter enter", "› explanation")
	has("esc", "› node ip-10-0-0-0.ec2.internal")
	has("esc", "› pool web")
	has("esc", "[pools]")
	has(": p o enter", "[pods]")
	has(": n enter", "[nodes]")
	has("-", "[pods]")
	has(": x enter", "there is no view x")
	has("1 / w e b backspace enter", `match "we"`)
	has("T T", "TYPE↓")
	has("[", "there is no journal")
	if press(t, m, "/", "q") {
		t.Error("q in a filter quits")
	}
	for _, keys := range [][]string{{"q"}, {":", "q", "enter"}, {"ctrl+c"}, {"/", "ctrl+c"}} {
		if !press(t, started(80, 24, fleet(3)), keys...) {
			t.Errorf("%v does not quit", keys)
		}
	}
}

// No two things have the same key.
func TestKeysAreUnique(t *testing.T) {
	t.Parallel()
	m := started(80, 100, fleet(1))
	press(t, m, "?")
	seen := map[string]bool{}
	for _, line := range strings.Split(m.Draw(false), "\n")[3:] {
		key, _, _ := strings.Cut(line, "  ")
		if key != "" && seen[key] {
			t.Errorf("%s is there twice", key)
		}
		seen[key] = true
	}
	if len(seen) < 30 {
		t.Errorf("help lists %d keys", len(seen))
	}
}

// years is a journal of two plans, the second of which cannot be read.
type years struct{}

func (years) Len() int { return 2 }
func (years) Read(i int) (screen.Frame, error) {
	if i == 1 {
		return screen.Frame{}, errors.New("reading plan 2: it is cut short")
	}
	f := fleet(2)
	f.At = noon.Add(-9 * time.Hour)
	return screen.Frame{Fleet: f, Past: "1 of 2"}, nil
}

// The past is the same screen; what comes in meanwhile is there on the way back.
func TestTheJournalIsSteppedThrough(t *testing.T) {
	t.Parallel()
	m := screen.New(120, 24, years{})
	m.Update(screen.FrameMsg{Fleet: fleet(5)})
	press(t, m, "[")
	if got := m.Draw(false); !strings.Contains(got, "it is cut short") || !strings.Contains(got, "5 nodes") {
		t.Error(got)
	}
	m = screen.New(120, 24, onlyFirst{})
	m.Update(screen.FrameMsg{Fleet: fleet(5)})
	press(t, m, "[", "[")
	if got := m.Draw(
		false,
	); !strings.Contains(got, "2026-11-30 03:00:00Z, 1 of 2") ||
		!strings.Contains(got, "2 nodes") {
		t.Error(got)
	}
	m.Update(screen.FrameMsg{Fleet: fleet(7)})
	if got := m.Draw(false); !strings.Contains(got, "2 nodes") {
		t.Error("the present came over the past\n" + got)
	}
	press(t, m, "]")
	if got := m.Draw(false); !strings.Contains(got, "7 nodes") {
		t.Error(got)
	}
}

type onlyFirst struct{ years }

func (onlyFirst) Len() int { return 1 }

// Frames of a large fleet: the whole of what a change costs the screen, with the dearest sorting and a filter.
func BenchmarkFrame(b *testing.B) {
	for _, nodes := range []int{1000, 15000} {
		b.Run(fmt.Sprint(nodes), func(b *testing.B) {
			f := fleet(nodes)
			m := screen.New(200, 60, nil)
			m.Choose("drain", "why", true)
			for b.Loop() {
				m.Update(screen.FrameMsg{Fleet: f})
				m.Draw(true)
			}
		})
	}
}
