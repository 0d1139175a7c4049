package view

import (
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

func someFleet(names ...string) *Fleet {
	f := &Fleet{At: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)}
	for i, name := range names {
		f.Nodes = append(f.Nodes, Machine{
			Name:         name,
			Pool:         []string{"web", "batch"}[i%2],
			Phase:        Ready,
			InstanceType: "m6i.large",
			Zone:         "us-east-1a",
			CapacityType: "on-demand",
			Price: PerHour(
				96_000 * (i + 1),
			),
			PriceFrom: "pool",
			Use:       []Use{{shape.CPU, 1500, 2000}, {shape.Memory, 1 << 30, 8 << 30}, {shape.Pods, 3, 58}},
			Why:       "it takes pods of nodes that go, and its neighbours wait for a PodDisruptionBudget",
		})
	}
	return f
}

// Where lines have a width none is wider, whatever names hold; where they have none nothing is cut.
func TestTablesFitATerminal(t *testing.T) {
	t.Parallel()
	f := someFleet("ip-10-0-0-4.ec2.internal", "节点-一二三四五六七八九十", "plain")
	f.Nodes[2].Why = "a message\x1b[2Jwith\nlines"
	for _, width := range []int{40, 80, 120, 0} {
		var b strings.Builder
		if err := f.Table(&b, width, width > 100); err != nil {
			t.Fatal(err)
		}
		if strings.ContainsRune(b.String(), '\x1b') {
			t.Errorf("width %d: an object's text reached the terminal as it was", width)
		}
		for _, line := range strings.Split(b.String(), "\n")[1:] { // the first is a sentence
			if n := Width(line); width > 0 && n > width {
				t.Errorf("width %d: %d columns: %s", width, n, line)
			}
		}
		head := strings.Split(b.String(), "\n")[2]
		if !strings.HasPrefix(head, "NAME") || !strings.Contains(head, "WHY") {
			t.Errorf("width %d: columns that nobody can read: %s", width, head)
		}
		if whole := strings.Contains(b.String(), f.Nodes[0].Why); whole != (width == 0) {
			t.Errorf("width %d: whole reasons: %t\n%s", width, whole, b.String())
		}
	}
}

func TestFiltersPickMachines(t *testing.T) {
	t.Parallel()
	f := someFleet("a-1", "b-2", "a-3")
	f.Nodes[2].Phase = Draining
	for text, want := range map[string]string{
		"": "a-1 b-2 a-3", "A-": "a-1 a-3", "pool=web": "a-1 a-3", "!phase=ready": "a-3",
		"pool=web phase=ready": "a-1", "x=y": "", "!": "", "price=0.19": "b-2",
	} {
		var got []string
		for i := range f.Nodes {
			if ParseFilter(text).Fits(&f.Nodes[i], f.At) {
				got = append(got, f.Nodes[i].Name)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q picks %v, want %s", text, got, want)
		}
	}
}

func TestMoneyIsToTheCent(t *testing.T) {
	t.Parallel()
	for p, want := range map[PerHour][2]string{0: {"$0.0000", "$0.00"}, 96_000: {"$0.0960", "$70.08"},
		-1_230_000: {"-$1.2300", "-$897.90"}, 123_456_789: {"$123.4568", "$90,123.46"}} {
		if got := [2]string{p.Dollars(), p.Month()}; got != want {
			t.Errorf("%d is %v, want %v", p, got, want)
		}
		text, _ := p.MarshalJSON()
		var back PerHour
		if err := back.UnmarshalJSON(text); err != nil || back != p {
			t.Errorf("%d became %s became %d, %v", p, text, back, err)
		}
	}
}

// A bound that is not proven is no bound of nothing.
func TestTheMoneyLineNamesOnlyWhatIsProven(t *testing.T) {
	t.Parallel()
	f := Fleet{Money: Money{Nodes: 1, PerHour: 96_000, Pools: 96_000, Thought: true}}
	if line := f.Line(); strings.Contains(line, "bound") {
		t.Errorf("nothing is proven, and the line is %q", line)
	}
	f.Money.Bound = 90_000
	if line := f.Line(); !strings.Contains(line, "bound $0.0900/h") {
		t.Errorf("$0.0900/h is proven, and the line is %q", line)
	}
}
