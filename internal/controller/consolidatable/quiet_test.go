package consolidatable

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) *metav1.Time { return &metav1.Time{Time: noon.Add(-d)} }

func TestQuietIn(t *testing.T) {
	t.Parallel()
	minute := karpenterv1.After(time.Minute)
	cases := map[string]struct {
		why         string
		after       karpenterv1.NillableDuration
		initialized *metav1.Time
		lastPod     *metav1.Time
		static      bool
		left        time.Duration
		ever        bool
	}{
		"NotInitialized": {"A node that is still starting is not quiet.", minute, nil, nil, false, 0, false},
		"Never": {
			"Never means never.",
			karpenterv1.NillableDuration{},
			ago(time.Hour),
			nil,
			false,
			0,
			false,
		},
		"Static": {"Static pools are not consolidated.", minute, ago(time.Hour), nil, true, 0, false},
		"SinceInit": {
			"Without pods it counts from initialization.",
			minute,
			ago(20 * time.Second),
			nil,
			false,
			40 * time.Second,
			true,
		},
		"SincePod": {
			"A pod starts the count again.",
			minute,
			ago(time.Hour),
			ago(20 * time.Second),
			false,
			40 * time.Second,
			true,
		},
		"OlderPod": {
			"A pod event before initialization counts for nothing.",
			minute,
			ago(20 * time.Second),
			ago(time.Hour),
			false,
			40 * time.Second,
			true,
		},
		"Due": {"It is over.", minute, ago(time.Hour), ago(time.Minute), false, 0, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim, pool := &karpenterv1.NodeClaim{}, &karpenterv1.NodePool{}
			pool.Spec.Disruption.ConsolidateAfter = tc.after
			if tc.static {
				pool.Spec.Replicas = new(int64)
			}
			if tc.initialized != nil {
				claim.Status.Conditions = []metav1.Condition{
					{
						Type:               karpenterv1.ConditionInitialized,
						Status:             metav1.ConditionTrue,
						LastTransitionTime: *tc.initialized,
					},
				}
			}
			claim.Status.LastPodEventTime = tc.lastPod
			left, ever := Quiet(claim, pool, noon)
			if left != tc.left || ever != tc.ever {
				t.Errorf("%s\ngot %s, %v; want %s, %v", tc.why, left, ever, tc.left, tc.ever)
			}
		})
	}
}
