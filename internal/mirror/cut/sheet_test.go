package cut

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/translate"
)

// TestAListIsWhatWasPutInOrder: whatever is put, dropped and looked at, a cut has what is there, ascending by key, and
// cuts that were given out before stay as they were.
func TestAListIsWhatWasPutInOrder(t *testing.T) {
	t.Parallel()
	type element struct {
		key string
		n   int
	}
	rapid.Check(t, func(t *rapid.T) {
		l, want := newList(func(e *element) string { return e.key }), map[string]element{}
		var given, copies [][]element
		for n := range rapid.IntRange(1, 40).Draw(t, "events") {
			key := rapid.SampledFrom(strings.Split("abcdefgh", "")).Draw(t, "key")
			switch rapid.IntRange(0, 3).Draw(t, "event") {
			case 0, 1:
				l.put(key, element{key, n})
				want[key] = element{key, n}
			case 2:
				l.drop(key)
				delete(want, key)
			case 3:
				cut := l.settle()
				given, copies = append(given, cut), append(copies, slices.Clone(cut))
			}
		}
		sorted := slices.SortedFunc(maps.Values(want), func(a, b element) int { return strings.Compare(a.key, b.key) })
		if got := l.settle(); !slices.Equal(got, sorted) {
			t.Fatalf("cut %v, want %v", got, sorted)
		}
		for i := range given {
			if !slices.Equal(given[i], copies[i]) {
				t.Fatalf("cut %d has become %v, it was %v", i, given[i], copies[i])
			}
		}
	})
}

// TestASheetCountsWhatItsNodesBring: what pools use is the sum of the nodes that are there, whatever came and went
// before.
func TestASheetCountsWhatItsNodesBring(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s, nodes := NewSheet(), map[string]translate.NodeView{}
		for _, pool := range []string{"p0", "p1"} {
			s.PutPool(pool, &shape.Pool{Name: pool}, nil)
		}
		for range rapid.IntRange(1, 30).Draw(t, "events") {
			name := rapid.SampledFrom([]string{"n0", "n1", "n2"}).Draw(t, "node")
			if rapid.IntRange(0, 3).Draw(t, "event") == 0 {
				s.DropNode(name)
				delete(nodes, name)
				continue
			}
			view := translate.NodeView{
				Node:     &shape.Node{Name: name},
				CountsIn: rapid.SampledFrom([]string{"", "p0", "p1"}).Draw(t, "pool"),
				Capacity: shape.Vector{CPU: rapid.Int64Range(1, 9).Draw(t, "CPU")},
			}
			s.PutNode(name, view)
			nodes[name] = view
		}

		used := map[string]use{}
		for _, view := range nodes {
			u := used[view.CountsIn]
			used[view.CountsIn] = use{u.nodes + 1, u.sum.Add(view.Capacity)}
		}
		pools, _ := s.Pools()
		for _, p := range pools {
			want := translate.WithUse(&shape.Pool{Name: p.Name}, used[p.Name].nodes, used[p.Name].sum, nil)
			if diff := cmp.Diff(want, p, cmpopts.IgnoreFields(shape.Pool{}, "NotReady")); diff != "" {
				t.Fatalf("what is used of %s: -want +got\n%s", p.Name, diff)
			}
		}
		names := []string{}
		for _, n := range s.Nodes() {
			names = append(names, n.Name)
		}
		if want := slices.Sorted(maps.Keys(nodes)); !slices.Equal(names, want) {
			t.Fatalf("nodes %v, want %v", names, want)
		}
	})
}
