package reboot

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// world is one node whose claim asks for a reboot, and a cloud.
type world struct {
	t      *testing.T
	client client.Client
	clock  *clocktesting.FakePassiveClock
	sink   *record.FakeRecorder
	r      *Reconciler

	asked   []string      // operations
	answers []error       // of the cloud, the first for the first call; then nil
	boots   time.Duration // from the call until the node has booted; negative for never
	ready   bool          // it is ready then
	booting time.Time     // when the node will have booted; zero for not at all
	pods    int           // that go one by one when they are asked
	drains  int           // how often they were asked
	dies    int           // at which write the controller dies; 0 for never
	writes  int
	again   time.Duration // when the controller wants to look
}

var errDead = errors.New("the controller is dead")

func newWorld(t *testing.T, grace string) *world {
	t.Helper()
	w := &world{
		t:     t,
		clock: clocktesting.NewFakePassiveClock(noon),
		sink:  record.NewFakeRecorder(50),
		boots: 30 * time.Second,
		ready: true,
	}
	claim := &karpenterv1.NodeClaim{}
	claim.Name, claim.UID = "general-1", "uid"
	claim.Status.ProviderID, claim.Status.NodeName = "test://a", "a"
	if grace != "" {
		claim.Annotations = map[string]string{karpenterv1.RebootGracePeriodAnnotationKey: grace}
	}
	condition.True(claim, noon.Add(-time.Hour), karpenterv1.ConditionInitialized)
	condition.TrueBecause(claim, noon, karpenterv1.ConditionDisruptionReason, "Unhealthy", "sick")
	condition.TrueBecause(
		claim,
		noon,
		karpenterv1.ConditionRebooting,
		karpenterv1.ReasonRebootRequested,
		"rebooting for GPU/Soft",
	)
	node := &corev1.Node{}
	node.Name, node.Spec.ProviderID = "a", "test://a"
	node.Labels = map[string]string{karpenterv1.NodeInitializedLabelKey: "true"}
	node.Status.NodeInfo.BootID = "first"
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	scheme := runtime.NewScheme()
	err := errors.Join(karpenterv1.AddToScheme(scheme), corev1.AddToScheme(scheme), storagev1.AddToScheme(scheme))
	if err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme).WithObjects(claim, node).WithStatusSubresource(claim, node)
	for _, i := range lookup.Indexes() {
		b = b.WithIndex(i.Object, i.Field, i.Values)
	}
	w.client = b.Build()
	w.start()
	return w
}

// start has a controller begin that knows nothing.
func (w *world) start() {
	w.t.Helper()
	dying := func(do func() error) error {
		if w.writes++; w.dies > 0 && w.writes > w.dies {
			return errDead
		}
		return do()
	}
	c := interceptor.NewClient(w.client.(client.WithWatch), interceptor.Funcs{
		Patch: func(
			ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			return dying(func() error { return c.Patch(ctx, o, p, opts...) })
		},
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			return dying(func() error { return c.SubResource(sub).Patch(ctx, o, p, opts...) })
		},
	})
	var err error
	w.r, err = New(
		Deps{
			Client:  c,
			Clock:   w.clock,
			Events:  observe.NewRecorder(w.sink, w.clock),
			Metrics: observe.NewMetrics(),
			Cloud:   w,
			Drain:   w.drain,
		},
	)
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) drain(context.Context, *corev1.Node, *karpenterv1.NodeClaim) (bool, error) {
	w.drains++
	if w.pods > 0 {
		w.pods--
	}
	return w.pods == 0, nil
}

func (w *world) Reboot(_ context.Context, id, operation string) error {
	if id != "test://a" {
		w.t.Errorf("asked for a reboot of %q", id)
	}
	w.asked = append(w.asked, operation)
	if n := len(w.asked); n <= len(w.answers) && w.answers[n-1] != nil {
		return w.answers[n-1]
	}
	if w.boots >= 0 && w.booting.IsZero() {
		w.booting = w.clock.Now().Add(w.boots)
	}
	return nil
}

func (w *world) claim() *karpenterv1.NodeClaim {
	w.t.Helper()
	claim := &karpenterv1.NodeClaim{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Name: "general-1"}, claim); err != nil {
		w.t.Fatal(err)
	}
	return claim
}

func (w *world) node() *corev1.Node {
	w.t.Helper()
	node := &corev1.Node{}
	if err := w.client.Get(w.t.Context(), client.ObjectKey{Name: "a"}, node); err != nil {
		w.t.Fatal(err)
	}
	return node
}

// pass lets the time go by until something happens, a second at least, and the controller look. One that dies is
// followed by another.
func (w *world) pass() {
	w.t.Helper()
	wait := time.Second
	if len(w.asked) > 0 {
		wait = max(w.again, wait) // pods do not go any more
	}
	if left := w.booting.Sub(w.clock.Now()); left > 0 {
		wait = min(wait, left)
	}
	w.clock.SetTime(w.clock.Now().Add(wait))
	if !w.booting.IsZero() && !w.clock.Now().Before(w.booting) {
		node := w.node()
		if node.Status.NodeInfo.BootID == "first" {
			node.Status.NodeInfo.BootID = "second"
			if !w.ready {
				node.Status.Conditions[0].Status = corev1.ConditionFalse
			}
			if err := w.client.Status().Update(w.t.Context(), node); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	result, err := w.r.Reconcile(
		w.t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "general-1"}})
	w.again = result.RequeueAfter
	if errors.Is(err, errDead) {
		w.dies = 0
		w.start()
	} else if err != nil {
		w.t.Fatal(err)
	}
}

// run goes on until the reboot is over, and tidied up after.
func (w *world) run() (seconds int) {
	w.t.Helper()
	for range 3600 {
		w.pass()
		seconds = int(w.clock.Now().Sub(noon).Seconds())
		if condition.IsFalse(w.claim(), karpenterv1.ConditionRebooting) {
			w.pass()
			w.pass()
			return seconds
		}
	}
	w.t.Fatalf("the reboot is never over: %+v", w.claim().Status.Conditions)
	return 0
}

// end is what is to be seen once a reboot is over.
func (w *world) end() string {
	claim, node := w.claim(), w.node()
	c := condition.Get(claim, karpenterv1.ConditionRebooting)
	left := []string{c.Reason}
	if len(node.Spec.Taints) > 0 || node.Labels[corev1.LabelNodeExcludeBalancers] != "" {
		left = append(left, "kept off")
	}
	for _, key := range []string{
		karpenterv1.RebootPreBootIDAnnotationKey, nodehealth.AnnotationRebootAsked, nodehealth.AnnotationRebootIssued,
	} {
		if claim.Annotations[key] != "" {
			left = append(left, key)
		}
	}
	if condition.IsTrue(claim, karpenterv1.ConditionDisruptionReason) {
		left = append(left, "marked")
	}
	if condition.IsTrue(claim, karpenterv1.ConditionInitialized) {
		left = append(left, "initialized")
	}
	if node.Labels[karpenterv1.NodeInitializedLabelKey] != "" {
		left = append(left, "labelled")
	}
	return strings.Join(left, " ")
}

func TestReboot(t *testing.T) {
	t.Parallel()
	gone := fmt.Errorf("no such machine: %w", provider.ErrNotFound)
	denied := fmt.Errorf("not allowed: %w", provider.ErrRebootRefused)
	throttled := errors.New("slow down")
	long := make([]error, 1000)
	for i := range long {
		long[i] = throttled
	}
	cases := map[string]struct {
		why    string
		grace  string
		change func(*world)
		want   string
		within [2]int // seconds
		asked  int
	}{
		"Succeeds": {
			"It boots and is ready; lifecycle initializes it anew.",
			"1m",
			nil,
			"RebootSucceeded",
			[2]int{36, 45},
			1,
		},
		"NoDrain": {
			"With no time for pods they ride along.",
			"0s",
			func(w *world) { w.pods = 1000 },
			"RebootSucceeded",
			[2]int{31, 40},
			1,
		},
		"Drains": {
			"Pods are given their time.",
			"1m",
			func(w *world) { w.pods = 20 },
			"RebootSucceeded",
			[2]int{51, 60},
			1,
		},
		"DrainEnds": {
			"And no more than that.",
			"1m",
			func(w *world) { w.pods = 1000 },
			"RebootSucceeded",
			[2]int{91, 100},
			1,
		},
		"Unbounded": {
			"Without a bound it takes as long as it takes.",
			"",
			func(w *world) { w.pods = 300 },
			"RebootSucceeded",
			[2]int{331, 340},
			1,
		},
		"Throttled": {
			"A failure that passes is tried again.",
			"0s",
			func(w *world) { w.answers = []error{throttled, throttled} },
			"RebootSucceeded",
			[2]int{31, 90},
			3,
		},
		"Denied": {
			"One that does not is final: the node is left marked, to be replaced.",
			"0s",
			func(w *world) { w.answers = []error{denied} },
			"RebootFailed marked initialized labelled",
			[2]int{1, 10},
			1,
		},
		"Gone": {
			"So is a machine that is gone.",
			"0s",
			func(w *world) { w.answers = []error{gone} },
			"RebootFailed marked initialized labelled",
			[2]int{1, 10},
			1,
		},
		"NeverIssued": {
			"Five minutes of failures are enough.",
			"0s",
			func(w *world) { w.answers = long },
			"RebootFailed marked initialized labelled",
			[2]int{300, 310},
			-1,
		},
		"NeverBoots": {
			"Twenty minutes, counted from when the cloud agreed, are enough.",
			"0s",
			func(w *world) { w.boots = -1 },
			"RebootFailed marked",
			[2]int{1200, 1210},
			1,
		},
		"NeverReady": {
			"To boot is not to be ready.",
			"0s",
			func(w *world) { w.ready = false },
			"RebootFailed marked",
			[2]int{1200, 1210},
			1,
		},
		"NeverWas": {
			"A node that was never ready for pods has the same time: it counts from the reboot.",
			"0s",
			func(w *world) {
				claim, node := w.claim(), w.node()
				condition.Unknown(claim, noon.Add(-time.Hour), karpenterv1.ConditionInitialized, "NodeNotReady", "")
				delete(node.Labels, karpenterv1.NodeInitializedLabelKey)
				ctx := w.t.Context()
				if err := errors.Join(w.client.Status().Update(ctx, claim), w.client.Update(ctx, node)); err != nil {
					w.t.Fatal(err)
				}
			},
			"RebootSucceeded",
			[2]int{31, 40},
			1,
		},
		"Malformed": {
			"Nobody knows how long its drain may take.",
			"soon",
			nil,
			"RebootFailed initialized labelled",
			[2]int{1, 5},
			0,
		},
		"Negative": {"Nor here.", "-5s", nil, "RebootFailed initialized labelled", [2]int{1, 5}, 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tc.grace)
			if tc.change != nil {
				tc.change(w)
			}
			took := w.run()
			if got := w.end(); got != tc.want {
				t.Errorf("%s\nat the end: %s; want %s", tc.why, got, tc.want)
			}
			if took < tc.within[0] || took > tc.within[1] {
				t.Errorf("%s\nit took %d s, want %v", tc.why, took, tc.within)
			}
			if tc.asked >= 0 && len(w.asked) != tc.asked {
				t.Errorf("%s\nthe cloud was asked %d times, want %d", tc.why, len(w.asked), tc.asked)
			}
			for _, o := range w.asked {
				if o != w.asked[0] {
					t.Errorf("one reboot has two names: %s, %s", o, w.asked[0])
				}
			}
		})
	}
}

// TestAControllerMayDieAtAnyWrite kills the controller at each of its writes: whoever takes over comes to the same end,
// and asks the cloud once more at most.
func TestAControllerMayDieAtAnyWrite(t *testing.T) {
	t.Parallel()
	for _, boots := range []time.Duration{30 * time.Second, -1} {
		calm := newWorld(t, "10s")
		calm.boots = boots
		calm.run()
		if calm.writes < 6 {
			t.Fatalf("only %d writes: nothing is tried", calm.writes)
		}
		for n := range calm.writes {
			w := newWorld(t, "10s")
			w.boots, w.dies = boots, n
			if n == 0 {
				w.dies = -1
				w.r.Client = nil
				w.start() // it dies before it has done anything
			}
			w.run()
			if got, want := w.end(), calm.end(); got != want || len(w.asked) > 2 {
				t.Errorf(
					"killed after write %d: %s, want %s; the cloud was asked %d times",
					n,
					got,
					want,
					len(w.asked),
				)
			}
			if n := len(nodehealth.Reboots(w.claim(), w.clock.Now())); n != 1 {
				t.Errorf("%d reboots are remembered, want 1", n)
			}
		}
	}
}

// TestADeletedClaimIsLeftToItsEnd deletes a claim while its node boots.
func TestADeletedClaimIsLeftToItsEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "0s")
	claim := w.claim()
	claim.Finalizers = []string{karpenterv1.TerminationFinalizer}
	if err := errors.Join(w.client.Update(t.Context(), claim), w.client.Delete(t.Context(), claim)); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		w.pass()
	}
	if len(w.asked) > 0 || len(w.node().Spec.Taints) > 0 {
		t.Errorf("asked %v, taints %v", w.asked, w.node().Spec.Taints)
	}
}

// TestTheEventsOfAReboot: one when the node has booted, one when it was in vain.
func TestTheEventsOfAReboot(t *testing.T) {
	t.Parallel()
	for name, ready := range map[string]bool{"RebootObserved": true, "RebootFailed": false} {
		w := newWorld(t, "0s")
		w.ready = ready
		w.run()
		close(w.sink.Events)
		seen := map[string]int{}
		for e := range w.sink.Events {
			seen[strings.Fields(e)[1]]++
		}
		if seen[name] != 1 {
			t.Errorf("events %v, want one %s", seen, name)
		}
	}
}
