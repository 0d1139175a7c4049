package provision_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/apply"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// shop sells one instance type in one zone, to classes that do not fail.
type shop struct {
	types []*shape.InstanceType
	fails map[string]error // by name of the class
}

func (s *shop) InstanceTypes(_ context.Context, ref karpenterv1.NodeClassReference) ([]*shape.InstanceType, error) {
	return s.types, s.fails[ref.Name]
}

func (s *shop) Class(_ context.Context, ref karpenterv1.NodeClassReference) (provider.Class, error) {
	return provider.Class{Name: ref.Name, Ready: true}, nil
}

// rig is a Provisioner over a fake API server, whose objects the mirror sees at once.
type rig struct {
	*provision.Provisioner
	t      testing.TB
	mirror *mirror.Mirror
	client client.Client
	shop   *shop
	clock  *clocktesting.FakeClock // nil with a clock of its own
	events chan string
	broken map[string]bool // pools whose claims cannot be created
}

func newRig(t *testing.T) *rig {
	t.Helper()
	now := clocktesting.NewFakeClock(noon)
	r := newRigOf(t, now, func(context.Context, client.Object) {})
	r.clock = now
	return r
}

// newRigOf is a rig with a clock, which tells of every object that is created.
func newRigOf(t testing.TB, now clock.Clock, created func(context.Context, client.Object)) *rig {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), karpenterv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, broken: map[string]bool{}, shop: &shop{fails: map[string]error{}, types: []*shape.InstanceType{{
		Name: "big",
		Requirements: []shape.Requirement{
			{Key: shape.LabelArch, Values: []string{"amd64"}},
			{Key: shape.LabelCapacityType, Values: []string{shape.OnDemand}},
			{Key: shape.LabelInstanceType, Values: []string{"big"}},
			{Key: shape.LabelZone, Values: []string{"a"}},
		},
		Capacity:    shape.Vector{CPU: 4000, Memory: 16 << 30, Pods: 58},
		Allocatable: shape.Vector{CPU: 4000, Memory: 16 << 30, Pods: 58},
		Offerings:   []shape.Offering{{Zone: "a", CapacityType: shape.OnDemand, Price: 200_000, Available: true}},
	}}}}
	r.client = fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if r.broken[o.GetLabels()[karpenterv1.NodePoolLabelKey]] {
				return errors.New("the API server does not like it")
			}
			created(ctx, o)
			return c.Create(ctx, o, opts...)
		},
	}).Build()
	r.mirror = mirror.New(mirror.Options{Clock: now})
	metrics := observe.NewMetrics()
	applier, err := apply.New(
		apply.Deps{Client: r.client, Live: r.client, Cloud: r.shop, Mirror: r.mirror, Metrics: metrics},
	)
	if err != nil {
		t.Fatal(err)
	}
	plans, err := journal.New(journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sink := record.NewFakeRecorder(100)
	r.events = sink.Events
	r.Provisioner, err = provision.New(provision.Deps{
		Mirror:  r.mirror,
		Market:  market.New(r.shop, market.NoOverlays()),
		Apply:   applier,
		Journal: plans,
		Batch:   provision.NewBatch(time.Second, 10*time.Second, now),
		Tell:    &provision.Teller{Client: r.client, Events: observe.NewRecorder(sink, now)},
		Policy:  engine.DefaultPolicy(),
		Clock:   now,
		Metrics: metrics,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) pool(name string, weight int32) {
	p := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.Weight = &weight
	p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "karpenter.kwok.sh",
		Kind:  "KWOKNodeClass",
		Name:  name,
	}
	p.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
	r.mirror.Put(p)
}

func (r *rig) pod(name, cpu string) {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: "1"}}
	p.Spec.Containers = []corev1.Container{
		{
			Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)},
			},
		},
	}
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
	}
	if err := r.client.Create(r.t.Context(), p); err != nil {
		r.t.Fatal(err)
	}
	r.mirror.Put(p)
}

func (r *rig) claims() map[string]int {
	r.t.Helper()
	var list karpenterv1.NodeClaimList
	if err := r.client.List(r.t.Context(), &list); err != nil {
		r.t.Fatal(err)
	}
	out := map[string]int{}
	for _, c := range list.Items {
		out[c.Labels[karpenterv1.NodePoolLabelKey]]++
	}
	return out
}

func (r *rig) said() []string {
	var out []string
	for {
		select {
		case e := <-r.events:
			out = append(out, e)
		default:
			return out
		}
	}
}

func TestAPendingPodGetsOneNodeHoweverOftenItIsPlanned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool("q", 1)
	r.pod("web", "1")
	for range 3 {
		if _, err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.clock.Step(5 * time.Second)
	}
	if diff := cmp.Diff(map[string]int{"q": 1}, r.claims()); diff != "" {
		t.Errorf("claims by pool: -want +got\n%s", diff)
	}
	if said := r.said(); len(said) != 1 || !strings.Contains(said[0], "Nominated") {
		t.Errorf("events %q, want one Nominated", said)
	}
}

func TestALatecomerSharesTheNodeOnItsWay(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool("q", 1)
	r.pod("one", "1")
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list karpenterv1.NodeClaimList
	if err := r.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	claim := &list.Items[0]
	claim.Status.ProviderID = "m1"
	claim.Labels[shape.LabelInstanceType], claim.Labels[shape.LabelZone], claim.Labels[shape.LabelCapacityType] = "big", "a", shape.OnDemand
	claim.Status.Allocatable = corev1.ResourceList{
		corev1.ResourceCPU:  resource.MustParse("4"),
		corev1.ResourcePods: resource.MustParse("58"),
	}
	r.mirror.Put(claim)
	r.pod("two", "3")
	r.pod("three", "3")
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"q": 2}, r.claims()); diff != "" {
		t.Errorf("one of the two late pods fits beside the first: -want +got\n%s", diff)
	}
}

// A claim that is not launched for minutes counts as the node that it was planned to be, and nobody waits for it.
func TestAStuckLaunchDelaysNoOtherPod(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool("q", 1)
	r.pod("one", "3")
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	for late := range 3 {
		r.clock.Step(time.Minute)
		var stuck karpenterv1.NodeClaimList // none has a provider ID, and none gets one
		if err := r.client.List(t.Context(), &stuck); err != nil {
			t.Fatal(err)
		}
		for i := range stuck.Items {
			r.mirror.Put(&stuck.Items[i])
		}
		r.pod(fmt.Sprintf("late-%d", late), "3")
		if _, err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]int{"q": 2 + late}, r.claims()); diff != "" {
			t.Fatalf(
				"the late pod gets its node in the first pass, and the first pod no second one: -want +got\n%s",
				diff,
			)
		}
	}
}

func TestABrokenPoolDoesNotStopAnother(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool("first", 10)
	r.pool("second", 1)
	r.broken["first"] = true
	r.pod("web", "1")
	if _, err := r.Pass(t.Context()); err == nil {
		t.Fatal("the failure was not reported")
	}
	patience, err := r.Pass(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"second": 1}, r.claims()); diff != "" {
		t.Errorf("while the broken pool rests the other one must serve: -want +got\n%s", diff)
	}
	if patience > time.Second {
		t.Errorf("the next pass is in %s, want it when the broken pool has rested", patience)
	}
}

func TestAPodWithoutRoomIsToldWhyOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool("q", 1)
	r.shop.fails["q"] = provider.ErrClassNotFound
	r.pod("web", "1")
	for range 3 {
		if _, err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.clock.Step(10 * time.Second)
	}
	said := r.said()
	if len(said) != 1 || !strings.Contains(said[0], "FailedScheduling") ||
		!strings.Contains(said[0], "KWOKNodeClass q does not exist") {
		t.Errorf("events %q, want one FailedScheduling that names the class", said)
	}
	r.shop.fails = nil
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"q": 1}, r.claims()); diff != "" {
		t.Errorf("once the class is there: -want +got\n%s", diff)
	}
}

// Pods of one Deployment wait for one reason. Its log line is said once, and not with every look.
func TestTheLogSaysOnceWhyAClassOfPodsWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var lines []string
	r.Log = funcr.New(func(_, args string) { lines = append(lines, args) }, funcr.Options{})
	r.pool("q", 1)
	for _, name := range []string{"web-1", "web-2", "web-3"} {
		r.pod(name, "100")
	}
	count := func(text string) (n int) {
		for _, line := range lines {
			if strings.Contains(line, text) {
				n++
			}
		}
		return n
	}
	for range 4 {
		if _, err := r.Pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.clock.Step(10 * time.Second)
	}
	for _, text := range []string{observe.SaidPodUnplaced, observe.SaidPodsFound, "planned pods"} {
		if count(text) != 1 {
			t.Errorf("%q was said %d times in\n%s", text, count(text), strings.Join(lines, "\n"))
		}
	}
	if count(`"pod-count"=3`) == 0 || count("web-1, default/web-2, default/web-3") == 0 {
		t.Errorf("the log says not which pods wait:\n%s", strings.Join(lines, "\n"))
	}
	r.pod("small", "1")
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if count(observe.SaidClaimsComputed) != 1 || count(observe.SaidPodUnplaced) != 1 ||
		count(observe.SaidPodsFound) != 2 {
		t.Errorf("after another pod:\n%s", strings.Join(lines, "\n"))
	}
}

// A pool that becomes ready while a plan is made without it has the pods planned again soon, not when the next look is
// due.
func TestNewsThatComesDuringAPassIsNotMissed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Batch = provision.NewBatch(time.Millisecond, time.Second, clock.RealClock{})
	r.Decided = func([]shape.PodID) { r.pool("q", 1) }
	r.mirror.Hear(r.Hear)
	r.pod("web", "1")
	r.Batch.Wait(t.Context(), 0) // the pod's own news
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(r.claims()); n > 0 {
		t.Fatalf("%d pools have claims: the pool was there too early", n)
	}
	if !r.Batch.Wait(t.Context(), time.Second) {
		t.Fatal("nothing asks for another pass")
	}
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"q": 1}, r.claims()); diff != "" {
		t.Errorf("claims by pool: -want +got\n%s", diff)
	}
}

func TestAClaimThatGoesHasItsPodsPlannedAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool("q", 1)
	r.pod("web", "1")
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	var heard mirror.Change
	r.mirror.Hear(func(c mirror.Change) { heard |= c })
	var list karpenterv1.NodeClaimList
	if err := r.client.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	r.mirror.Put(&list.Items[0])
	r.mirror.Drop(&list.Items[0])
	if heard&mirror.Wanted == 0 {
		t.Error("nobody was told that the pod needs a place again")
	}
	if _, err := r.Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]int{"q": 2}, r.claims()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}
