package engine_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// fleets draws clusters whose pods run, a third of them gone again, and what the operator wants.
func fleets() *rapid.Generator[fleet] {
	return rapid.Custom(func(t *rapid.T) fleet {
		s := enginetest.Snapshots().Draw(t, "cluster")
		f := fleet{pick: func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "option") }}
		f.snapshot = thinned(
			enginetest.Bought(s, engine.Plan(s, engine.DefaultPolicy()), f.pick), rapid.Uint64().Draw(t, "gone"),
		)
		f.policy = refit.DefaultPolicy()
		f.policy.Effort = 100_000
		f.policy.SpotToSpot = rapid.Bool().Draw(t, "spot to spot")
		f.policy.PodPrice = shape.Money(rapid.IntRange(0, 3).Draw(t, "pod price") * 300)
		f.policy.MinSaving = rapid.SampledFrom([]float64{0, 0.05, 0.3}).Draw(t, "min saving")
		f.policy.Overlap = time.Duration(rapid.IntRange(0, 3).Draw(t, "overlap")) * time.Minute
		f.policy.Payback = rapid.SampledFrom([]time.Duration{0, time.Hour, 12 * time.Hour}).Draw(t, "payback")
		f.policy.Pools = map[string]refit.PoolPolicy{}
		for _, p := range s.Pools {
			f.policy.Pools[p.Name] = refit.PoolPolicy{
				Mode: rapid.SampledFrom([]refit.Mode{
					refit.Never, refit.WhenEmpty, refit.WhenUnderutilized, refit.WhenUnderutilized, refit.Balanced,
				}).Draw(t, "mode"),
				Budget:   rapid.IntRange(-1, 4).Draw(t, "budget"),
				Lifetime: time.Duration(rapid.IntRange(0, 1).Draw(t, "expires")) * 24 * time.Hour,
			}
		}
		return f
	})
}

type fleet struct {
	snapshot shape.Snapshot
	policy   refit.Policy
	pick     func(int) int // which option the cloud takes
}

func TestRefitsConvergeAndNeverCostMore(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := fleets().Draw(t, "fleet")
		s := f.snapshot
		seen := map[string]bool{}
		for round := 0; ; round++ {
			if round > 100 {
				t.Fatal("a hundred rounds, and still moves")
			}
			s.Now = s.Now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "minutes")) * time.Minute)
			r := refit.Refit(s, f.policy)
			if r.Before-r.After < 0 {
				t.Fatalf("from %s to %s", r.Before, r.After)
			}
			if len(r.Moves) == 0 {
				return
			}
			if seen[enginetest.Signature(s)] && r.Before > 0 {
				t.Fatalf("this fleet was there before:\n%s", enginetest.Signature(s))
			}
			seen[enginetest.Signature(s)] = true
			removed := map[string]int{}
			for _, m := range r.Moves {
				if err := enginetest.CheckMove(s, m); err != nil {
					t.Fatalf("%v\n%s", err, text(t, m))
				}
				before := maps.Clone(removed)
				for _, name := range m.Remove {
					removed[poolOf(s, name)]++
				}
				for pool, n := range removed {
					b := f.policy.Pools[pool]
					if n > before[pool] && (b.Mode == refit.Never || b.Budget >= 0 && before[pool] >= b.Budget) {
						t.Fatalf("%d nodes of pool %s go, and then more do; its policy is %+v", before[pool], pool, b)
					}
					if b.Budget >= 0 && n-before[pool] > m.Turns*b.Budget {
						t.Fatalf(
							"%d nodes of pool %s go in %d turns; its policy is %+v", n-before[pool], pool, m.Turns, b,
						)
					}
				}
				price := enginetest.Price(s)
				s = enginetest.Moved(s, m, f.pick)
				if after := enginetest.Price(s); after > price || len(m.Open) > 0 && after+m.Need > price {
					t.Fatalf("price %s became %s, at least %s was to be saved\n%s", price, after, m.Need, text(t, m))
				}
			}
		}
	})
}

// A move that nothing disturbs needs no more than what was opened for it, though all others are under way with it.
// These clusters have no node on its way and no rules about neighbours: those count other nodes once some are reserved.
func TestWhatWasOpenedForMovesHoldsTheirPods(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := fleets().Draw(t, "fleet")
		f.snapshot.Nodes = slices.Clone(f.snapshot.Nodes)
		for i, n := range f.snapshot.Nodes {
			ready := *n
			ready.Stage, ready.Unwelcome = shape.Ready, false
			f.snapshot.Nodes[i] = &ready
		}
		f.snapshot.Classes = slices.Clone(f.snapshot.Classes)
		for i, c := range f.snapshot.Classes {
			single := *c
			single.Spread, single.Affinity = nil, nil
			f.snapshot.Classes[i] = &single
		}
		found := refit.Refit(f.snapshot, f.policy)
		s, courses := begun(f, found.Moves)
		pass := refit.Begin(s, f.policy, s.Now, courses...)
		for i, c := range courses {
			if o := pass.Follow(c); o.Why.Kind != "" || len(o.Open) > 0 {
				t.Fatalf(
					"move %d of %d: %+v, %d nodes are missing\n%s", i+1, len(courses), o.Why, len(o.Open),
					text(t, found.Moves[i]),
				)
			}
		}
	})
}

// begun is a cluster in which moves have begun: their nodes are reserved, and what they open is there.
func begun(f fleet, moves []refit.Move) (shape.Snapshot, []refit.Course) {
	s := f.snapshot
	s.Nodes = slices.Clone(s.Nodes)
	var courses []refit.Course
	for _, m := range moves {
		c := refit.Course{Nodes: m.Remove, Homes: map[shape.PodID]string{}, Thrifty: true}
		for i, n := range s.Nodes {
			if slices.Contains(m.Remove, n.Name) {
				reserved := *n
				reserved.Unwelcome = true
				s.Nodes[i] = &reserved
			}
		}
		for _, p := range m.Place {
			c.Homes[p.Pod] = p.Node
		}
		for i := range m.Open {
			var name string
			s, name = enginetest.Opened(s, &m.Open[i], f.pick)
			for _, id := range m.Open[i].Pods {
				c.Homes[id] = name
			}
		}
		courses = append(courses, c)
	}
	return s, courses
}

// Moves that are found after a node had to go, and new ones were planned for its pods, bring each pod that they evict
// to one place, which is not on a node that goes.
func TestMovesAfterOthersHaveAPlaceForEachPod(t *testing.T) {
	t.Parallel()
	found := 0
	rapid.Check(t, func(t *rapid.T) {
		f := fleets().Draw(t, "fleet")
		if len(f.snapshot.Nodes) < 2 {
			return
		}
		pass := refit.Begin(f.snapshot, f.policy, f.snapshot.Now)
		gone := map[string]bool{}
		for range rapid.IntRange(1, 2).Draw(t, "nodes that have to go") {
			name := rapid.SampledFrom(f.snapshot.Nodes).Draw(t, "node").Name
			if gone[name] {
				continue
			}
			if out := pass.Follow(refit.Course{Nodes: []string{name}}); out.Why.Kind == "" {
				gone[name] = true
			}
		}
		moves := pass.Find().Moves
		found += len(moves)
		for _, m := range moves {
			for _, name := range m.Remove {
				if gone[name] {
					t.Fatalf("%s goes twice:\n%s", name, text(t, m))
				}
				gone[name] = true
			}
			homes := homesOf(&m)
			for _, home := range homes {
				if gone[home] {
					t.Fatalf("pods are to go to %s, which goes:\n%s", home, text(t, m))
				}
			}
			if len(homes) != m.Pods {
				t.Fatalf("%d pods are evicted, and %d have a place:\n%s", m.Pods, len(homes), text(t, m))
			}
		}
	})
	if found == 0 {
		t.Error("nothing was ever found")
	}
}

// homesOf is where a move brings pods.
func homesOf(m *refit.Move) map[shape.PodID]string {
	out := map[shape.PodID]string{}
	for _, p := range m.Place {
		out[p.Pod] = p.Node
	}
	for i := range m.Open {
		for _, id := range m.Open[i].Pods {
			out[id] = m.Open[i].ID
		}
	}
	return out
}

func poolOf(s shape.Snapshot, node string) string {
	return s.Nodes[slices.IndexFunc(s.Nodes, func(n *shape.Node) bool { return n.Name == node })].Pool
}

func TestRefitOfShuffledInputIsTheSame(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := fleets().Draw(t, "fleet")
		before := text(t, f.snapshot)
		want := text(t, refit.Refit(f.snapshot, f.policy))
		if diff := cmp.Diff(before, text(t, f.snapshot)); diff != "" {
			t.Fatalf("the snapshot changed: -before +after\n%s", diff)
		}
		got := text(t, refit.Refit(enginetest.Shuffled(f.snapshot, rapid.Uint64().Draw(t, "seed")), f.policy))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("shuffled input, other moves: -want +got\n%s", diff)
		}
	})
}

func TestEveryNodeGoesOrIsKeptForAReason(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		f := fleets().Draw(t, "fleet")
		r := refit.Refit(f.snapshot, f.policy)
		what := map[string]string{}
		for _, m := range r.Moves {
			for _, name := range m.Remove {
				what[name] += "goes"
			}
		}
		for _, k := range r.Kept {
			if k.Why.Sentence() == "" {
				t.Fatalf("%s is kept without a reason", k.Node)
			}
			what[k.Node] += "stays"
		}
		for _, n := range f.snapshot.Nodes {
			if _, ours := f.policy.Pools[n.Pool]; ours && n.Claim != "" && n.Stage != shape.Leaving &&
				what[n.Name] != "goes" && what[n.Name] != "stays" {
				t.Fatalf("%s: %q", n.Name, what[n.Name])
			}
		}
	})
}

func TestTraceIsRefittedToNearItsBound(t *testing.T) {
	t.Parallel()
	s := traceSnapshot(t, 300)
	s = thinned(enginetest.Bought(s, engine.Plan(s, engine.DefaultPolicy()), cheapest), 1)
	after, rounds, evicted := settled(s, free(s))
	if err := enginetest.CheckFleet(after); err != nil {
		t.Fatal(err)
	}
	bound := remains(s).Bound
	ratio := float64(enginetest.Price(after)) / float64(bound)
	t.Logf("%.3f times the bound after %d rounds with %d evictions", ratio, rounds, evicted)
	if ratio > 1.04 {
		t.Errorf("%.4f times the bound", ratio)
	}
}

func TestRefitOfBadIndexesIsRefusedNotFatal(t *testing.T) {
	t.Parallel()
	s := enginetest.Running(6, 12, 20)
	s.Nodes[0].Pods[0].Class = 99_999
	s.Nodes[1].Pods[0].Class = -1
	s.Nodes[2].Profile = 77
	for _, k := range refit.Refit(s, free(s)).Kept {
		if (k.Node == s.Nodes[0].Name || k.Node == s.Nodes[1].Name) && k.Why.Kind != refit.Held {
			t.Errorf("%s is kept because %s, want because of its pod", k.Node, k.Why.Kind)
		}
	}
}
