package engine_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// TestWhatIsAdmittedIsLegalAtEveryStep asks about pods and nodes at random, and holds the answer against the laws after
// each pod.
func TestWhatIsAdmittedIsLegalAtEveryStep(t *testing.T) {
	t.Parallel()
	admitted := 0
	rapid.Check(t, func(t *rapid.T) {
		s := enginetest.Snapshots().Draw(t, "snapshot")
		if len(s.Nodes) == 0 {
			return
		}
		var want []engine.Placement
		for i := range s.Pods {
			want = append(want, engine.Placement{
				Pod: s.Pods[i].ID, Node: rapid.SampledFrom(s.Nodes).Draw(t, "node").Name,
			})
		}
		got := engine.Admit(s, want)
		all := slices.Concat(got.Now, got.Later, got.Never)
		if len(all) != len(want) || slices.ContainsFunc(want, func(p engine.Placement) bool {
			return !slices.Contains(all, p)
		}) {
			t.Fatalf("asked about %v, told of %v", want, all)
		}
		for n := range got.Now {
			// What comes before stays where it is; the last one is held against all of it.
			if err := enginetest.CheckPlaces(s, engine.Decision{Place: got.Now[:n+1]}); err != nil {
				t.Fatalf("after %v: %v\n%s", got.Now[:n+1], err, text(t, s))
			}
			admitted++
		}
	})
	if admitted == 0 {
		t.Error("nothing was admitted in any case: the test shows nothing")
	}
}

func TestWhenAPodIsAdmitted(t *testing.T) {
	t.Parallel()
	app := []shape.Label{{Key: "app", Value: "x"}}
	own := shape.Selector{Requirements: []shape.Requirement{{Key: "app", Operator: shape.In, Values: []string{"x"}}}}
	plain := shape.Class{Namespace: "d", Labels: app, Requests: shape.Vector{CPU: 1000, Pods: 1}}
	with := func(change func(*shape.Class)) *shape.Class { c := plain; change(&c); return &c }
	spread := with(func(c *shape.Class) {
		c.Spread = []shape.Spread{{Key: shape.LabelZone, MaxSkew: 1, Hard: true, Selector: own}}
	})
	near := with(func(c *shape.Class) {
		c.Labels, c.Affinity = nil, []shape.PodTerm{
			{Key: shape.LabelHostname, Namespaces: []string{"d"}, Selector: own},
		}
	})
	port := with(func(c *shape.Class) { c.HostPorts = []shape.HostPort{{Protocol: "TCP", Port: 80}} })
	picky := with(func(c *shape.Class) {
		c.NodeSelector = []shape.Requirement{{Key: "disk", Operator: shape.In, Values: []string{"ssd"}}}
	})
	disk := with(func(c *shape.Class) { c.Attach = []shape.Attach{{Driver: "ebs"}} })
	for name, tc := range map[string]struct {
		why     string
		classes []*shape.Class // of pods p0, p1, …
		onto    []string
		now     []shape.PodID
		later   []shape.PodID
		never   []shape.PodID
	}{
		"as many as there is room for": {
			why: "A node has two cores.", classes: []*shape.Class{
				&plain, &plain, &plain,
			}, onto: []string{"a", "a", "a"},
			now: []shape.PodID{"p0", "p1"}, never: []shape.PodID{"p2"},
		},
		"a spread is kept at every step": {
			why: "The second pod in zone a has to wait for one in zone b.", classes: []*shape.Class{
				spread, spread, spread,
			}, onto: []string{"a", "a", "b"},
			now: []shape.PodID{"p0", "p2", "p1"},
		},
		"a spread waits for who does not come": {
			why: "Nobody comes to zone b.", classes: []*shape.Class{spread, spread}, onto: []string{"a", "a"},
			now: []shape.PodID{"p0"}, later: []shape.PodID{"p1"},
		},
		"a neighbour comes first": {
			why: "The pod that looks for it was asked about first.", classes: []*shape.Class{
				near, &plain,
			}, onto: []string{"a", "a"},
			now: []shape.PodID{"p1", "p0"},
		},
		"a port is taken": {
			why: "Another pod has it.", classes: []*shape.Class{port, port}, onto: []string{"a", "a"},
			now: []shape.PodID{"p0"}, later: []shape.PodID{"p1"},
		},
		"labels": {
			why: "Only node b has the label.", classes: []*shape.Class{picky, picky}, onto: []string{"a", "b"},
			now: []shape.PodID{"p1"}, never: []shape.PodID{"p0"},
		},
		"attach slots": {
			why: "Each node attaches one volume.", classes: []*shape.Class{disk, disk}, onto: []string{"a", "a"},
			now: []shape.PodID{"p0"}, never: []shape.PodID{"p1"},
		},
		"a node that is not there": {
			why: "It may have gone since.", classes: []*shape.Class{&plain}, onto: []string{"c"},
			never: []shape.PodID{"p0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := enginetest.NewWorld()
			for _, n := range []struct {
				name   string
				labels []shape.Label
			}{
				{"a", []shape.Label{{Key: shape.LabelZone, Value: "a"}}},
				{"b", []shape.Label{{Key: "disk", Value: "ssd"}, {Key: shape.LabelZone, Value: "b"}}},
			} {
				w.Node(shape.Node{
					Name: n.name, Hostname: n.name, Stage: shape.Ready,
					Profile: w.Profile(shape.Profile{Labels: n.labels}),
					Allocatable: shape.Vector{
						CPU: 2000, Pods: 10,
					}, Attachable: []shape.Amount{{Resource: "ebs", Value: 1}},
				})
			}
			var want []engine.Placement
			for i, c := range tc.classes {
				id := shape.PodID("p" + string(rune('0'+i)))
				w.Pod(id, *c)
				want = append(want, engine.Placement{Pod: id, Node: tc.onto[i]})
			}
			got := engine.Admit(w.Snapshot(), want)
			for what, pair := range map[string][2][]shape.PodID{
				"now": {tc.now, podsOf(got.Now)}, "later": {tc.later, podsOf(got.Later)},
				"never": {tc.never, podsOf(got.Never)},
			} {
				if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
					t.Errorf("%s %s: -want +got\n%s", tc.why, what, diff)
				}
			}
		})
	}
}

func podsOf(list []engine.Placement) (out []shape.PodID) {
	for _, p := range list {
		out = append(out, p.Pod)
	}
	return out
}
