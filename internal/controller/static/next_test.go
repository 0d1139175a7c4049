package static

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// one is a launched and initialized claim with an empty node.
func one(name string, change ...func(*member)) member {
	m := member{claim: &karpenterv1.NodeClaim{}, node: &shape.Node{Name: name}}
	m.claim.Name, m.claim.CreationTimestamp = name, metav1.NewTime(noon)
	for _, c := range []string{karpenterv1.ConditionLaunched, karpenterv1.ConditionInitialized} {
		m.claim.Status.Conditions = append(m.claim.Status.Conditions, metav1.Condition{Type: c, Status: metav1.ConditionTrue})
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

func with(conditionType string) func(*member) {
	return func(m *member) {
		m.claim.Status.Conditions = append(m.claim.Status.Conditions, metav1.Condition{Type: conditionType, Status: metav1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon)})
	}
}

func unlaunched(m *member) { m.claim.Status.Conditions, m.node = nil, nil }

func notInitialized(m *member) { m.claim.Status.Conditions = m.claim.Status.Conditions[:1] }

func kept(m *member) { m.node.Kept = "pod default/a must not be disrupted" }

func pinning(m *member) { m.node.Pods = []shape.Pod{{ID: "p", Role: shape.Pinned}} }

func podsOf(costs ...int32) func(*member) {
	return func(m *member) {
		for i, c := range costs {
			m.node.Pods = append(m.node.Pods, shape.Pod{ID: shape.PodID(fmt.Sprint(i)), EvictionCost: c})
		}
	}
}

func TestNext(t *testing.T) {
	t.Parallel()
	drift, marked := with(karpenterv1.ConditionDrifted), with(karpenterv1.ConditionDisruptionReason)
	cases := map[string]struct {
		why     string
		sight   sight // known is taken from members if it is 0, limit is none if it is 0
		open    int
		removed []string
		reason  string
		marked  []string
		unmark  []string
	}{
		"Enough":         {why: "As many as wanted are there.", sight: sight{replicas: 2, members: []member{one("a"), one("b")}}},
		"TooFew":         {why: "What is missing is opened.", sight: sight{replicas: 3, members: []member{one("a")}}, open: 2},
		"JustMade":       {why: "Claims that no informer has shown count, or they would be made twice.", sight: sight{replicas: 3, members: []member{one("a")}, known: 3}},
		"Limit":          {why: "limits.nodes holds, and nodes that are going still count.", sight: sight{replicas: 5, members: []member{one("a")}, limit: 3, leaving: 1}, open: 1},
		"ScaleDownOrder": {why: "First what is not launched, then what is empty, then what is cheap to move, last what must not be disrupted.", sight: sight{replicas: 2, members: []member{one("kept", kept), one("pinned", pinning), one("dear", podsOf(9000)), one("cheap", podsOf(10)), one("empty"), one("new", unlaunched)}}, removed: []string{"new", "empty", "cheap", "dear"}, reason: "underutilized"},
		"Drift":          {why: "A drifted node is chosen, within the budget.", sight: sight{replicas: 2, members: []member{one("a", drift), one("b", drift)}, budget: 1}, marked: []string{"a"}},
		"DriftNoBudget":  {why: "No budget, no drift.", sight: sight{replicas: 1, members: []member{one("a", drift)}}},
		"Replacing":      {why: "A node that is to go does not count: another is opened.", sight: sight{replicas: 2, members: []member{one("a", drift, marked), one("b")}}, open: 1},
		"NotYetReady":    {why: "The other one is not ready yet.", sight: sight{replicas: 2, members: []member{one("a", drift, marked), one("b"), one("c", notInitialized)}}},
		"Replaced":       {why: "All others are ready: it goes.", sight: sight{replicas: 2, members: []member{one("a", drift, marked), one("b"), one("c")}}, removed: []string{"a"}, reason: "drifted"},
		"NoSurplus":      {why: "The limit allows no surplus: the drifted one goes first.", sight: sight{replicas: 2, members: []member{one("a", drift, marked), one("b")}, limit: 2}, removed: []string{"a"}, reason: "drifted"},
		"TakenBack":      {why: "What made it drift was taken back before it went, so it stays.", sight: sight{replicas: 2, members: []member{one("a", marked), one("b", drift, marked), one("c")}}, unmark: []string{"a"}},
		"NoSurplusWait":  {why: "One at a time.", sight: sight{replicas: 3, members: []member{one("a", drift, marked), one("b")}, limit: 3, leaving: 1}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tc.sight
			if s.known == 0 {
				s.known = len(s.members)
			}
			if s.limit == 0 {
				s.limit = -1
			}
			got := next(s)
			names := func(list []*karpenterv1.NodeClaim) (out []string) {
				for _, c := range list {
					out = append(out, c.Name)
				}
				return out
			}
			if diff := cmp.Diff([]any{tc.open, tc.removed, tc.reason, tc.marked, tc.unmark}, []any{got.open, names(got.remove), got.reason, names(got.mark), names(got.unmark)}); diff != "" {
				t.Errorf("%s\nopen, remove, reason, mark, unmark: -want +got\n%s", tc.why, diff)
			}
		})
	}
}
