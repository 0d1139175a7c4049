package disrupt

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

func TestStandings(t *testing.T) {
	t.Parallel()
	pool := poolWith("1")
	pool.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
	emptyOnly := poolWith("1")
	emptyOnly.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	bound := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "d"}}
	bound.Spec.NodeName = "x"
	priced := func(pods ...shape.Pod) func(*seen) {
		return func(s *seen) { s.pods.Price, s.pods.Pods = 2001, pods }
	}
	movable := shape.Pod{ID: "d/web", Role: shape.Movable, EvictionCost: 1000}
	drifts := func(s *seen) {
		s.claim.Status.Conditions = append(
			s.claim.Status.Conditions,
			metav1.Condition{Type: karpenterv1.ConditionDrifted, Status: metav1.ConditionTrue},
		)
	}
	all := []seen{
		quiet("full", pool, priced(movable, movable)),
		quiet("light", pool, priced(shape.Pod{Role: shape.Daemon, EvictionCost: 1000})),
		quiet("pinned", pool, priced(shape.Pod{ID: "d/web", Role: shape.Pinned})),
		quiet("unpriced", pool),
		quiet("keeps", emptyOnly, priced(movable)),
		quiet("drifted", emptyOnly, priced(movable), drifts),
		quiet("begun", pool, priced(movable)),
		quiet("found", pool, priced(movable)),
		quiet("chosen", pool, reserved(0)),
		quiet("deleted", pool, func(s *seen) { s.claim.DeletionTimestamp = &metav1.Time{Time: noon} }),
		quiet("joining", pool, func(s *seen) { s.node, s.pods = nil, nil }),
	}
	for i := range all {
		all[i].claim.UID = types.UID(all[i].claim.Name)
	}
	m := newMemory()
	m.moves["begun"] = &move{}
	v := view{all: all, podOf: func(shape.PodID) *corev1.Pod { return bound }, now: noon}
	got := v.standings(&m, moves{found: &refit.Result{Moves: []refit.Move{{Remove: []string{"found"}}}}})
	want := []Standing{
		{
			"full",
			"default",
			Spare,
			1,
		}, {"light", "default", Spare, 2001}, {"pinned", "default", Stays, 0}, {"unpriced", "default", Stays, 0},
		{
			"keeps",
			"default",
			Stays,
			0,
		}, {"drifted", "default", Drifted, 0}, {"begun", "default", Planned, 0}, {"found", "default", Planned, 0},
		{"chosen", "default", Going, 0}, {"deleted", "default", Going, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
