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
	m := member{claim: &karpenterv1.NodeClaim{}, node: &shape.Node{Name: name}, ready: true}
	m.claim.Name, m.claim.CreationTimestamp = name, metav1.NewTime(noon)
	for _, c := range []string{karpenterv1.ConditionLaunched, karpenterv1.ConditionInitialized} {
		m.claim.Status.Conditions = append(
			m.claim.Status.Conditions,
			metav1.Condition{Type: c, Status: metav1.ConditionTrue},
		)
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

func with(conditionType string) func(*member) {
	return func(m *member) {
		m.claim.Status.Conditions = append(
			m.claim.Status.Conditions,
			metav1.Condition{
				Type:               conditionType,
				Status:             metav1.ConditionTrue,
				Reason:             string(karpenterv1.DisruptionReasonDrifted),
				LastTransitionTime: metav1.NewTime(noon),
			},
		)
	}
}

func notLaunched(m *member) { m.claim.Status.Conditions, m.node, m.ready = nil, nil, false }

func notInitialized(m *member) {
	m.claim.Status.Conditions, m.ready = m.claim.Status.Conditions[:1], false
}

func sick(m *member) { m.sick = true }

func dead(m *member) { m.ready = false }

func slot(m *member) { m.slot = true }

func markedSick(m *member) {
	with(karpenterv1.ConditionDisruptionReason)(m)
	m.claim.Status.Conditions[len(m.claim.Status.Conditions)-1].Reason = string(karpenterv1.DisruptionReasonUnhealthy)
}

func budget(n int) allowance { return allowance{all: n, left: n} }

func first(n int) allowance { return allowance{all: n, left: n, first: true} }

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
		blocked []string
	}{
		"Enough": {
			why:   "As many as wanted are there.",
			sight: sight{replicas: 2, members: []member{one("a"), one("b")}},
		},
		"TooFew": {
			why:   "What is missing is opened.",
			sight: sight{replicas: 3, members: []member{one("a")}},
			open:  2,
		},
		"JustMade": {
			why:   "Claims that no informer has shown count, or they would be made twice.",
			sight: sight{replicas: 3, members: []member{one("a")}, known: 3},
		},
		"Limit": {
			why:   "limits.nodes holds, and nodes that are going still count.",
			sight: sight{replicas: 5, members: []member{one("a")}, limit: 3, leaving: 1},
			open:  1,
		},
		"ScaleDownOrder": {
			why: "First what is not launched, then what is empty, then what is cheap to move, last what must not be " +
				"disrupted.",
			sight: sight{
				replicas: 2,
				members: []member{
					one("kept", kept),
					one("pinned", pinning),
					one("dear", podsOf(9000)),
					one("cheap", podsOf(10)),
					one("empty"),
					one("new", notLaunched),
				},
			},
			removed: []string{"new", "empty", "cheap", "dear"},
			reason:  "underutilized",
		},
		"Drift": {
			why: "A drifted node is chosen, within the budget.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift), one("b", drift)},
				drift:    allowance{all: 1, left: 1},
			},
			marked: []string{"a"},
		},
		"DriftNoBudget": {
			why:   "No budget, no drift.",
			sight: sight{replicas: 1, members: []member{one("a", drift)}},
		},
		"Replacing": {
			why:   "A node that is to go does not count: another is opened.",
			sight: sight{replicas: 2, members: []member{one("a", drift, marked), one("b")}},
			open:  1,
		},
		"NotYetReady": {
			why:   "The other one is not ready yet.",
			sight: sight{replicas: 2, members: []member{one("a", drift, marked), one("b"), one("c", notInitialized)}},
		},
		"Replaced": {
			why:     "All others are ready: it goes.",
			sight:   sight{replicas: 2, members: []member{one("a", drift, marked), one("b"), one("c")}},
			removed: []string{"a"},
			reason:  "drifted",
		},
		"NoSurplus": {
			why: "The limit allows no surplus: the drifted one goes first.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift, marked), one("b")},
				limit:    2,
				drift:    first(1),
				launches: true,
			},
			removed: []string{"a"},
			reason:  "drifted",
		},
		"NoSurplusOff": {
			why: "Nobody has allowed that: it stays, and says so.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift, marked), one("b")},
				limit:    2,
				drift:    budget(1),
				launches: true,
			},
			unmark:  []string{"a"},
			blocked: []string{"a"},
		},
		"NoSurplusOffYet": {
			why: "It is not even chosen.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift), one("b")},
				limit:    2,
				drift:    budget(1),
				launches: true,
			},
			blocked: []string{"a"},
		},
		"NoSurplusMark": {
			why: "It is chosen before it goes.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift), one("b")},
				limit:    2,
				drift:    first(1),
				launches: true,
			},
			marked: []string{"a"},
		},
		"NoSurplusTwo": {
			why: "As many as the budget lets be missing.",
			sight: sight{
				replicas: 4,
				members: []member{
					one("a", drift, marked),
					one("b", drift, marked),
					one("c", drift, marked),
					one("d"),
				},
				limit:    4,
				drift:    first(2),
				launches: true,
			},
			removed: []string{"a", "b"},
			reason:  "drifted",
		},
		"NoSurplusLost": {
			why: "A replacement that is not ready yet is a node that is missing.",
			sight: sight{
				replicas: 3,
				members:  []member{one("a", drift, marked), one("b"), one("c", notInitialized)},
				limit:    3,
				drift:    first(1),
				launches: true,
			},
		},
		"NoSurplusUnready": {
			why: "To end a node that serves nothing loses nothing.",
			sight: sight{
				replicas: 3,
				members:  []member{one("a", sick, markedSick, dead), one("b"), one("c")},
				limit:    3,
				repairs:  first(1),
				launches: true,
			},
			removed: []string{"a"},
			reason:  "unhealthy",
		},
		"NoSurplusPool": {
			why: "Nothing could be opened in its place.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift, marked), one("b")},
				limit:    2,
				drift:    first(1),
			},
		},
		"Full": {
			why: "A reservation that is full gives back what is ended.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift, marked, slot), one("b", slot)},
				full:     true,
				drift:    first(1),
				launches: true,
				probing:  true,
			},
			removed: []string{"a"},
			reason:  "drifted",
		},
		"FullElsewhere": {
			why: "A node that holds no place in it gives none back.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift), one("b", slot)},
				full:     true,
				drift:    first(1),
				launches: true,
			},
			blocked: []string{"a"},
		},
		"Sick": {
			why: "A sick node is chosen before a drifted one.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift), one("b", sick)},
				drift:    budget(1),
				repairs:  budget(1),
			},
			marked: []string{"b"},
		},
		"SickHeld": {
			why: "A hold is for what is done by choice.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift), one("b", sick)},
				drift:    budget(1),
				repairs:  budget(1),
				held:     true,
			},
			marked: []string{"b"},
		},
		"SickReplaced": {
			why:     "It goes for its own reason.",
			sight:   sight{replicas: 1, members: []member{one("a", sick, markedSick), one("b")}},
			removed: []string{"a"},
			reason:  "unhealthy",
		},
		"Recovered": {
			why:    "It is well again, and stays.",
			sight:  sight{replicas: 1, members: []member{one("a", markedSick), one("b")}},
			unmark: []string{"a"},
		},
		"Rebooting": {
			why: "A node that is rebooted comes back: nothing is opened for it.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", sick, markedSick, with(karpenterv1.ConditionRebooting)), one("b")},
			},
		},
		"TakenBack": {
			why:    "What made it drift was taken back before it went, so it stays.",
			sight:  sight{replicas: 2, members: []member{one("a", marked), one("b", drift, marked), one("c")}},
			unmark: []string{"a"},
		},
		"Probing": {
			why:   "One claim tries whether there is capacity again.",
			sight: sight{replicas: 3, members: []member{one("a")}, probing: true},
			open:  1,
		},
		"ProbeUnderWay": {
			why:   "It has not been answered yet.",
			sight: sight{replicas: 3, members: []member{one("a"), one("b", notLaunched)}, probing: true},
		},
		"ProbeJustMade": {
			why:   "No informer has shown it yet.",
			sight: sight{replicas: 3, members: []member{one("a")}, known: 2, probing: true},
		},
		"Held": {
			why: "Somebody holds disruption.",
			sight: sight{
				replicas: 2,
				members:  []member{one("a", drift), one("b")},
				drift:    allowance{all: 1, left: 1},
				held:     true,
			},
		},
		"HeldMarked": {
			why:    "What was chosen is let go.",
			sight:  sight{replicas: 2, members: []member{one("a", drift, marked), one("b"), one("c")}, held: true},
			unmark: []string{"a"},
		},
		"HeldScaleDown": {
			why:     "A smaller number of replicas is somebody's wish.",
			sight:   sight{replicas: 1, members: []member{one("a", podsOf(10)), one("b")}, held: true},
			removed: []string{"b"},
			reason:  "underutilized",
		},
		"NoSurplusWait": {
			why: "One at a time, if the budget says so.",
			sight: sight{
				replicas: 3,
				members:  []member{one("a", drift, marked), one("b")},
				limit:    3,
				leaving:  1,
				drift:    first(1),
				launches: true,
			},
		},
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
			if diff := cmp.Diff(
				[]any{tc.open, tc.removed, tc.reason, tc.marked, tc.unmark, tc.blocked},
				[]any{
					got.open,
					names(got.remove),
					got.reason,
					names(got.mark),
					names(got.unmark),
					names(got.blocked),
				},
			); diff != "" {
				t.Errorf("%s\nopen, remove, reason, mark, unmark, blocked: -want +got\n%s", tc.why, diff)
			}
		})
	}
}
