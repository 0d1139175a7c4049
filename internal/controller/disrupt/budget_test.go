package disrupt

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/devices"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

// TestSurgeDoesNotWidenABudget gives up two of three nodes under a budget of 50 %. Their two replacements, ready before
// the first two are gone, must not make it a budget of 50 % of five.
func TestSurgeDoesNotWidenABudget(t *testing.T) {
	t.Parallel()
	half := func(p *karpenterv1.NodePool) {
		p.Spec.Disruption.Budgets[0].Nodes = "50%"
		p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmpty
	}
	m := newMemory()
	full := []int{4}
	m.surge(newFleet(half).node("a", 4, full, drifted).node("b", 4, full, drifted).node("c", 4, full, drifted).all)
	going := marked("Drifted", time.Minute)
	f := newFleet(
		half,
	).node("a", 4, full, drifted, going).
		node("b", 4, full, drifted, going).
		node("c", 4, full, drifted)
	if diff := cmp.Diff([]string{"open c4 for a", "open c4 for b"}, f.plan(&m, noon)); diff != "" {
		t.Fatalf("-want +got\n%s", diff)
	}
	m.moves["a"].claims, m.moves["b"].claims = []string{"d"}, []string{"e"}
	f.node("d", 4, nil).node("e", 4, nil)
	m.surge(f.all)
	if diff := cmp.Diff([]string{"remove a Drifted", "remove b Drifted"}, f.plan(&m, noon)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// still is a picture that a test draws.
type still struct{ nodes []*shape.Node }

func (still) Informed() bool              { return true }
func (s still) Snapshot() shape.Snapshot  { return shape.Snapshot{Now: noon, Nodes: s.nodes} }
func (still) Pod(shape.PodID) *corev1.Pod { return nil }
func (still) Devices() *devices.World     { return nil }

func (still) Open(context.Context, []engine.NewNode, string) (map[string]*karpenterv1.NodeClaim, error) {
	return nil, errors.New("nothing is to be opened")
}

// lagging is a client whose lists stay as they were at first, like a cache that has yet to see what was written.
func lagging(t *testing.T, objects ...client.Object) client.WithWatch {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(
		corev1.AddToScheme(scheme),
		policyv1.AddToScheme(scheme),
		karpenterv1.AddToScheme(scheme),
	); err != nil {
		t.Fatal(err)
	}
	real := fake.NewClientBuilder().
		WithScheme(scheme).
		WithStatusSubresource(&karpenterv1.NodeClaim{}).
		WithObjects(objects...).
		Build()
	old := map[string][]runtime.Object{}
	return interceptor.NewClient(
		real,
		interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList,
				opts ...client.ListOption) error {
				kind, err := c.GroupVersionKindFor(list)
				if err != nil {
					return err
				}
				if items, ok := old[kind.Kind]; ok {
					return meta.SetList(list, slices.Clone(items))
				}
				if err := c.List(ctx, list, opts...); err != nil {
					return err
				}
				items, err := meta.ExtractList(list.DeepCopyObject())
				old[kind.Kind] = items
				return err
			},
		},
	)
}

// TestBudgetHoldsWhileTheCacheLags has a pod come to one of two chosen nodes before the cache shows that they were
// chosen: the third node must not be taken for it.
func TestBudgetHoldsWhileTheCacheLags(t *testing.T) {
	t.Parallel()
	pool := poolWith("2")
	objects := []client.Object{pool}
	var drawn still
	for _, name := range []string{"a", "b", "c"} {
		s := quiet(name, pool)
		s.claim.UID, s.node.UID = types.UID("claim-"+name), types.UID("node-"+name)
		s.claim.Labels = map[string]string{karpenterv1.NodePoolLabelKey: pool.Name}
		s.claim.Status.NodeName = name
		objects = append(objects, s.claim, s.node)
		drawn.nodes = append(drawn.nodes, s.pods)
	}
	c := lagging(t, objects...)
	clock := clocktesting.NewFakePassiveClock(noon)
	r, err := New(Deps{
		Client:  c,
		Clock:   clock,
		Events:  observe.NewRecorder(record.NewFakeRecorder(100), clock),
		Metrics: observe.NewMetrics(),
		Mirror:  drawn,
		Apply:   drawn,
		Policy:  engine.DefaultPolicy(),
		Refresh: func(context.Context) {},
		Delete:  func(context.Context, *karpenterv1.NodeClaim, string) error { return errors.New("too early") },
	})
	if err != nil {
		t.Fatal(err)
	}
	pass := func(want ...string) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
		var going []string
		for _, name := range []string{"a", "b", "c"} {
			var node corev1.Node
			if err := c.Get(t.Context(), client.ObjectKey{Name: name}, &node); err != nil {
				t.Fatal(err)
			}
			if tainted(&node) {
				going = append(going, name)
			}
		}
		if diff := cmp.Diff(want, going); diff != "" {
			t.Fatalf("chosen nodes, -want +got\n%s", diff)
		}
	}
	pass("a", "b")
	drawn.nodes[0].Pods = append(drawn.nodes[0].Pods, shape.Pod{ID: "default/late", Role: shape.Movable})
	pass("b")
}

// TestARemovedNodeIsNotDecidedOnAgain makes a second pass before the cache shows what the first one deleted.
func TestARemovedNodeIsNotDecidedOnAgain(t *testing.T) {
	t.Parallel()
	pool := poolWith("100%")
	s := quiet("a", pool, reserved(time.Minute))
	s.claim.UID, s.node.UID = "claim-a", "node-a"
	s.claim.Labels = map[string]string{karpenterv1.NodePoolLabelKey: pool.Name}
	s.claim.Status.NodeName = "a"
	clock := clocktesting.NewFakePassiveClock(noon)
	deletions := 0
	drawn := still{nodes: []*shape.Node{s.pods}}
	r, err := New(Deps{
		Client: lagging(
			t,
			pool,
			s.claim,
			s.node,
		),
		Clock:   clock,
		Events:  observe.NewRecorder(record.NewFakeRecorder(100), clock),
		Metrics: observe.NewMetrics(),
		Mirror:  drawn,
		Apply:   drawn,
		Policy:  engine.DefaultPolicy(),
		Refresh: func(context.Context) {},
		Delete:  func(context.Context, *karpenterv1.NodeClaim, string) error { deletions++; return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := r.Reconcile(t.Context(), reconcile.Request{}); err != nil {
			t.Fatal(err)
		}
	}
	got := testutil.ToFloat64(r.Metrics.Disruption.Decisions.WithLabelValues("delete", "empty", "empty"))
	if deletions != 1 || got != 1 {
		t.Errorf("%d deletions, voluntary_disruption_decisions_total is %v; want 1 and 1", deletions, got)
	}
}

// slow is a picture that takes a second to draw.
type slow struct {
	still
	clock *clocktesting.FakePassiveClock
	drawn *int
}

func (s slow) Snapshot() shape.Snapshot {
	*s.drawn++
	s.clock.SetTime(s.clock.Now().Add(time.Second))
	return s.still.Snapshot()
}

// TestPassesLeaveTimeForOthers wakes the controller all the time, as claims do in a large cluster in which pods come
// and go.
func TestPassesLeaveTimeForOthers(t *testing.T) {
	t.Parallel()
	drawn, clock := 0, clocktesting.NewFakePassiveClock(noon)
	picture := slow{clock: clock, drawn: &drawn}
	r, err := New(Deps{
		Client: lagging(
			t,
			poolWith("100%"),
		),
		Clock:   clock,
		Events:  observe.NewRecorder(record.NewFakeRecorder(100), clock),
		Metrics: observe.NewMetrics(),
		Mirror:  picture,
		Apply:   picture,
		Policy:  engine.DefaultPolicy(),
		Refresh: func(context.Context) {},
		Delete:  func(context.Context, *karpenterv1.NodeClaim, string) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	for clock.Now().Before(noon.Add(50 * time.Second)) {
		before := drawn
		got, err := r.Reconcile(t.Context(), reconcile.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if drawn == before {
			if got.RequeueAfter <= 0 {
				t.Fatal("a pass was left out, and nobody comes back for it")
			}
			clock.SetTime(clock.Now().Add(100 * time.Millisecond))
		}
	}
	if drawn < 9 || drawn > 11 {
		t.Errorf("%d passes of a second in 50 seconds, want ten", drawn)
	}
}

// failing opens nothing as often as it is told to, and then what it is asked for.
type failing struct {
	still
	times *int
}

func (f failing) Open(
	_ context.Context,
	nodes []engine.NewNode,
	_ string,
) (map[string]*karpenterv1.NodeClaim, error) {
	if *f.times > 0 {
		*f.times--
		return nil, errors.New("the API server is away")
	}
	out := map[string]*karpenterv1.NodeClaim{}
	for _, n := range nodes {
		out[n.ID] = &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "new-" + n.ID}}
	}
	return out, nil
}

// TestACallThatFailsIsNoAttempt has the API server refuse two replacements: the move has still as many attempts as it
// may have, and nothing was opened for it.
func TestACallThatFailsIsNoAttempt(t *testing.T) {
	t.Parallel()
	times := 2
	clock := clocktesting.NewFakePassiveClock(noon)
	r := &Reconciler{Deps: Deps{
		Apply: failing{
			times: &times,
		},
		Events:  observe.NewRecorder(record.NewFakeRecorder(100), clock),
		Metrics: observe.NewMetrics(),
	}}
	m := &move{reason: karpenterv1.DisruptionReasonUnderutilized}
	o := opening{nodes: []engine.NewNode{{ID: "n1"}}, move: m}
	for range 2 {
		if err := r.open(t.Context(), o); err == nil {
			t.Fatal("the API server answered")
		}
		if m.opens != 0 || m.opened {
			t.Fatalf("a call that failed counts as %d attempts", m.opens)
		}
	}
	if err := r.open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if m.opens != 1 || !m.opened || len(m.claims) != 1 {
		t.Errorf("after nodes were opened: %d attempts, claims %v", m.opens, m.claims)
	}
}
