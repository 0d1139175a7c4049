package disrupt

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/provider"
)

// sick nodes are due for repair: what mends them, and how long their drain may take, negative for as long as it takes.
func sick(action provider.RepairAction, grace time.Duration) func(*seen) {
	return func(s *seen) {
		s.claim.Status.Conditions = append(
			s.claim.Status.Conditions,
			metav1.Condition{Type: karpenterv1.ConditionRegistered, Status: metav1.ConditionTrue},
		)
		cure := &nodehealth.Cure{
			Action:    action,
			Score:     1,
			Condition: corev1.NodeCondition{Type: "GPU", Status: corev1.ConditionFalse, Reason: "Soft"},
		}
		if grace >= 0 {
			cure.GracePeriod = &grace
		}
		s.sick = nodehealth.Diagnosis{Bad: true, Cure: cure}
	}
}

func scored(score float64) func(*seen) {
	return func(s *seen) { s.sick.Cure.Score = score }
}

func uninitialized(s *seen) {
	s.claim.Status.Conditions = slices.DeleteFunc(
		s.claim.Status.Conditions,
		func(c metav1.Condition) bool { return c.Type == karpenterv1.ConditionInitialized },
	)
}

func with(key string) func(*seen) {
	return func(s *seen) { s.node.Annotations = map[string]string{key: "true"} }
}

func pinned(s *seen) { s.pods.Pods[0].Role = shape.Pinned }

// keeper is a full node that keeps the breaker from tripping.
func keepers(f *fleet, n int) *fleet {
	for i := range n {
		f.node(string(rune('u'+i)), 4, []int{4})
	}
	return f
}

func TestRepair(t *testing.T) {
	t.Parallel()
	const replaceIt, rebootIt = provider.ReplaceNode, provider.RebootNode
	minute := time.Minute
	empties := func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	}
	budget := func(nodes string, reasons ...karpenterv1.DisruptionReason) func(*karpenterv1.NodePool) {
		return func(p *karpenterv1.NodePool) {
			empties(p)
			p.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: nodes, Reasons: reasons}}
		}
	}
	cases := map[string]struct {
		why   string
		fleet *fleet
		want  []string
	}{
		"Replaced": {
			"A sick node is chosen; nothing is deleted yet.",
			newFleet(empties).node("a", 4, []int{4}, sick(replaceIt, minute)),
			[]string{"reserve a Unhealthy"},
		},
		"OpensFirst": {
			"Its replacement is opened before a pod moves.",
			newFleet(empties).node("a", 4, []int{4}, sick(replaceIt, minute), marked("Unhealthy", 3*time.Second)),
			[]string{"open c4 for a"},
		},
		"ThenGoes": {
			"The replacement is ready.",
			newFleet(
				empties,
			).node("a", 4, []int{4}, sick(replaceIt, minute), marked("Unhealthy", minute)).
				node("b", 4, nil),
			[]string{"remove a Unhealthy"},
		},
		"Recovered": {
			"It became well before it went.",
			newFleet(empties).node("a", 4, []int{4}, marked("Unhealthy", minute)).node("b", 4, nil),
			[]string{"release a Unhealthy"},
		},
		"NoBudget": {
			"A budget for all reasons holds it.",
			newFleet(budget("0")).node("a", 4, []int{4}, sick(replaceIt, minute)),
			nil,
		},
		"NoOwnBudget": {
			"So does one of its own.",
			newFleet(
				budget("0", karpenterv1.DisruptionReasonUnhealthy),
			).node("a", 4, []int{4}, sick(replaceIt, minute)),
			nil,
		},
		"OtherBudget": {
			"One for other reasons does not.",
			newFleet(
				budget("0", karpenterv1.DisruptionReasonDrifted),
			).node("a", 4, []int{4}, sick(replaceIt, minute)),
			[]string{"reserve a Unhealthy"},
		},
		"NotReadyItself": {
			"That it is not ready does not use up the budget that it needs.",
			newFleet(budget("1")).node("a", 4, []int{4}, sick(replaceIt, minute), notReady),
			[]string{"reserve a Unhealthy"},
		},
		"NeverReady": {
			"A node that was never ready for pods needs no budget.",
			newFleet(budget("0")).node("a", 4, nil, sick(replaceIt, minute), uninitialized),
			[]string{"reserve a Unhealthy"},
		},
		"MostUrgent": {
			"The budget lets one go: the most urgent.",
			keepers(
				newFleet(budget("1")),
				6,
			).node("a", 4, []int{4}, sick(replaceIt, minute), scored(1)).
				node("b", 4, []int{4}, sick(replaceIt, minute), scored(2)),
			[]string{"reserve b Unhealthy"},
		},
		"Breaker": {
			"Two of five: that is not the nodes' fault.",
			keepers(
				newFleet(empties),
				3,
			).node("a", 4, []int{4}, sick(replaceIt, minute)).
				node("b", 4, []int{4}, sick(replaceIt, minute)),
			[]string{"keep a Unhealthy", "keep b Unhealthy"},
		},
		"BreakerStarts": {
			"Nodes that have only begun to start do not trip it.",
			keepers(
				newFleet(empties),
				3,
			).node("a", 4, []int{4}, sick(replaceIt, minute)).
				node("b", 4, nil, uninitialized, func(s *seen) { s.sick.Bad = true }).
				node("c", 4, nil, uninitialized, func(s *seen) { s.sick.Bad = true }),
			[]string{"reserve a Unhealthy"},
		},
		"BreakerMends": {
			"Nor do those that are being mended.",
			keepers(
				newFleet(empties),
				3,
			).node("a", 4, []int{4}, sick(replaceIt, minute)).
				node("b", 4, []int{4}, sick(replaceIt, minute), leaving).
				node("c", 4, []int{4}, sick(replaceIt, minute), leaving),
			[]string{"reserve a Unhealthy", "hasten b Unhealthy", "hasten c Unhealthy"},
		},
		"Veto": {
			"Somebody wants to look into it.",
			newFleet(
				empties,
			).node("a", 4, []int{4}, sick(replaceIt, minute), with(karpenterv1.DoNotRepairAnnotationKey)),
			[]string{"keep a Unhealthy"},
		},
		"DoNotDisrupt": {
			"That is about what is done by choice.",
			newFleet(
				empties,
			).node("a", 4, []int{4}, sick(replaceIt, minute), with(karpenterv1.DoNotDisruptAnnotationKey)),
			[]string{"reserve a Unhealthy"},
		},
		"Hold": {
			"So is a hold.",
			newFleet(empties).node("a", 4, []int{4}, sick(replaceIt, minute), held),
			[]string{"reserve a Unhealthy"},
		},
		"PodHolds": {
			"A pod that must not be disturbed holds it if nothing bounds the drain.",
			newFleet(empties).node("a", 4, []int{4}, sick(replaceIt, -1), pinned),
			[]string{"keep a Unhealthy"},
		},
		"PodOverridden": {
			"And does not if something does.",
			newFleet(empties).node("a", 4, []int{4}, sick(replaceIt, minute), pinned),
			[]string{"reserve a Unhealthy"},
		},
		"PDB": {
			"The same with a PodDisruptionBudget.",
			newFleet(empties).node("a", 4, []int{4}, sick(replaceIt, minute)).budget("a"),
			[]string{"reserve a Unhealthy"},
		},
		"OwnBound": {
			"The claim's own period is a bound too.",
			newFleet(
				empties,
			).node("a", 4, []int{4}, sick(replaceIt, -1), pinned,
				func(s *seen) { s.claim.Spec.TerminationGracePeriod = &metav1.Duration{Duration: minute} }),
			[]string{"reserve a Unhealthy"},
		},
		"NoRoom": {
			"Its pods fit nowhere.",
			newFleet(
				empties,
			).node("a", 9, []int{8}, sick(replaceIt, minute), func(s *seen) { s.pods.Pods[0].Class = 99 }),
			[]string{"keep a Unhealthy"},
		},
		"NotRegistered": {
			"What never joined is not repaired.",
			newFleet(
				empties,
			).node("a", 4, []int{4}, sick(replaceIt, minute),
				func(s *seen) { s.claim.Status.Conditions = s.claim.Status.Conditions[:2] }),
			nil,
		},
		"NoPool": {
			"Without a NodePool nobody knows what to replace it by.",
			newFleet(empties).node("a", 4, []int{4}, sick(replaceIt, minute), func(s *seen) { s.pool = nil }),
			[]string{"keep a Unhealthy"},
		},
		"BeforeDrift": {
			"Sick nodes come before drifted ones.",
			keepers(
				newFleet(budget("1")),
				6,
			).node("a", 4, []int{4}, drifted).
				node("b", 4, []int{4}, sick(replaceIt, minute)),
			[]string{"reserve b Unhealthy"},
		},
		"Reboot": {
			"It is rebooted in place, and nothing is opened.",
			newFleet(empties).node("a", 4, []int{4}, sick(rebootIt, minute)),
			[]string{"reboot a Unhealthy"},
		},
		"RebootBudget": {
			"One at a time.",
			keepers(
				newFleet(budget("1")),
				8,
			).node("a", 4, []int{4}, sick(rebootIt, minute)).
				node("b", 4, []int{4}, sick(rebootIt, minute)),
			[]string{"reboot a Unhealthy"},
		},
		"RebootStatic": {
			"Nodes of static pools too.",
			newFleet(
				empties,
				func(p *karpenterv1.NodePool) { p.Spec.Replicas = new(int64) },
			).node("a", 4, []int{4}, sick(rebootIt, minute)),
			[]string{"reboot a Unhealthy"},
		},
		"Rebooting": {
			"A node that boots is left alone, and uses the budget.",
			keepers(
				newFleet(budget("1")),
				8,
			).node("a", 4, []int{4}, sick(rebootIt, minute), rebooting, uninitialized).
				node("b", 4, []int{4}, drifted),
			nil,
		},
		"RebootedTwice": {
			"Enough is enough.",
			newFleet(empties).node("a", 4, []int{4}, sick(rebootIt, minute), func(s *seen) {
				for _, ago := range []time.Duration{time.Hour, 2 * time.Hour} {
					s.claim.Annotations = map[string]string{
						nodehealth.AnnotationReboots: nodehealth.WithReboot(s.claim, noon.Add(-ago)),
					}
				}
			}),
			[]string{"reserve a Unhealthy"},
		},
		"RebootFailed": {
			"A reboot that failed leaves the mark: the taint follows, then a replacement, then it goes.",
			newFleet(
				empties,
			).node("a", 4, []int{4}, sick(rebootIt, minute), marked("Unhealthy", time.Hour), rebootFailed,
				func(s *seen) { s.node.Spec.Taints = nil }),
			[]string{"fence a Unhealthy"},
		},
		"HastenNever": {
			"A drain that ends soon enough is left as it is.",
			newFleet(empties).node("a", 4, []int{4}, sick(replaceIt, time.Hour), leaving, func(s *seen) {
				s.claim.Annotations = map[string]string{
					karpenterv1.NodeClaimTerminationTimestampAnnotationKey: noon.Add(time.Minute).
						Format(time.RFC3339),
				}
			}),
			nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, tc.fleet.plan(nil, noon)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func rebooting(s *seen) {
	s.claim.Status.Conditions = append(
		s.claim.Status.Conditions,
		metav1.Condition{
			Type:   karpenterv1.ConditionRebooting,
			Status: metav1.ConditionTrue,
			Reason: karpenterv1.ReasonRebootIssued,
		},
		metav1.Condition{
			Type:   karpenterv1.ConditionDisruptionReason,
			Status: metav1.ConditionTrue,
			Reason: "Unhealthy",
		},
	)
}

func rebootFailed(s *seen) {
	s.claim.Status.Conditions = append(s.claim.Status.Conditions, metav1.Condition{
		Type:               karpenterv1.ConditionRebooting,
		Status:             metav1.ConditionFalse,
		Reason:             karpenterv1.ReasonRebootFailed,
		LastTransitionTime: metav1.NewTime(noon.Add(-time.Minute)),
	})
}

// TestAFailedDriftDoesNotPutRepairOff has a node whose replacement by drift failed a moment ago.
func TestAFailedDriftDoesNotPutRepairOff(t *testing.T) {
	t.Parallel()
	m := newMemory()
	f := newFleet(func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	}).
		node("a", 4, []int{4}, drifted, sick(provider.ReplaceNode, time.Minute))
	m.attempts[attempt{claim: "a"}] = m.attempts[attempt{claim: "a"}].Fail(noon, retry)
	if diff := cmp.Diff([]string{"reserve a Unhealthy"}, f.plan(&m, noon)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// TestTheDrainOfASickNodeIsBounded: by the shorter of what the policy and the claim say.
func TestTheDrainOfASickNodeIsBounded(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ policy, own, want time.Duration }{
		{5 * time.Minute, 0, 5 * time.Minute}, {5 * time.Minute, time.Minute, time.Minute}, {0, time.Minute, 0},
	} {
		f := newFleet().node(
			"a",
			4,
			[]int{4},
			sick(provider.ReplaceNode, tc.policy),
			marked("Unhealthy", time.Minute),
			func(s *seen) {
				if tc.own > 0 {
					s.claim.Spec.TerminationGracePeriod = &metav1.Duration{Duration: tc.own}
				}
			},
		).
			node(
				"b",
				4,
				nil,
			)
		m := newMemory()
		out := f.pass(&m, noon)
		if len(out.choices) != 1 || out.choices[0].bound == nil || *out.choices[0].bound != tc.want {
			t.Errorf("policy %s, claim %s: %+v, want a bound of %s", tc.policy, tc.own, out.choices, tc.want)
		}
	}
}
