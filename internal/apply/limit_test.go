package apply

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

func sizes() *translate.Offer {
	return translate.NewOffer([]*shape.InstanceType{
		{Name: "c2", Capacity: shape.Vector{CPU: 2000, Memory: 4}},
		{Name: "c4", Capacity: shape.Vector{CPU: 4000, Memory: 8}},
		{Name: "r4", Capacity: shape.Vector{CPU: 4000, Memory: 32}},
		{Name: "c16", Capacity: shape.Vector{CPU: 16000, Memory: 32}},
	}, "")
}

func wanted(id string, types ...string) engine.NewNode {
	n := engine.NewNode{
		ID:   id,
		Pool: "q",
		Requirements: []shape.Requirement{
			{Key: shape.LabelInstanceType, Values: slices.Sorted(slices.Values(types))},
		},
	}
	for _, t := range types {
		n.Options = append(n.Options, engine.Option{Type: t})
	}
	return n
}

func TestWithin(t *testing.T) {
	t.Parallel()
	cpu := func(maximum, used int64) []shape.Limit {
		return []shape.Limit{{Resource: shape.CPU, Max: maximum, Used: used}}
	}
	cases := map[string]struct {
		why    string
		limits []shape.Limit
		nodes  []engine.NewNode
		want   map[string][]string // types that are left, by node
		short  bool
	}{
		"NoLimits": {
			"Without limits nothing is narrowed.", nil,
			[]engine.NewNode{wanted("n1", "c2", "c16")}, map[string][]string{"n1": {"c2", "c16"}}, false,
		},
		"Plenty": {
			"There is room for the largest of each.",
			cpu(32000, 0),
			[]engine.NewNode{
				wanted("n1", "c2", "c16"),
				wanted("n2", "c2", "c16"),
			},
			map[string][]string{"n1": {"c2", "c16"}, "n2": {"c2", "c16"}},
			false,
		},
		"Narrowed": {
			"A type that would overshoot goes; what is cheapest stays.", cpu(8000, 3000),
			[]engine.NewNode{wanted("n1", "c2", "c4", "c16")}, map[string][]string{"n1": {"c2", "c4"}}, false,
		},
		"EachGetsItsCheapest": {
			"The first node does not take with its larger options what the second needs; what it cannot use of its " +
				"share it leaves.",
			cpu(6000, 0),
			[]engine.NewNode{
				wanted("n1", "c2", "c4"),
				wanted("n2", "c2", "c4"),
			},
			map[string][]string{"n1": {"c2"}, "n2": {"c2", "c4"}},
			false,
		},
		"UsedUp": {
			"The second node has to wait.", cpu(4000, 1000),
			[]engine.NewNode{wanted("n1", "c2"), wanted("n2", "c2")}, map[string][]string{"n1": {"c2"}}, true,
		},
		"Nodes": {
			"Machines can be limited too.",
			[]shape.Limit{{Resource: shape.LimitNodes, Max: 3, Used: 2}},
			[]engine.NewNode{
				wanted("n1", "c2", "c16"),
				wanted("n2", "c2"),
			},
			map[string][]string{"n1": {"c2", "c16"}},
			true,
		},
		"EveryResource": {
			"Either limit rules an option out.",
			[]shape.Limit{{Resource: shape.CPU, Max: 4000}, {Resource: shape.Memory, Max: 8}},
			[]engine.NewNode{wanted("n1", "c2", "c4", "r4", "c16")},
			map[string][]string{"n1": {"c2", "c4"}},
			false,
		},
		"NotOfferedAnyMore": {
			"What the cloud no longer sells cannot be counted.", cpu(32000, 0),
			[]engine.NewNode{wanted("n1", "gone")}, map[string][]string{}, true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kept, short := within(tc.limits, sizes(), tc.nodes)
			got := map[string][]string{}
			for _, n := range kept {
				for _, o := range n.Options {
					got[n.ID] = append(got[n.ID], o.Type)
				}
				if diff := cmp.Diff(slices.Sorted(slices.Values(got[n.ID])), n.Requirements[0].Values); diff != "" {
					t.Errorf("requirement and options of %s differ: %s", n.ID, diff)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || errors.Is(short, ErrLimit) != tc.short {
				t.Errorf("%s\nshort: %v, -want +got\n%s", tc.why, short, diff)
			}
		})
	}
}

// TestLimitsHoldWhicheverTypesTheCloudPicks is what limits promise.
func TestLimitsHoldWhicheverTypesTheCloudPicks(t *testing.T) {
	t.Parallel()
	offer := sizes()
	names := []string{"c2", "c4", "r4", "c16"}
	rapid.Check(t, func(t *rapid.T) {
		limits := []shape.Limit{
			{
				Resource: shape.CPU,
				Max:      rapid.Int64Range(0, 40000).Draw(t, "cpu"),
				Used:     rapid.Int64Range(0, 20000).Draw(t, "used"),
			},
			{Resource: shape.Memory, Max: rapid.Int64Range(0, 100).Draw(t, "memory")},
			{Resource: shape.LimitNodes, Max: rapid.Int64Range(0, 6).Draw(t, "nodes")},
		}
		var nodes []engine.NewNode
		for i := range rapid.IntRange(0, 8).Draw(t, "count") {
			from := rapid.IntRange(0, 3).Draw(t, "cheapest")
			n := wanted(string(rune('a'+i)), names[from:]...)
			n.Requirements[0].MinValues = int32(rapid.IntRange(0, 2).Draw(t, "minValues"))
			nodes = append(nodes, n)
		}
		kept, _ := within(limits, offer, nodes)
		for _, l := range limits {
			sum := l.Used
			for _, n := range kept {
				var most int64
				for _, o := range n.Options {
					most = max(most, amounts([]shape.Limit{l}, offer.Type(o.Type).Capacity)[0])
				}
				sum += most
			}
			if len(kept) > 0 && sum > l.Max && sum > l.Used {
				t.Fatalf("%d of %d %s could be used", sum, l.Max, l.Resource)
			}
		}
		for _, n := range kept {
			if r := n.Requirements[0]; len(r.Values) < int(r.MinValues) || len(n.Options) == 0 {
				t.Fatalf("node %s keeps %v, fewer than %d", n.ID, r.Values, r.MinValues)
			}
		}
	})
}
