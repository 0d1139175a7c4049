package refit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// options draws offerings by type, zone and capacity type, cheapest first, as a planned node has them.
func options(t *rapid.T) []engine.Option {
	var out []engine.Option
	for i := range 3 * 2 * 2 {
		if rapid.Bool().Draw(t, "offered") {
			out = append(out, engine.Option{
				Type: []string{"c2", "c4", "c8"}[i/4], Zone: []string{"a", "b"}[i/2%2],
				CapacityType: []string{shape.OnDemand, shape.Spot}[i%2],
				Price:        shape.Money(rapid.IntRange(1, 9).Draw(t, "price")),
			})
		}
	}
	slices.SortStableFunc(out, func(a, b engine.Option) int { return int(a.Price - b.Price) })
	return out
}

// Requirements list types, zones and capacity types apart, and the cloud may combine them as it likes.
func TestNoCombinationOfWhatIsLeftIsDearerThanTheCeiling(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		all := options(t)
		n := engine.NewNode{Options: slices.Clone(all)}
		ceiling := shape.Money(rapid.IntRange(0, 10).Draw(t, "ceiling"))
		if !narrow(&n, ceiling) {
			if len(all) > 0 && all[0].Price <= ceiling {
				t.Fatalf("%v costs at most %d, but nothing is left", all[0], ceiling)
			}
			return
		}
		has := func(of func(engine.Option) string, value string) bool {
			return slices.ContainsFunc(n.Options, func(o engine.Option) bool { return of(o) == value })
		}
		for _, o := range all {
			mayCome := has(func(o engine.Option) string { return o.Type }, o.Type) &&
				has(func(o engine.Option) string { return o.Zone }, o.Zone) &&
				has(func(o engine.Option) string { return o.CapacityType }, o.CapacityType)
			if mayCome && o.Price > ceiling {
				t.Fatalf("%v may be launched from what is left, and costs more than %d: %v", o, ceiling, n.Options)
			}
		}
		if n.Price != n.Options[0].Price {
			t.Fatalf("the price is %d, the cheapest option costs %d", n.Price, n.Options[0].Price)
		}
	})
}

func TestASpotNodeKeepsAsManyCheaperSpotTypesAsItTakes(t *testing.T) {
	t.Parallel()
	type row struct{ types, minValues, want int }
	for _, tc := range []row{{3, 0, 3}, {15, 0, 15}, {20, 0, 15}, {20, 18, 18}, {40, 50, 40}} {
		n := engine.NewNode{
			Requirements: []shape.Requirement{{Key: shape.LabelInstanceType, MinValues: int32(tc.minValues)}},
		}
		for i := range tc.types {
			n.Options = append(n.Options,
				engine.Option{Type: fmt.Sprint(i), CapacityType: shape.Spot, Price: 5},
				engine.Option{Type: fmt.Sprint(i), CapacityType: shape.OnDemand, Price: 5})
		}
		n.Options = append(n.Options, engine.Option{Type: "dear", CapacityType: shape.Spot, Price: 10})
		if have := narrowSpot(&n, 10); have != tc.types || len(n.Options) != tc.want {
			t.Errorf(
				"%d cheaper types, minValues %d: counted %d and kept %d, want %d", tc.types, tc.minValues, have,
				len(n.Options), tc.want,
			)
		}
	}
}

func TestBudgetsLetNodesGoInTurns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		budget, nodes int
		allowed       bool
		turns         int
	}{
		{-1, 50, true, 1}, {0, 1, false, 1}, {1, 1, true, 1}, {1, maxInTurns, true, maxInTurns},
		{1, maxInTurns + 1, false, 11},
		{4, 8, true, 2}, {4, 9, true, 3}, {12, 12, true, 1}, {12, 13, false, 2},
	} {
		f := &fleet{pools: map[string]*poolState{"q": {left: tc.budget}}}
		var set []int
		for i := range tc.nodes {
			f.snapshot.Nodes = append(f.snapshot.Nodes, &shape.Node{Pool: "q"})
			set = append(set, i)
		}
		if pool, ok := f.allowed(set); ok != tc.allowed || !ok && pool != "q" {
			t.Errorf("a budget of %d allows %d nodes: %v (%q), want %v", tc.budget, tc.nodes, ok, pool, tc.allowed)
		}
		if got := f.turns(set); got != tc.turns {
			t.Errorf("with a budget of %d, %d nodes go in %d turns, want %d", tc.budget, tc.nodes, got, tc.turns)
		}
	}
}

// No saving is counted on for longer than twice as long as the youngest has lived.
func TestTheYoungMustEarnTheirEvictionsSooner(t *testing.T) {
	t.Parallel()
	p := Policy{Payback: time.Hour, PodPrice: 3600}
	for age, want := range map[time.Duration]time.Duration{
		-1: time.Hour, 0: time.Second, time.Minute: 2 * time.Minute, 29 * time.Minute: 58 * time.Minute,
		30 * time.Minute: time.Hour, 24 * time.Hour: time.Hour,
	} {
		if got := p.lasts(age); got != want {
			t.Errorf("aged %s: a saving is counted on for %s, want %s", age, got, want)
		}
	}
	cost := p.evictions(2 * ordinary)
	if old, young := p.due(cost, -1), p.due(cost, time.Minute); old != 7200 || young != 30*7200 {
		t.Errorf(
			"two evictions at 3600 are due at %d an hour within an hour, %d within two minutes; want 7200 and 216000",
			old, young,
		)
	}
	if p.Payback = 0; p.due(cost, 0) != 0 {
		t.Error("without a payback time any saving is enough")
	}
}

func TestAScoreComparesShares(t *testing.T) {
	t.Parallel()
	l := &poolState{price: 1000, disturbance: 100}
	for _, tc := range []struct {
		saving, all, own shape.Money
		disturbance      int64
		want             float64
	}{
		{100, 200, 200, 10, 1},             // a tenth of the price for a tenth of the pods
		{100, 200, 100, 10, 0.5},           // half of the nodes are of other pools
		{100, 200, 200, 0, 1 / minBalance}, // it disturbs nothing
		{0, 0, 0, 10, 0},
	} {
		if got := score(tc.saving, tc.all, tc.own, l, tc.disturbance); got != tc.want {
			t.Errorf(
				"saving %d of %d (own %d) and disturbing %d scores %v, want %v", tc.saving, tc.all, tc.own,
				tc.disturbance, got, tc.want,
			)
		}
	}
}

func TestEveryKindOfReasonHasASentence(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{
		Held, PoolKeeps, NotReady, NoPrice, Needed, NoPlace, SavesTooLittle, TooTight, SpotToSpotOff, TooFewTypes,
		Unbalanced,
		BudgetUsed, NotTried, NoOrder, TooFewOptions,
	} {
		s := Reason{Kind: kind, Want: "it is wanted", Pods: 3, Left: 1, Have: 2}.Sentence()
		if s == string(kind) || strings.HasSuffix(s, ".") || !strings.Contains(s, " ") {
			t.Errorf("%s: %q is not a sentence without its full stop", kind, s)
		}
	}
}
