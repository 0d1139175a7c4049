package interrupt

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/controller/drift"
	"github.com/dovetail-sh/dovetail/provider"
)

// checker finds these notices.
func (b *bench) checker(notices ...provider.Notice) *Checker {
	return &Checker{
		Listener: b.Listener,
		Diagnose: func(context.Context) ([]provider.Notice, error) { return notices, nil },
	}
}

func (b *bench) claimNamed(t *testing.T, name string) *karpenterv1.NodeClaim {
	t.Helper()
	claim := &karpenterv1.NodeClaim{}
	if err := b.Client.Get(t.Context(), client.ObjectKey{Name: name}, claim); err != nil {
		t.Fatal(err)
	}
	return claim
}

func TestWhatBecomesOfABrokenMachine(t *testing.T) {
	t.Parallel()
	now := noon.Format(time.RFC3339)
	cases := map[string]struct {
		why      string
		notice   provider.Notice
		change   func(*karpenterv1.NodeClaim)
		deleted  []string
		deadline string // annotation
		planned  string // annotation
		count    float64
	}{
		"Instance": {
			why:      "Pods on a machine that does not answer cannot be evicted: nothing is waited for.",
			notice:   provider.Notice{Kind: provider.InstanceImpaired, Machines: []string{"i-a"}},
			deleted:  []string{"a instance_status"},
			deadline: now,
			count:    1,
		},
		"System": {
			why:      "So it is when the hardware fails.",
			notice:   provider.Notice{Kind: provider.SystemImpaired, Machines: []string{"i-a"}},
			deleted:  []string{"a system_status"},
			deadline: now,
			count:    1,
		},
		"Leaving": {
			why:    "A claim that goes already is left alone.",
			notice: provider.Notice{Kind: provider.SystemImpaired, Machines: []string{"i-a"}},
			change: leaving,
		},
		"Other": {
			why:    "Others' machines are none of ours.",
			notice: provider.Notice{Kind: provider.SystemImpaired, Machines: []string{"i-b"}},
		},
		"Planned": {
			why: "Maintenance in two weeks drains nothing today.",
			notice: provider.Notice{
				Kind:     provider.EventPlanned,
				Machines: []string{"i-a"},
				Start:    noon.Add(14 * 24 * time.Hour),
			},
			planned: noon.Add(14 * 24 * time.Hour).Format(time.RFC3339),
		},
		"PlannedOver": {
			why: "What is over asks for nothing.",
			notice: provider.Notice{
				Kind:     provider.EventPlanned,
				Machines: []string{"i-a"},
				Start:    noon.Add(time.Hour),
				Over:     true,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.change == nil {
				tc.change = func(*karpenterv1.NodeClaim) {}
			}
			b := newBench(t, spot("a", tc.change)...)
			if err := b.checker(tc.notice).round(t.Context()); err != nil {
				t.Fatal(err)
			}
			claim := b.claimNamed(t, "a")
			got := map[string]any{
				"deleted":  b.deleted,
				"deadline": claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey],
				"planned":  claim.Annotations[AnnotationScheduledChange],
				"count":    testutil.ToFloat64(b.metrics.Notices.Unhealthy.WithLabelValues(string(tc.notice.Kind))),
			}
			want := map[string]any{
				"deleted":  tc.deleted,
				"deadline": tc.deadline,
				"planned":  tc.planned,
				"count":    tc.count,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

func TestOneMachineThatCannotBeActedUponDoesNotStopTheCheck(t *testing.T) {
	t.Parallel()
	b := newBench(t, append(spot("a"), spot("b")...)...)
	b.refuse = errors.New("the API server is gone")
	c := b.checker(
		provider.Notice{Kind: provider.SystemImpaired, Machines: []string{"i-a"}},
		provider.Notice{Kind: provider.SystemImpaired, Machines: []string{"i-b"}},
	)
	for range 2 {
		if err := c.round(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"b system_status", "a system_status", "b system_status"}, b.deleted); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// By default a recommendation is told and nothing else: most of them come to nothing.
func TestARebalanceRecommendationReplacesIfSoSet(t *testing.T) {
	t.Parallel()
	for _, replace := range []bool{false, true} {
		b := newBench(t, spot("a")...)
		b.ReplaceOnRebalance = replace
		n := provider.Notice{ID: "1", Kind: provider.RebalanceRecommendation, Machines: []string{"i-a"}}
		b.take(t.Context(), n)
		b.clock.Step(time.Minute)
		b.take(t.Context(), n)
		want := ""
		if replace {
			want = noon.Format(time.RFC3339)
		}
		if got := b.claimNamed(t, "a").Annotations[drift.AnnotationRebalance]; got != want {
			t.Errorf("replace %v: annotation %q, want %q", replace, got, want)
		}
		if len(b.deleted) != 0 {
			t.Errorf("replace %v: the node goes before its replacement is there", replace)
		}
	}
}

func TestAStatusCheckThatIsNotAnsweredIsTold(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	c := b.checker()
	c.Diagnose = func(context.Context) ([]provider.Notice, error) { return nil, errors.New("throttled") }
	if err := c.round(t.Context()); err == nil {
		t.Error("a check without an answer went well")
	}
	if diff := cmp.Diff([]string{"Asking for the status of machines"}, b.failed); diff != "" {
		t.Errorf("told: -want +got\n%s", diff)
	}
}
