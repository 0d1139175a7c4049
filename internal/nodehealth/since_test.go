package nodehealth

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

var policies = compiled(
	provider.RepairPolicy{Condition: corev1.NodeReady, Status: corev1.ConditionFalse, After: 30 * time.Minute},
	provider.RepairPolicy{Condition: "DiskHealthy", Status: corev1.ConditionFalse, After: 10 * time.Minute},
)

func compiled(list ...provider.RepairPolicy) *Policies {
	p, err := Compile(list)
	if err != nil {
		panic(err)
	}
	return p
}

func nodeWith(
	name string,
	kind corev1.NodeConditionType,
	status corev1.ConditionStatus,
	since time.Duration,
) *corev1.Node {
	n := &corev1.Node{}
	n.Name = name
	n.Status.Conditions = []corev1.NodeCondition{
		{Type: kind, Status: status, LastTransitionTime: metav1.NewTime(noon.Add(-since))},
	}
	return n
}

// TestTheClockOfARandomCondition compares the clock with the plain rule: it runs since the first bad word after the
// last good one.
func TestTheClockOfARandomCondition(t *testing.T) {
	t.Parallel()
	statuses := []corev1.ConditionStatus{corev1.ConditionTrue, corev1.ConditionFalse, corev1.ConditionUnknown, ""}
	rapid.Check(t, func(t *rapid.T) {
		var clock Since
		var want time.Time
		for i, status := range rapid.SliceOfN(rapid.SampledFrom(statuses), 1, 12).Draw(t, "words") {
			now := noon.Add(time.Duration(i) * time.Minute)
			node := nodeWith("a", "DiskHealthy", status, -time.Duration(i)*time.Minute)
			if status == "" {
				node.Status.Conditions = nil
			}
			clock = clock.Follow(node, policies, now)
			switch {
			case status == corev1.ConditionTrue:
				want = time.Time{}
			case status == corev1.ConditionFalse && want.IsZero():
				want = now
			}
			if got := clock["DiskHealthy"].Time; !got.Equal(want) {
				t.Fatalf("after word %d, %q, it is broken since %s, want %s", i, status, got, want)
			}
		}
	})
}

// TestTimesOfTransition has agents that write none, one that cannot be, or one of before the Node object, which a
// kubelet may create again for a machine that has long been ill.
func TestTimesOfTransition(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ said, want time.Time }{
		"Honest":        {noon.Add(-time.Minute), noon.Add(-time.Minute)},
		"None":          {time.Time{}, noon},
		"BeforeTheNode": {noon.Add(-24 * time.Hour), noon.Add(-24 * time.Hour)},
		"Tomorrow":      {noon.Add(24 * time.Hour), noon},
	} {
		node := nodeWith("a", "DiskHealthy", corev1.ConditionFalse, 0)
		node.CreationTimestamp = metav1.NewTime(noon.Add(-time.Hour))
		node.Status.Conditions[0].LastTransitionTime = metav1.NewTime(tc.said)
		if got := (Since{}).Follow(node, policies, noon)["DiskHealthy"].Time; !got.Equal(tc.want) {
			t.Errorf("%s: broken since %s, want %s", name, got, tc.want)
		}
	}
}
