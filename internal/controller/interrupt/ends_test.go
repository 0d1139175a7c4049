package interrupt

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

func TestWhatIsKnownOfAMachinesEndReachesTheDrain(t *testing.T) {
	t.Parallel()
	const spotNotice, reclaimed, stopped, ended = provider.SpotInterrupted, provider.CapacityReservationInterrupted,
		provider.InstanceStopped, provider.InstanceTerminated
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339) }
	noted := func(in time.Duration) func(*karpenterv1.NodeClaim) {
		return func(c *karpenterv1.NodeClaim) {
			c.Annotations = map[string]string{translate.AnnotationMachineEnds: at(in)}
		}
	}
	cases := map[string]struct {
		why    string
		kind   provider.NoticeKind
		ends   time.Duration // of the notice, since noon; 0 for not said
		change func(*karpenterv1.NodeClaim)
		want   string
	}{
		"Said":    {"The message says when.", spotNotice, 100 * time.Second, nil, at(100 * time.Second)},
		"NotSaid": {"Two minutes is what EC2 gives.", spotNotice, 0, nil, at(2 * time.Minute)},
		"TooLong": {
			"No notice is of more: somebody's clock is wrong.",
			spotNotice,
			time.Hour,
			nil,
			at(2 * time.Minute),
		},
		"Late": {
			"The machine may run on for a moment, and its pods get that.",
			spotNotice,
			-time.Hour,
			nil,
			at(30 * time.Second),
		},
		"Reclaimed": {
			"So it is with capacity reservations.",
			reclaimed,
			100 * time.Second,
			nil,
			at(100 * time.Second),
		},
		"Leaving": {
			"A drain that has begun without a hurry has one now.",
			spotNotice,
			100 * time.Second,
			leaving,
			at(100 * time.Second),
		},
		"Stopped":    {"Nothing runs there any more, or soon.", stopped, 0, nil, at(30 * time.Second)},
		"Terminated": {"A drain is over when the machine is.", ended, 0, leaving, at(0)},
		"Sooner":     {"Of two times the first counts.", ended, 0, noted(time.Minute), at(0)},
		"Later": {
			"Also when the second is said first.",
			spotNotice,
			100 * time.Second,
			noted(time.Minute),
			at(time.Minute),
		},
		"Rebalance": {"A recommendation ends nothing.", provider.RebalanceRecommendation, 0, nil, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.change == nil {
				tc.change = func(*karpenterv1.NodeClaim) {}
			}
			b := newBench(t, spot("a", tc.change)...)
			n := provider.Notice{ID: "1", Kind: tc.kind, Machines: []string{"i-a"}, Sent: noon}
			if tc.ends != 0 {
				n.Ends = noon.Add(tc.ends)
			}
			b.take(t.Context(), n)
			if got := b.claimNamed(t, "a").Annotations[translate.AnnotationMachineEnds]; got != tc.want {
				t.Errorf("%s\nthe machine is said to end at %q, want %q", tc.why, got, tc.want)
			}
		})
	}
}

// TestMaintenanceIsADeadlineToo has a drain that begins an hour before, and one that has begun already.
func TestMaintenanceIsADeadlineToo(t *testing.T) {
	t.Parallel()
	start := noon.Add(time.Hour).Format(time.RFC3339)
	planned := func(c *karpenterv1.NodeClaim) { c.Annotations = map[string]string{AnnotationScheduledChange: start} }
	for name, change := range map[string]func(*karpenterv1.NodeClaim){
		"Due":     planned,
		"Leaving": func(c *karpenterv1.NodeClaim) { planned(c); leaving(c) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, spot("a", change)...)
			if _, err := b.Reconcile(
				t.Context(),
				reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}},
			); err != nil {
				t.Fatal(err)
			}
			if got := b.claimNamed(t, "a").Annotations[translate.AnnotationMachineEnds]; got != start {
				t.Errorf("the machine is said to end at %q, want %q", got, start)
			}
			b.take(
				t.Context(),
				provider.Notice{
					ID:       "2",
					Kind:     provider.ScheduledChange,
					Machines: []string{"i-a"},
					Start:    noon.Add(time.Hour),
					Over:     true,
				},
			)
			if got := b.claimNamed(t, "a").Annotations; len(got) > 0 {
				t.Errorf("it was called off, and the claim still has %v", got)
			}
		})
	}
}
