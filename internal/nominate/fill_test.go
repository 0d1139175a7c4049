package nominate

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// fleet is nodes of 4 cores, a claim each, with pods of some class planned onto them.
func fleet(classes []*shape.Class, pods map[string][]shape.Pod) shape.Snapshot {
	s := shape.Snapshot{Classes: classes, Profiles: []*shape.Profile{{}, {Taints: []shape.Taint{{Key: "special", Effect: shape.NoSchedule}}}}}
	for _, claim := range []string{"a", "b", "c"} {
		s.Nodes = append(s.Nodes, &shape.Node{Name: "node-" + claim, Claim: claim, Allocatable: shape.Vector{CPU: 4000, Memory: 1 << 40, Pods: 100}, Pods: pods[claim]})
	}
	return s
}

func class(milli int64) *shape.Class {
	return &shape.Class{Namespace: "default", Requests: shape.Vector{CPU: milli, Pods: 1}}
}

// TestNodesThatOpenAreFilledFromThoseThatComeLater has a node of which a quarter is left, and others whose pods would fit there.
func TestNodesThatOpenAreFilledFromThoseThatComeLater(t *testing.T) {
	t.Parallel()
	big, small, tiny := class(3000), class(1000), class(500)
	spread := class(1000)
	spread.Spread = []shape.Spread{{Key: "zone", MaxSkew: 1, Hard: true}}
	spare := map[string][]shape.Pod{"a": {{ID: "a-big", Class: 0}}, "b": {{ID: "b-small", Class: 1}}, "c": {{ID: "c-small", Class: 1}, {ID: "c-tiny", Class: 2}}}
	all := map[string][]shape.PodID{"a": {"a-big"}, "b": {"b-small"}, "c": {"c-small", "c-tiny"}}
	for name, tc := range map[string]struct {
		why     string
		change  func(s *shape.Snapshot)
		opening []string
		planned map[string][]shape.PodID
		want    []move
	}{
		"the last node's pods come first": {
			why:     "The node that comes last may come to be empty, and then is not needed.",
			opening: []string{"a", "b"}, planned: all,
			want: []move{{"c-small", "a"}, {"c-tiny", "b"}},
		},
		"nodes of one moment fill each other in their order": {
			why:     "They cannot open at one moment: pods of one that is closed would go to one that is open.",
			opening: []string{"a", "b"}, planned: map[string][]shape.PodID{"a": {"a-big"}, "b": {"b-small"}},
			want: []move{{"b-small", "a"}},
		},
		"bound pods stay": {
			why:     "What is not planned any more is there already.",
			opening: []string{"a"}, planned: map[string][]shape.PodID{"a": {"a-big"}},
		},
		"pods whose neighbours matter stay": {
			why:     "Whether a spread allows it depends on more than room.",
			change:  func(s *shape.Snapshot) { s.Classes[1] = spread; s.Classes[2] = spread },
			opening: []string{"a"}, planned: all,
		},
		"a node that pods do not tolerate stays as it is": {
			why:     "The scheduler would not put them there.",
			change:  func(s *shape.Snapshot) { s.Nodes[0].Profile = 1 },
			opening: []string{"a"}, planned: all,
		},
		"room for daemons is kept": {
			why:     "Their pods come once the node is there.",
			change:  func(s *shape.Snapshot) { s.DaemonSets = []shape.DaemonSet{{Name: "kube-system/log", Class: 2}} },
			opening: []string{"a"}, planned: all,
			want: []move{{"c-tiny", "a"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fleet([]*shape.Class{big, small, tiny}, spare)
			if tc.change != nil {
				tc.change(&s)
			}
			if diff := cmp.Diff(tc.want, fill(s, tc.opening, tc.planned), cmp.AllowUnexported(move{})); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}
