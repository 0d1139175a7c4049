package explain

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine/feasible"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func sample() Tree {
	pool := Tree{Subject: "pool general", Noun: "offerings", Of: 41}
	for i := range 38 {
		pool.Add(feasible.Reason{
			Kind: feasible.TooSmall, Resource: shape.Memory, Need: 96 << 30, Have: int64(i+1) << 30,
		})
	}
	for range 3 {
		pool.Add(feasible.Reason{
			Kind: feasible.WrongVolume, Key: shape.LabelZone, Want: "topology.kubernetes.io/zone In b",
		})
	}
	pool.Sort()
	return Tree{
		Subject: "default/db-0",
		Children: []Tree{
			pool,
			{Subject: "pool spare", Groups: []Group{
				{1, feasible.Reason{Kind: feasible.NotReady, Want: "EC2NodeClass spare not found"}},
			}},
		},
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tree := sample()
	want := `default/db-0 cannot be placed
  pool general: 41 offerings, 0 left
    38 too small: needs 96Gi memory, largest has 38Gi
     3 volume out of reach: wants topology.kubernetes.io/zone In b
  pool spare
    1 pool not ready: EC2NodeClass spare not found
`
	if diff := cmp.Diff(want, tree.Text()); diff != "" {
		t.Errorf("Text: -want +got\n%s", diff)
	}
}

func TestSentenceFitsOneLine(t *testing.T) {
	t.Parallel()
	tree := sample()
	want := "pool general: 38 too small (needs 96Gi memory, largest has 38Gi), " +
		"3 volume out of reach (wants topology.kubernetes.io/zone In b); pool spare: " +
		"pool not ready (EC2NodeClass spare not found)"
	if diff := cmp.Diff(want, tree.Sentence()); diff != "" {
		t.Errorf("Sentence: -want +got\n%s", diff)
	}
}

func TestAmount(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		resource string
		n        int64
		want     string
	}{
		"Cores":    {shape.CPU, 4000, "4"},
		"Milli":    {shape.CPU, 250, "250m"},
		"Gibi":     {shape.Memory, 3 << 30, "3Gi"},
		"Odd":      {shape.Memory, 123_456_789, "117.7Mi"},
		"Nothing":  {shape.Memory, 0, "0"},
		"Devices":  {"nvidia.com/gpu", 8, "8"},
		"Hugepage": {"hugepages-2Mi", 4 << 20, "4Mi"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := Amount(tc.resource, tc.n); got != tc.want {
				t.Errorf("Amount(%s, %d) is %s, want %s", tc.resource, tc.n, got, tc.want)
			}
		})
	}
}

// Taints are written as kubectl takes them.
func TestTaints(t *testing.T) {
	t.Parallel()
	for want, words := range map[string]string{
		"NoSchedule": "dedicated:NoSchedule", "x:NoExecute": "dedicated=x:NoExecute",
	} {
		if _, got := Words(feasible.Reason{Kind: feasible.Tainted, Key: "dedicated", Want: want}); got != words {
			t.Errorf("%q is written %q, want %q", want, got, words)
		}
	}
}

func TestEveryKindHasWords(t *testing.T) {
	t.Parallel()
	kinds := []feasible.Kind{
		feasible.TooSmall, feasible.NoRoom, feasible.WrongLabel, feasible.WrongVolume, feasible.InVain,
		feasible.Tainted, feasible.Spread, feasible.Affinity,
		feasible.AntiAffinity, feasible.PortTaken, feasible.NoAttach, feasible.Unavailable, feasible.OverLimit,
		feasible.NotReady, feasible.PoolExcludes,
		feasible.TooFewTypes, feasible.Leaving, feasible.Refused, feasible.NoPools}
	for _, k := range kinds {
		if title, _ := Words(feasible.Reason{Kind: k}); title == string(k) {
			t.Errorf("%s has no words of its own", k)
		}
	}
}
