package disrupt

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"pgregory.net/rapid"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// reserve has a fleet whose only machines are in a reservation of so many places, of which so many are free.
func (f *fleet) reserve(free int32) *fleet {
	for _, t := range f.snap.Types {
		t.Offerings = []shape.Offering{
			{
				Zone:         "a",
				CapacityType: shape.Reserved,
				Price:        1,
				Reservation:  "cr-1",
				Remaining:    free,
				Available:    free > 0,
				Extra:        []shape.Label{{Key: "example.com/reservation", Value: "cr-1"}},
			},
		}
	}
	for i := range f.all {
		f.all[i].pods.CapacityType = shape.Reserved
		f.all[i].claim.Labels = map[string]string{
			shape.LabelCapacityType:   shape.Reserved,
			shape.LabelZone:           "a",
			shape.LabelInstanceType:   f.all[i].pods.InstanceType,
			"example.com/reservation": "cr-1",
		}
	}
	return f
}

// ended has one of so many nodes ended first, so long ago.
func (f *fleet) ended(ago time.Duration, nodes int) *fleet {
	f.pool.Annotations = map[string]string{AnnotationTerminateFirst: endingOfOne(noon.Add(-ago), nodes)}
	return f
}

func endingOfOne(at time.Time, nodes int) string {
	return fmt.Sprintf(`{"cr-1":{"at":%q,"nodes":%d}}`, at.UTC().Format(time.RFC3339), nodes)
}

func made(ago time.Duration) func(*seen) {
	return func(s *seen) { s.claim.CreationTimestamp = metav1.NewTime(noon.Add(-ago)) }
}

func TestTerminateFirst(t *testing.T) {
	t.Parallel()
	both := map[karpenterv1.DisruptionReason]bool{
		karpenterv1.DisruptionReasonDrifted:   true,
		karpenterv1.DisruptionReasonUnhealthy: true,
	}
	fresh := func() *fleet {
		return newFleet(func(p *karpenterv1.NodePool) {
			p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
		})
	}
	cases := map[string]struct {
		why   string
		fleet *fleet
		on    map[karpenterv1.DisruptionReason]bool
		want  []string
	}{
		"Full": {
			"The pods have a place once the node has given its own back.",
			fresh().node("a", 4, []int{4}, drifted).reserve(0),
			both,
			[]string{"reserve a Drifted"},
		},
		"Off": {
			"Nobody has allowed it.",
			fresh().node("a", 4, []int{4}, drifted).reserve(0),
			nil,
			[]string{"keep a Drifted"},
		},
		"NotFull": {
			"With a place that is free the replacement comes first.",
			fresh().node("a", 4, []int{4}, drifted).reserve(1),
			both,
			[]string{"reserve a Drifted"},
		},
		"Elsewhere": {"A node of no reservation gives none back.", func() *fleet {
			f := fresh().node("a", 4, []int{4}, drifted).reserve(0)
			f.all[0].claim.Labels = nil
			return f
		}(), both, []string{"keep a Drifted"}},
		"TooLarge": {
			"Its pods would not fit into what it gives back.",
			fresh().node("a", 9, []int{8, 1}, drifted).reserve(0),
			both,
			[]string{"keep a Drifted"},
		},
		"OneOfTwo": {
			"One node of a reservation at a time.",
			fresh().node("a", 4, []int{4}, drifted).node("b", 4, []int{4}, drifted).reserve(0),
			both,
			[]string{"reserve a Drifted", "keep b Drifted"},
		},
		"Going": {
			"Another one drains.",
			fresh().node("a", 4, []int{4}, drifted).node("b", 4, []int{4}, leaving).reserve(0),
			both,
			[]string{"keep a Drifted"},
		},
		"Starting": {
			"What follows another one is not ready, and may never be.",
			fresh().node("a", 4, []int{4}, drifted).node("b", 4, []int{4}, uninitialized).reserve(0),
			both,
			[]string{"keep a Drifted"},
		},
		"Lost": {
			"Another one was ended, and nothing has followed.",
			fresh().node("a", 4, []int{4}, drifted, made(2*time.Hour)).reserve(0).ended(time.Hour, 2),
			both,
			[]string{"keep a Drifted"},
		},
		"Followed": {
			"Something has followed it, and is ready.",
			fresh().node("a", 4, []int{4}, drifted, made(2*time.Hour)).
				node("b", 4, []int{4}, made(time.Minute)).
				reserve(0).
				ended(time.Hour, 3),
			both,
			[]string{"reserve a Drifted"},
		},
		"FollowedAtOnce": {
			"Something has followed it in the same second, or by another clock before it.",
			fresh().node("a", 4, []int{4}, drifted, made(2*time.Hour)).
				node("b", 4, []int{4}, made(time.Hour)).
				reserve(0).
				ended(time.Hour, 2),
			both,
			[]string{"reserve a Drifted"},
		},
		"NotEnded": {
			"The node was to be ended, and then was not as it had been seen.",
			fresh().node("a", 4, []int{4}, drifted, made(2*time.Hour)).reserve(0).ended(time.Hour, 1),
			both,
			[]string{"reserve a Drifted"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.fleet.first = tc.on
			if diff := cmp.Diff(tc.want, tc.fleet.plan(nil, noon)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

// TestAMoveThatEndsFirstOpensNothing follows one through: mark, then delete, and the pool is asked to remember it.
func TestAMoveThatEndsFirstOpensNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	}).
		node("a", 4, []int{4}, drifted).reserve(0)
	f.first = map[karpenterv1.DisruptionReason]bool{karpenterv1.DisruptionReasonDrifted: true}
	m := newMemory()
	f.plan(&m, noon)
	marked("Drifted", time.Minute)(&f.all[0])
	out := f.pass(&m, noon)
	if diff := cmp.Diff([]string{"remove a Drifted"}, words(out)); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
	if c := out.choices[0]; c.first != "cr-1" || c.nodes != 1 || decisionOf(c) != "terminate-first" {
		t.Errorf("first %q of %d, decision %q", c.first, c.nodes, decisionOf(c))
	}
}

// TestAReservationNeverLosesMoreThanOneNode plays full reservations whose nodes drift, with replacements that come
// late or never, and a controller that may die between any two passes.
func TestAReservationNeverLosesMoreThanOneNode(t *testing.T) {
	t.Parallel()
	ended := 0
	rapid.Check(t, func(t *rapid.T) {
		r := newReservation(t)
		memory := newMemory()
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			r.now = r.now.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "seconds")) * time.Second)
			if r.event(t) {
				memory = newMemory()
			}
			r.reserve(int32(r.slots - len(r.all)))
			for _, c := range r.pass(&memory, r.now).choices {
				r.carryOut(c)
			}
			if lost := r.lost(); lost > 1 {
				t.Fatalf("%d of %d nodes of the reservation are missing or not ready", lost, r.slots)
			}
		}
		ended += r.ended
	})
	if ended == 0 {
		t.Error("no node was ever ended first: nothing was tried")
	}
}

// reservation is a full one, whose nodes are ended before their replacements come.
type reservation struct {
	*fleet
	slots, names int
	ended        int // nodes that were ended first
	now          time.Time
}

func newReservation(t *rapid.T) *reservation {
	r := &reservation{now: noon, slots: rapid.IntRange(1, 4).Draw(t, "slots")}
	r.fleet = newFleet(func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	})
	r.first = map[karpenterv1.DisruptionReason]bool{karpenterv1.DisruptionReasonDrifted: true}
	for range r.slots {
		r.add(made(time.Hour))
	}
	return r
}

func (r *reservation) add(change ...func(*seen)) {
	change = append(change, func(s *seen) { s.claim.CreationTimestamp = metav1.NewTime(r.now) })
	r.node(fmt.Sprintf("n%02d", r.names), 4, []int{4}, change...)
	r.names++
}

// pick is one of the nodes of a kind; nil if there are none.
func (r *reservation) pick(t *rapid.T, what string, which func(seen) bool) *seen {
	var at []int
	for i := range r.all {
		if which(r.all[i]) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return nil
	}
	return &r.all[rapid.SampledFrom(at).Draw(t, what)]
}

func isReady(s seen) bool {
	return condition.IsTrue(s.claim, karpenterv1.ConditionInitialized) && s.claim.DeletionTimestamp.IsZero()
}

// event lets one thing happen, and reports whether the controller dies of it.
func (r *reservation) event(t *rapid.T) (dies bool) {
	switch rapid.IntRange(0, 5).Draw(t, "event") {
	case 0:
		if s := r.pick(t, "drifts", func(s seen) bool { return isReady(s) && !isDrifted(s) }); s != nil {
			drifted(s)
		}
	case 1:
		if s := r.pick(t, "is gone", func(s seen) bool { return !s.claim.DeletionTimestamp.IsZero() }); s != nil {
			r.lose(s.claim.Name)
		}
	case 2:
		if len(r.all) < r.slots {
			r.add(uninitialized, func(s *seen) { s.pods.Stage = shape.Joined })
		}
	case 3:
		joined := func(s seen) bool { return !isReady(s) && s.claim.DeletionTimestamp.IsZero() }
		if s := r.pick(t, "becomes ready", joined); s != nil {
			condition.True(s.claim, r.now, karpenterv1.ConditionInitialized)
			s.pods.Stage = shape.Ready
		}
	case 4:
		return true
	}
	return false
}

func (r *reservation) lose(name string) {
	r.all = slices.DeleteFunc(r.all, func(s seen) bool { return s.claim.Name == name })
	r.snap.Nodes = slices.DeleteFunc(r.snap.Nodes, func(n *shape.Node) bool { return n.Name == name })
}

// carryOut does what was chosen, as the controller does.
func (r *reservation) carryOut(c choice) {
	s := &r.all[slices.IndexFunc(r.all, func(s seen) bool { return s.claim.Name == c.claim.Name })]
	switch c.step {
	case reserve, fence:
		s.node.Spec.Taints = []corev1.Taint{karpenterv1.DisruptedTaint()}
		condition.TrueBecause(s.claim, r.now, karpenterv1.ConditionDisruptionReason, string(c.reason), "")
	case release:
		s.node.Spec.Taints = nil
		condition.Clear(s.claim, karpenterv1.ConditionDisruptionReason)
	case remove:
		at := metav1.NewTime(r.now)
		s.claim.DeletionTimestamp, s.pods.Stage = &at, shape.Leaving
		if c.first != "" {
			r.ended++
			r.pool.Annotations = map[string]string{AnnotationTerminateFirst: endingOfOne(r.now, c.nodes)}
		}
	}
}

// lost is how many nodes of the reservation are missing or not ready.
func (r *reservation) lost() int {
	lost := r.slots
	for _, s := range r.all {
		if isReady(s) {
			lost--
		}
	}
	return lost
}
