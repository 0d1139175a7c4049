package nodepool

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/hold"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

var rolloutNoon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// rolling is a pool with one requirement and a label in its template.
func rolling(zone, team string) *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{}
	p.Name, p.Generation = "general", 3
	p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Kind: "EC2NodeClass", Name: "default"}
	p.Spec.Template.Labels = map[string]karpenterv1.LabelValue{"team": karpenterv1.LabelValue(team)}
	p.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
		{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{zone}},
	}
	return p
}

// claimOf is an initialized claim that was made from a pool.
func claimOf(p *karpenterv1.NodePool, settings string, change ...func(*karpenterv1.NodeClaim)) karpenterv1.NodeClaim {
	c := karpenterv1.NodeClaim{}
	c.Labels = map[string]string{corev1.LabelTopologyZone: p.Spec.Template.Spec.Requirements[0].Values[0]}
	c.Annotations = map[string]string{
		karpenterv1.NodePoolHashAnnotationKey:        p.Hash(),
		karpenterv1.NodePoolHashVersionAnnotationKey: karpenterv1.NodePoolHashVersion,
		"hash":    settings,
		"version": "2",
	}
	for _, name := range []string{karpenterv1.ConditionLaunched, karpenterv1.ConditionInitialized} {
		condition.True(&c, rolloutNoon, name)
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func TestARolloutIsCountedAsSoonAsItBegins(t *testing.T) {
	t.Parallel()
	old, now := rolling("a", "blue"), rolling("a", "green")
	is := func(name string) func(*karpenterv1.NodeClaim) {
		return func(c *karpenterv1.NodeClaim) { condition.True(c, rolloutNoon, name) }
	}
	isNot := func(names ...string) func(*karpenterv1.NodeClaim) {
		return func(c *karpenterv1.NodeClaim) {
			for _, name := range names {
				condition.Clear(c, name)
			}
		}
	}
	going := func(c *karpenterv1.NodeClaim) { c.DeletionTimestamp = &metav1.Time{Time: rolloutNoon} }
	version := func(v string) func(*karpenterv1.NodeClaim) {
		return func(c *karpenterv1.NodeClaim) { c.Annotations["version"] = v }
	}
	cases := map[string]struct {
		why    string
		pool   *karpenterv1.NodePool
		claims []karpenterv1.NodeClaim
		want   karpenterv1.RolloutStatus
	}{
		"Empty": {"A pool without nodes has nothing to roll out.", now, nil, karpenterv1.RolloutStatus{}},
		"UpToDate": {
			"All is as it should be.",
			now,
			[]karpenterv1.NodeClaim{claimOf(now, "x"), claimOf(now, "x")},
			karpenterv1.RolloutStatus{Nodes: 2, UpToDate: 2},
		},
		"Template": {
			"The template has changed, and no controller has said so yet.",
			now,
			[]karpenterv1.NodeClaim{claimOf(old, "x"), claimOf(now, "x")},
			karpenterv1.RolloutStatus{Nodes: 2, UpToDate: 1, Outdated: 1},
		},
		"Requirements": {
			"So have the requirements, which no hash has.",
			rolling("b", "green"),
			[]karpenterv1.NodeClaim{claimOf(now, "x")},
			karpenterv1.RolloutStatus{Nodes: 1, Outdated: 1},
		},
		"Class": {
			"So has the class.",
			now,
			[]karpenterv1.NodeClaim{claimOf(now, "before")},
			karpenterv1.RolloutStatus{Nodes: 1, Outdated: 1},
		},
		"ClassVersion": {
			"What was hashed another way is no difference.",
			now,
			[]karpenterv1.NodeClaim{claimOf(now, "before", version("1"))},
			karpenterv1.RolloutStatus{Nodes: 1, UpToDate: 1},
		},
		"Drifted": {
			"An image is newer: the condition says it.",
			now,
			[]karpenterv1.NodeClaim{claimOf(now, "x", is(karpenterv1.ConditionDrifted))},
			karpenterv1.RolloutStatus{Nodes: 1, Outdated: 1},
		},
		"Replacing": {
			"One is chosen, one is going, one waits.",
			now,
			[]karpenterv1.NodeClaim{
				claimOf(old, "x", is(karpenterv1.ConditionDisruptionReason)),
				claimOf(old, "x", going),
				claimOf(old, "x"),
			},
			karpenterv1.RolloutStatus{Nodes: 3, Outdated: 3, Replacing: 2},
		},
		"Starting": {
			"New ones are on their way, of which one has no machine yet.",
			now,
			[]karpenterv1.NodeClaim{
				claimOf(now, "x", isNot(karpenterv1.ConditionInitialized)),
				claimOf(
					now,
					"x",
					isNot(karpenterv1.ConditionInitialized, karpenterv1.ConditionLaunched),
					func(c *karpenterv1.NodeClaim) { c.Labels = nil },
				),
			},
			karpenterv1.RolloutStatus{Nodes: 2, UpToDate: 2, Starting: 2},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := tc.pool.DeepCopy()
			rollout(
				pool,
				tc.claims,
				asked{
					class: provider.Class{
						Stamp:        map[string]string{"hash": "x", "version": "2"},
						StampVersion: "version",
					},
				},
				rolloutNoon,
			)
			if diff := cmp.Diff(&tc.want, pool.Status.Rollout); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
			c := condition.Get(pool, karpenterv1.ConditionRolledOut)
			if done := c.Status == metav1.ConditionTrue; done != (tc.want.Outdated == 0) ||
				c.ObservedGeneration != 3 {
				t.Errorf("%s\ncondition %+v", tc.why, c)
			}
		})
	}
}

func TestAHoldIsShownAndEnds(t *testing.T) {
	t.Parallel()
	clock, sink := clocktesting.NewFakeClock(rolloutNoon), record.NewFakeRecorder(10)
	r := &Reconciler{Deps: Deps{Clock: clock, Events: observe.NewRecorder(sink, clock)}}
	pool := rolling("a", "blue")
	until := rolloutNoon.Add(time.Hour)
	pool.Annotations = map[string]string{
		hold.AnnotationUntil:  until.Format(time.RFC3339),
		hold.AnnotationBy:     "alice",
		hold.AnnotationReason: "incident 12",
	}
	if again := r.holds(pool, nil); again != time.Hour {
		t.Errorf("looked at again after %s, want when it ends", again)
	}
	want := &karpenterv1.HoldStatus{
		Until:    &metav1.Time{Time: until},
		By:       "alice",
		Reason:   "incident 12",
		NodePool: "general",
	}
	if diff := cmp.Diff(
		want,
		pool.Status.Hold,
	); diff != "" ||
		!condition.IsTrue(pool, karpenterv1.ConditionDisruptionHeld) {
		t.Errorf("-want +got\n%s", diff)
	}
	r.holds(pool, nil)
	if got := <-sink.Events; got != "Normal DisruptionHeld Disruption is held until 2026-01-01T13:00:00Z, by alice (incident 12), on NodePool general." {
		t.Errorf("event %q", got)
	}
	clock.Step(time.Hour)
	if again := r.holds(
		pool,
		nil,
	); again != 0 || pool.Status.Hold != nil ||
		condition.Get(pool, karpenterv1.ConditionDisruptionHeld) != nil {
		t.Errorf("after its end the hold is still shown: %+v", pool.Status)
	}
	if got := <-sink.Events; got != "Normal DisruptionResumed Nobody holds disruption any more." {
		t.Errorf("event %q", got)
	}
	if len(sink.Events) != 0 {
		t.Errorf("%d events too many", len(sink.Events))
	}
}

// While nodes come by the dozen a pool's counts are written once a second; whatever else changes is written at once.
func TestCountsAreWrittenOnceASecond(t *testing.T) {
	t.Parallel()
	clock := clocktesting.NewFakeClock(rolloutNoon)
	r := &Reconciler{Deps: Deps{Clock: clock}, written: map[string]time.Time{}}
	before := rolling("a", "blue")
	more := before.DeepCopy()
	count(more, []karpenterv1.NodeClaim{{}}, nil)
	if wait := r.counting(before, more); wait > 0 {
		t.Errorf("the first write waits for %s", wait)
	}
	r.written[before.Name] = clock.Now()
	clock.Step(countsEvery / 4)
	if wait := r.counting(before, more); wait != countsEvery*3/4 {
		t.Errorf("the second write waits for %s", wait)
	}
	condition.True(more, clock.Now(), karpenterv1.ConditionDisruptionHeld)
	if wait := r.counting(before, more); wait > 0 {
		t.Errorf("a condition waits for %s", wait)
	}
}

func TestALimitOfNoNodesIsASwitch(t *testing.T) {
	t.Parallel()
	for limit, off := range map[string]bool{"0": true, "1": false} {
		pool := rolling("a", "blue")
		pool.Spec.Limits = corev1.ResourceList{"nodes": resource.MustParse(limit)}
		condition.False(pool, rolloutNoon, karpenterv1.ConditionLaunchable, karpenterv1.ReasonSwitchedOff, "")
		switchedOff(pool, rolloutNoon)
		if c := condition.Get(
			pool,
			karpenterv1.ConditionLaunchable,
		); (c != nil && c.Reason == karpenterv1.ReasonSwitchedOff) != off {
			t.Errorf("limits.nodes %s: %+v, want switched off %t", limit, c, off)
		}
	}
}
