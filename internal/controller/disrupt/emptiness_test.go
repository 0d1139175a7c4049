package disrupt

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// quiet is an initialized, consolidatable claim with a ready, empty node that has been quiet for an hour.
func quiet(name string, pool *karpenterv1.NodePool, changes ...func(*seen)) seen {
	hour := metav1.NewTime(noon.Add(-time.Hour))
	s := seen{claim: &karpenterv1.NodeClaim{}, pool: pool, node: &corev1.Node{}, pods: &shape.Node{Name: name}}
	s.claim.Name, s.claim.CreationTimestamp = name, hour
	for _, c := range []string{karpenterv1.ConditionInitialized, karpenterv1.ConditionConsolidatable} {
		s.claim.Status.Conditions = append(
			s.claim.Status.Conditions,
			metav1.Condition{Type: c, Status: metav1.ConditionTrue, LastTransitionTime: hour},
		)
	}
	s.node.Name = name
	s.node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, change := range changes {
		change(&s)
	}
	return s
}

func poolWith(nodes string) *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{}
	p.Name = "default"
	p.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: nodes}}
	return p
}

func pod(role shape.Role) func(*seen) {
	return func(s *seen) { s.pods.Pods = append(s.pods.Pods, shape.Pod{Role: role}) }
}

func reserved(since time.Duration) func(*seen) {
	return func(s *seen) {
		s.node.Spec.Taints = append(s.node.Spec.Taints, karpenterv1.DisruptedTaint())
		s.claim.Status.Conditions = append(s.claim.Status.Conditions, metav1.Condition{
			Type:               karpenterv1.ConditionDisruptionReason,
			Status:             metav1.ConditionTrue,
			Reason:             "Empty",
			LastTransitionTime: metav1.NewTime(noon.Add(-since)),
		})
	}
}

func onlyMarked(s *seen) { reserved(time.Second)(s); s.node.Spec.Taints = nil }

func lastPod(ago time.Duration) func(*seen) {
	return func(s *seen) { s.claim.Status.LastPodEventTime = &metav1.Time{Time: noon.Add(-ago)} }
}

func notReady(s *seen) { s.node.Status.Conditions[0].Status = corev1.ConditionUnknown }

func leaving(s *seen) { s.claim.DeletionTimestamp = &metav1.Time{Time: noon} }

func held(s *seen) { s.hold = "disruption is held" }

func onlyTainted(s *seen) {
	s.node.Spec.Taints = append(s.node.Spec.Taints, karpenterv1.DisruptedTaint())
}

func TestDecide(t *testing.T) {
	t.Parallel()
	all := poolWith("100%")
	cases := map[string]struct {
		why   string
		seen  []seen
		want  []string
		again time.Duration
	}{
		"Empty": {"An empty node is reserved first.", []seen{quiet("a", all)}, []string{"a reserve"}, 0},
		"Daemons": {
			"DaemonSets, mirrors and ending pods need no room elsewhere.",
			[]seen{quiet("a", all, pod(shape.Daemon), pod(shape.Static), pod(shape.Ending))},
			[]string{"a reserve"},
			0,
		},
		"InUse": {
			"A node with a pod, or with one on its way, is not empty.",
			[]seen{quiet("a", all, pod(shape.Movable))},
			nil,
			0,
		},
		"Pinned": {
			"A pod that must not be disrupted keeps its node.",
			[]seen{quiet("a", all, pod(shape.Pinned))},
			nil,
			0,
		},
		"JustLeft": {
			"Between two jobs the node stays a while.",
			[]seen{quiet("a", all, lastPod(5*time.Second))},
			nil,
			10 * time.Second,
		},
		"Settling": {
			"A reserved node is looked at once more.",
			[]seen{quiet("a", all, reserved(time.Second))},
			nil,
			time.Second,
		},
		"Settled": {
			"Still empty: it goes.",
			[]seen{quiet("a", all, reserved(3*time.Second))},
			[]string{"a remove"},
			0,
		},
		"PodSlippedIn": {
			"A pod that was being bound when the taint came frees the node.",
			[]seen{quiet("a", all, reserved(3*time.Second), pod(shape.Movable))},
			[]string{"a release"},
			0,
		},
		"Budget": {
			"One of three may go; the oldest name wins, the others are tried again.",
			[]seen{quiet("c", poolWith("1")), quiet("a", poolWith("1")), quiet("b", poolWith("1"))},
			[]string{"a reserve"},
			10 * time.Second,
		},
		"BudgetUsed": {
			"A node that is going or not ready uses the budget up.",
			[]seen{
				quiet("a", poolWith("2"), leaving),
				quiet("b", poolWith("2"), notReady, pod(shape.Movable)),
				quiet("c", poolWith("2")),
			},
			nil,
			10 * time.Second,
		},
		"Marked": {
			"One that was chosen a moment ago counts, though its taint is not seen yet; it is tainted again.",
			[]seen{quiet("a", poolWith("1"), onlyMarked), quiet("b", poolWith("1"))},
			[]string{"a fence"},
			10 * time.Second,
		},
		"MarkedInUse": {
			"A pod came before the taint did: the claim is free again.",
			[]seen{quiet("a", all, onlyMarked, pod(shape.Movable))},
			[]string{"a release"},
			0,
		},
		"BudgetRounding": {
			"10 % of one node is one node.",
			[]seen{quiet("a", poolWith("10%"))},
			[]string{"a reserve"},
			0,
		},
		"BudgetZero": {"0 means none.", []seen{quiet("a", poolWith("0"))}, nil, 10 * time.Second},
		"NoPool": {
			"Without its pool a claim has no policy to be consolidated by.",
			[]seen{quiet("a", nil)},
			nil,
			0,
		},
		"DoNotDisrupt": {
			"The node's annotation keeps it.",
			[]seen{
				quiet(
					"a",
					all,
					func(s *seen) {
						s.node.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}
					},
				),
			},
			[]string{"a keep"},
			0,
		},
		"Held": {"Somebody holds the pool still.", []seen{quiet("a", all, held)}, []string{"a keep"}, 0},
		"HeldReserved": {
			"What has begun is taken back.",
			[]seen{quiet("a", all, reserved(3*time.Second), held)},
			[]string{"a release"},
			0,
		},
		"HeldMarked": {
			"Also between the two writes.",
			[]seen{quiet("a", all, onlyMarked, held)},
			[]string{"a release"},
			0,
		},
		"NotConsolidatable": {
			"consolidateAfter is not over.",
			[]seen{quiet("a", all, func(s *seen) { s.claim.Status.Conditions = s.claim.Status.Conditions[:1] })},
			nil,
			0,
		},
		"Terminating": {
			"A node that is being deleted keeps its taint.",
			[]seen{
				quiet(
					"a",
					all,
					reserved(3*time.Second),
					pod(shape.Movable),
					func(s *seen) { s.node.DeletionTimestamp = &metav1.Time{Time: noon} },
				),
			},
			nil,
			0,
		},
		"Tainted": {
			"A taint that nobody put there with a mark goes, or the node would neither be used nor given up.",
			[]seen{quiet("a", all, onlyTainted)},
			[]string{"a release"},
			0,
		},
		"Unseen": {
			"A node that the planner does not know yet is not judged.",
			[]seen{quiet("a", all, func(s *seen) { s.pods = nil })},
			nil,
			0,
		},
	}
	names := map[step]string{
		reserve: "reserve",
		fence:   "fence",
		remove:  "remove",
		release: "release",
		explain: "keep",
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := view{all: tc.seen, now: noon}.decide(moves{})
			var got []string
			for _, c := range out.choices {
				got = append(got, fmt.Sprintf("%s %s", c.claim.Name, names[c.step]))
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || out.again != tc.again {
				t.Errorf("%s\nagain %s, want %s; -want +got\n%s", tc.why, out.again, tc.again, diff)
			}
		})
	}
}

// TestADaemonsBudgetKeepsItsNode has a node with a pod of a DaemonSet only: its drain would end at a
// PodDisruptionBudget that lets that pod not go, with the node out of use.
func TestADaemonsBudgetKeepsItsNode(t *testing.T) {
	t.Parallel()
	daemon := func(change ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "default",
				Name:      "agent",
				Labels:    map[string]string{"app": "agent"},
			},
		}
		for _, c := range change {
			c(p)
		}
		return p
	}
	cases := map[string]struct {
		why     string
		pod     *corev1.Pod
		allowed int32
		want    step
	}{
		"Blocked": {"The drain would wait for it for ever.", daemon(), 0, explain},
		"Allowed": {"It may go.", daemon(), 1, reserve},
		"Tolerates": {
			"A pod that stays to the end is not evicted.",
			daemon(
				func(p *corev1.Pod) { p.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}} },
			),
			0,
			reserve,
		},
		"Going": {
			"It goes already.",
			daemon(func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} }),
			0,
			reserve,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "guard"}}
			b.Spec.Selector = &metav1.LabelSelector{MatchLabels: tc.pod.Labels}
			b.Status.DisruptionsAllowed = tc.allowed
			v := view{
				all: []seen{
					quiet(
						"a",
						poolWith("100%"),
						func(s *seen) { s.pods.Pods = []shape.Pod{{ID: "default/agent", Role: shape.Daemon}} },
					),
				},
				now:    noon,
				guards: compileGuards([]policyv1.PodDisruptionBudget{b}, nil),
				podOf:  func(shape.PodID) *corev1.Pod { return tc.pod },
			}
			got := v.decide(moves{}).choices
			if len(got) != 1 || got[0].step != tc.want {
				t.Errorf("%s\n%+v, want step %d", tc.why, got, tc.want)
			}
			inUse := v.all[0].obstacle(karpenterv1.DisruptionReasonUnderutilized, v.podOf, v.guards) != ""
			if inUse != (tc.want == explain) {
				t.Errorf("%s\nin a move it is an obstacle: %v", tc.why, inUse)
			}
		})
	}
}

func TestAPoolSaysThatItsBudgetKeepsEmptyNodes(t *testing.T) {
	t.Parallel()
	none := poolWith("0")
	if got := (view{all: []seen{quiet("a", none), quiet("b", none)}, now: noon}).decide(
		moves{},
	).spent; len(got) != 1 ||
		got[0] != "default" {
		t.Errorf("pools whose budgets are used up: %v, want default once", got)
	}
}
