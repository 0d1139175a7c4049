package repair

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/provider"
)

// report is what an agent says of a node at a time after noon.
type report struct {
	after  time.Duration
	status corev1.ConditionStatus // empty: the condition is not there
	reason string
}

// TestOnlyAGoodStatusEndsTheClock lets agents tell, each with a time of transition of its own, and starts the
// controller anew before each word.
func TestOnlyAGoodStatusEndsTheClock(t *testing.T) {
	t.Parallel()
	const yes, no, unknown = corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown
	cases := map[string]struct {
		why     string
		kind    corev1.NodeConditionType
		reports []report
		deleted bool
	}{
		"Constant": {
			"It was broken for ten minutes.",
			"DiskHealthy",
			[]report{{0, no, "A"}, {10 * time.Minute, no, "A"}},
			true,
		},
		"Alternating": {
			"What is broken about it changes each minute.",
			"DiskHealthy",
			[]report{
				{0, no, "A"},
				{4 * time.Minute, no, "B"},
				{8 * time.Minute, no, "A"},
				{10 * time.Minute, no, "B"},
			},
			true,
		},
		"Silent": {
			"For a while nobody knew.",
			"DiskHealthy",
			[]report{{0, no, "A"}, {4 * time.Minute, unknown, "B"}, {10 * time.Minute, no, "A"}},
			true,
		},
		"Vanished": {
			"For a while nobody said.",
			"DiskHealthy",
			[]report{{0, no, "A"}, {4 * time.Minute, "", ""}, {10 * time.Minute, no, "A"}},
			true,
		},
		"Recovered": {
			"It worked in between.",
			"DiskHealthy",
			[]report{{0, no, "A"}, {4 * time.Minute, yes, ""}, {10 * time.Minute, no, "A"}},
			false,
		},
		"SilentNow": {
			"Nobody is replaced for what is not known.",
			"DiskHealthy",
			[]report{{0, no, "A"}, {10 * time.Minute, unknown, "B"}},
			false,
		},
		"NotReady": {
			"The kubelet says no and falls silent in turn.",
			corev1.NodeReady,
			[]report{
				{0, no, "A"},
				{10 * time.Minute, unknown, "B"},
				{20 * time.Minute, no, "A"},
				{30 * time.Minute, unknown, "B"},
			},
			true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := nodeWith("a", "Quiet", yes, 0)
			r, _, _ := newReconciler(t, among(10, node))
			all, err := nodehealth.Compile([]provider.RepairPolicy{
				{Condition: corev1.NodeReady, Status: no, After: 30 * time.Minute},
				{Condition: corev1.NodeReady, Status: unknown, After: 30 * time.Minute},
				{Condition: "DiskHealthy", Status: no, After: 10 * time.Minute},
			})
			if err != nil {
				t.Fatal(err)
			}
			r.Policies = all
			for _, said := range tc.reports {
				now := noon.Add(said.after)
				r = &Reconciler{
					Deps{
						Client:   r.Client,
						Live:     r.Live,
						Clock:    clocktesting.NewFakePassiveClock(now),
						Events:   r.Events,
						Metrics:  r.Metrics,
						Policies: r.Policies,
						Delete:   r.Delete,
					},
				}
				r.says(t, tc.kind, said.status, said.reason, now)
			}
			claim := &karpenterv1.NodeClaim{}
			if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "general-1"}, claim); err != nil {
				t.Fatal(err)
			}
			if got := claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey] != ""; got != tc.deleted {
				t.Errorf("%s\ngiven up: %v, want %v", tc.why, got, tc.deleted)
			}
		})
	}
}

// says has an agent write a condition, and the Reconciler look.
func (r *Reconciler) says(
	t *testing.T,
	kind corev1.NodeConditionType,
	status corev1.ConditionStatus,
	reason string,
	now time.Time,
) {
	t.Helper()
	node := &corev1.Node{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, node); err != nil {
		t.Fatal(err)
	}
	node.Status.Conditions = nil
	if status != "" {
		node.Status.Conditions = []corev1.NodeCondition{
			{Type: kind, Status: status, Reason: reason, LastTransitionTime: metav1.NewTime(now)},
		}
	}
	if err := r.Client.Status().Update(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(
		t.Context(),
		reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}},
	); err != nil {
		t.Fatal(err)
	}
}
