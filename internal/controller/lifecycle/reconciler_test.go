package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// shop is a cloud that sells one type and remembers what it sold.
type shop struct {
	fails    error
	machines map[string]provider.Machine // by token
	calls    int
	ended    []string
}

func (s *shop) ClassKinds() []schema.GroupKind {
	return []schema.GroupKind{{Group: "test", Kind: "TestClass"}}
}

func (s *shop) InstanceTypes(context.Context, karpenterv1.NodeClassReference) ([]*shape.InstanceType, error) {
	return []*shape.InstanceType{{
		Name: "small", Capacity: shape.Vector{CPU: 4000, Pods: 10}, Allocatable: shape.Vector{CPU: 3900, Pods: 10},
		Offerings: []shape.Offering{{Zone: "a", CapacityType: shape.OnDemand, Price: 1000, Available: true}},
	}}, nil
}

func (s *shop) Launch(_ context.Context, o provider.Order) (provider.Machine, error) {
	s.calls++
	if s.fails != nil {
		return provider.Machine{}, s.fails
	}
	if m, sold := s.machines[o.Token]; sold {
		return m, nil
	}
	m := provider.Machine{
		ProviderID:   fmt.Sprintf("test://m%d", len(s.machines)+1),
		ImageID:      "image-1",
		InstanceType: "small",
		Zone:         "a",
		CapacityType: shape.OnDemand,
		Labels:       o.Candidates[0].Labels(),
		Annotations:  map[string]string{"test/hash": "7"},
		Capacity: provider.ResourceListOf(
			o.Candidates[0].Type.Capacity,
		),
		Allocatable: provider.ResourceListOf(o.Candidates[0].Allocatable()),
	}
	s.machines[o.Token] = m
	return m, nil
}

func (s *shop) Terminate(_ context.Context, id string) error {
	s.ended = append(s.ended, id)
	return nil
}

// stage is a Reconciler with a fake API server, a shop and what was said and deleted.
type stage struct {
	*Reconciler
	shop    *shop
	events  *record.FakeRecorder
	deleted []string // "claim reason"
}

func newStage(t *testing.T, faults interceptor.Funcs, objects ...client.Object) *stage {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(
		karpenterv1.AddToScheme(scheme),
		corev1.AddToScheme(scheme),
		storagev1.AddToScheme(scheme),
	); err != nil {
		t.Fatal(err)
	}
	b := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&karpenterv1.NodeClaim{}).WithInterceptorFuncs(faults)
	for _, i := range lookup.Indexes() {
		b = b.WithIndex(i.Object, i.Field, i.Values)
	}
	s := &stage{shop: &shop{machines: map[string]provider.Machine{}}, events: record.NewFakeRecorder(20)}
	clock := clocktesting.NewFakePassiveClock(noon)
	c := b.Build()
	r, err := New(Deps{
		Client:  c,
		Live:    c,
		Cloud:   s.shop,
		Market:  market.New(s.shop, market.NoOverlays()),
		Clock:   clock,
		Events:  observe.NewRecorder(s.events, clock),
		Metrics: observe.NewMetrics(),
		Delete: func(_ context.Context, claim *karpenterv1.NodeClaim, reason string) error {
			s.deleted = append(s.deleted, claim.Name+" "+reason)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Reconciler = r
	return s
}

func (s *stage) reconcile(t *testing.T) error {
	t.Helper()
	_, err := s.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "general-x7"}})
	return err
}

func (s *stage) claim(t *testing.T) *karpenterv1.NodeClaim {
	t.Helper()
	claim := &karpenterv1.NodeClaim{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Name: "general-x7"}, claim); err != nil {
		t.Fatal(err)
	}
	return claim
}

func (s *stage) said() string {
	var all []string
	for {
		select {
		case e := <-s.events.Events:
			all = append(all, e)
		default:
			return strings.Join(all, "\n")
		}
	}
}

func TestLaunchIsWrittenDown(t *testing.T) {
	t.Parallel()
	s := newStage(t, interceptor.Funcs{}, aged(0))
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	claim := s.claim(t)
	if !condition.IsTrue(claim, karpenterv1.ConditionLaunched) ||
		condition.IsTrue(claim, karpenterv1.ConditionReady) {
		t.Errorf("conditions: %+v", claim.Status.Conditions)
	}
	if !slices.Contains(claim.Finalizers, karpenterv1.TerminationFinalizer) {
		t.Error("a machine was bought for a claim that could vanish without giving it back")
	}
	want := map[string]string{
		"node.kubernetes.io/instance-type": "small",
		"topology.kubernetes.io/zone":      "a",
		"karpenter.sh/capacity-type":       "on-demand",
		"test/testclass":                   "default",
	}
	if diff := cmp.Diff(want, claim.Labels); diff != "" {
		t.Errorf("labels: -want +got\n%s", diff)
	}
	if claim.Status.ProviderID != "test://m1" || claim.Status.ImageID != "image-1" ||
		claim.Annotations["test/hash"] != "7" ||
		claim.Status.Allocatable.Cpu().MilliValue() != 3900 {
		t.Errorf("the claim does not say what was bought: %+v %+v", claim.Annotations, claim.Status)
	}
}

func TestADeathBetweenBuyingAndWritingBuysOnce(t *testing.T) {
	t.Parallel()
	broken := true
	faults := interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
			if broken {
				return errors.New("the API server is away")
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}
	s := newStage(t, faults, aged(0))
	if err := s.reconcile(t); err == nil {
		t.Fatal("the write failed, and nobody said so")
	}
	broken = false
	// The next daemon knows nothing of what this one bought.
	next, err := New(s.Deps)
	if err != nil {
		t.Fatal(err)
	}
	s.Reconciler = next
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	if len(s.shop.machines) != 1 || s.claim(t).Status.ProviderID != "test://m1" {
		t.Errorf(
			"%d machines, claim has %q; want one machine, on the claim",
			len(s.shop.machines),
			s.claim(t).Status.ProviderID,
		)
	}
}

func TestLaunchFailures(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why       string
		fails     error
		deleted   []string
		event     string // contained in what was said
		condition string // reason of Launched
		retried   bool
	}{
		"NoCapacity": {
			"The planner will look elsewhere.",
			fmt.Errorf("small in a: %w", provider.ErrNoCapacity),
			[]string{"general-x7 insufficient_capacity"},
			"InsufficientCapacityError",
			"",
			false,
		},
		"ClassNotReady": {
			"Nothing can be launched from it just now.",
			provider.ErrClassNotReady,
			[]string{"general-x7 nodeclass_not_ready"},
			"NodeClassNotReady",
			"",
			false,
		},
		"ClassUndecided": {
			"It is known soon whether the class is ready: claims made together with their class are not given up.",
			fmt.Errorf("EC2NodeClass x: %w", provider.ErrClassUndecided),
			nil,
			"",
			"LaunchFailed",
			true,
		},
		"ClassMissing": {
			"There is no class to launch from.",
			provider.ErrClassNotFound,
			[]string{"general-x7 nodeclass_not_ready"},
			"NodeClassNotReady",
			"",
			false,
		},
		"CloudsWords": {
			"What the cloud says is shown, and tried again.",
			&provider.LaunchError{Reason: "Unauthorized", Message: "The role may not call CreateFleet."},
			nil,
			"",
			"Unauthorized",
			true,
		},
		"Anything": {
			"Other failures are tried again too.",
			errors.New("no route to host"),
			nil,
			"",
			"LaunchFailed",
			true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, interceptor.Funcs{}, aged(0))
			s.shop.fails = tc.fails
			err := s.reconcile(t)
			if (err != nil) != tc.retried {
				t.Errorf("%s\nerror %v, want one: %v", tc.why, err, tc.retried)
			}
			if diff := cmp.Diff(tc.deleted, s.deleted); diff != "" {
				t.Errorf("%s\ndeleted: -want +got\n%s", tc.why, diff)
			}
			if said := s.said(); !strings.Contains(said, tc.event) {
				t.Errorf("%s\nsaid %q, want %s", tc.why, said, tc.event)
			}
			reason := ""
			if c := condition.Get(s.claim(t), karpenterv1.ConditionLaunched); c != nil {
				reason = c.Reason
			}
			if reason != tc.condition {
				t.Errorf("%s\nLaunched says %q, want %q", tc.why, reason, tc.condition)
			}
		})
	}
}

// Who waits for a node looks at the pod: it hears of the shortage too, but no pod that found a place or goes does.
func TestPodsHearOfTheShortageOfTheirNode(t *testing.T) {
	t.Parallel()
	s := newStage(t, interceptor.Funcs{}, aged(0))
	s.shop.fails = fmt.Errorf("small in a: %w", provider.ErrNoCapacity)
	pod := func(name string, change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name)}}
		change(p)
		return p
	}
	var asked string
	s.Planned = func(claim string) []*corev1.Pod {
		asked = claim
		return []*corev1.Pod{
			pod("waits", func(*corev1.Pod) {}),
			pod("bound", func(p *corev1.Pod) { p.Spec.NodeName = "elsewhere" }),
			pod("goes", func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: noon} }),
			pod("done", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
		}
	}
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	said := s.said()
	if n := strings.Count(said, "NodeClaim general-x7 nominated for this pod failed to launch: "); n != 1 ||
		asked != "general-x7" {
		t.Errorf("%d pods of claim %q heard of it, want the one that waits for general-x7: %q", n, asked, said)
	}
}

func TestNothingSuits(t *testing.T) {
	t.Parallel()
	claim := aged(0)
	claim.Spec.Requirements = []karpenterv1.Requirement{
		{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"z"}},
	}
	s := newStage(t, interceptor.Funcs{}, claim)
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	if s.shop.calls != 0 || len(s.deleted) != 1 || !strings.Contains(s.said(), "requirements") {
		t.Errorf(
			"%d launches, deleted %v: a claim that nothing satisfies must be given up with an event",
			s.shop.calls,
			s.deleted,
		)
	}
}

// A label of the NodePool's own reaches the Node when the plan has settled it, and only then.
func TestASettledLabelIsTheNodes(t *testing.T) {
	t.Parallel()
	claim := aged(0)
	claim.Spec.Requirements = []karpenterv1.Requirement{
		{Key: "rack", Operator: corev1.NodeSelectorOpIn, Values: []string{"r1", "r2"}},
		{Key: "team", Operator: corev1.NodeSelectorOpIn, Values: []string{"red"}},
	}
	got := launchedLabels(claim, provider.Machine{Labels: map[string]string{shape.LabelZone: "a"}}, nil)
	want := map[string]string{"team": "red", shape.LabelZone: "a", "test/testclass": "default"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels of the launched claim: -want +got\n%s", diff)
	}
	node := readyNode("a")
	claim.Labels = got
	adopt(claim, &node, true)
	if node.Labels["team"] != "red" {
		t.Errorf("the node's labels are %v, want team=red among them", node.Labels)
	}
}

func TestAClaimOfAnotherCloudIsLeftAlone(t *testing.T) {
	t.Parallel()
	claim := aged(0)
	claim.Spec.NodeClassRef.Kind = "OtherClass"
	s := newStage(t, interceptor.Funcs{}, claim)
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	if got := s.claim(t); len(got.Finalizers) != 0 || len(got.Status.Conditions) != 0 || s.shop.calls != 0 {
		t.Errorf("touched: %+v", got)
	}
}

// A controller that dies after each write finds the node done and the claim not: it must get on with the claim.
func TestRegistrationIsNotWrittenTwice(t *testing.T) {
	t.Parallel()
	node := readyNode("a", notReady, carrying(karpenterv1.UnregisteredTaintKey, corev1.TaintEffectNoExecute))
	claim := aged(0, holds(karpenterv1.ConditionLaunched, 0))
	claim.Labels = map[string]string{karpenterv1.NodePoolLabelKey: "general"}
	claim.Status.ProviderID = node.Spec.ProviderID
	nodeWrites, dead := 0, errors.New("the controller is dead")
	s := newStage(t, interceptor.Funcs{
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
			if _, is := o.(*corev1.Node); is {
				nodeWrites++
			}
			return c.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
			return dead
		},
	}, claim, &node)
	for range 2 {
		if err := s.reconcile(t); !errors.Is(err, dead) {
			t.Fatalf("got %v, want the claim's status to be written each time", err)
		}
	}
	if nodeWrites != 1 {
		t.Errorf("the node was written %d times, want once", nodeWrites)
	}
}

func TestRegistration(t *testing.T) {
	t.Parallel()
	node := readyNode(
		"a",
		notReady,
		carrying(karpenterv1.UnregisteredTaintKey, corev1.TaintEffectNoExecute),
		carrying("kubelet-own", corev1.TaintEffectNoSchedule),
	)
	node.Labels = map[string]string{"kubernetes.io/hostname": "a"}
	claim := aged(0, holds(karpenterv1.ConditionLaunched, 0))
	claim.Labels = map[string]string{"team": "blue", karpenterv1.NodePoolLabelKey: "general"}
	claim.Annotations = map[string]string{"note": "x"}
	claim.Status.ProviderID = node.Spec.ProviderID
	claim.Spec.Taints = []karpenterv1.Taint{{Key: "team", Value: "blue", Effect: corev1.TaintEffectNoSchedule}}
	claim.Spec.StartupTaints = []karpenterv1.Taint{{Key: "cni", Effect: corev1.TaintEffectNoExecute}}
	s := newStage(t, interceptor.Funcs{}, claim, &node)
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}

	got := &corev1.Node{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, got); err != nil {
		t.Fatal(err)
	}
	wantTaints := []string{"kubelet-own:NoSchedule", "team=blue:NoSchedule", "cni:NoExecute"}
	var taints []string
	for _, taint := range got.Spec.Taints {
		taints = append(taints, taint.ToString())
	}
	if diff := cmp.Diff(wantTaints, taints); diff != "" {
		t.Errorf("taints: -want +got\n%s", diff)
	}
	wantLabels := map[string]string{
		"kubernetes.io/hostname":  "a",
		"team":                    "blue",
		"karpenter.sh/nodepool":   "general",
		"karpenter.sh/registered": "true",
	}
	if diff := cmp.Diff(wantLabels, got.Labels); diff != "" {
		t.Errorf("labels: -want +got\n%s", diff)
	}
	if got.Annotations["note"] != "x" || len(got.OwnerReferences) != 1 || got.OwnerReferences[0].UID != claim.UID ||
		!slices.Contains(got.Finalizers, karpenterv1.TerminationFinalizer) {
		t.Errorf("annotations %v, owners %v, finalizers %v", got.Annotations, got.OwnerReferences, got.Finalizers)
	}
	if c := s.claim(t); c.Status.NodeName != "a" || !condition.IsTrue(c, karpenterv1.ConditionRegistered) {
		t.Errorf("the claim does not know its node: %+v", c.Status)
	}
}

func TestStartupTaintsThatAreGoneStayGone(t *testing.T) {
	t.Parallel()
	// The daemon died after it registered the node and before it said so on the claim.
	node := readyNode("a")
	node.Labels = map[string]string{karpenterv1.NodeRegisteredLabelKey: "true"}
	claim := aged(0, holds(karpenterv1.ConditionLaunched, 0))
	claim.Status.ProviderID = node.Spec.ProviderID
	claim.Spec.StartupTaints = []karpenterv1.Taint{{Key: "cni", Effect: corev1.TaintEffectNoExecute}}
	s := newStage(t, interceptor.Funcs{}, claim, &node)
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	got := &corev1.Node{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, got); err != nil {
		t.Fatal(err)
	}
	if len(got.Spec.Taints) != 0 || !condition.IsTrue(s.claim(t), karpenterv1.ConditionRegistered) {
		t.Errorf("taints %v, conditions %+v", got.Spec.Taints, s.claim(t).Status.Conditions)
	}
}

func TestDoNotSyncTaints(t *testing.T) {
	t.Parallel()
	node := readyNode("a", carrying(karpenterv1.UnregisteredTaintKey, corev1.TaintEffectNoExecute))
	claim := aged(0)
	claim.Labels = map[string]string{karpenterv1.NodeDoNotSyncTaintsLabelKey: "true"}
	claim.Spec.Taints = []karpenterv1.Taint{{Key: "team", Effect: corev1.TaintEffectNoSchedule}}
	adopt(claim, &node, true)
	if len(node.Spec.Taints) != 0 {
		t.Errorf(
			"taints %v: the kubelet sets them, and only the unregistered taint is ours to remove",
			node.Spec.Taints,
		)
	}
}

func TestInitialization(t *testing.T) {
	t.Parallel()
	node := readyNode("a")
	claim := aged(0, holds(karpenterv1.ConditionLaunched, 0), holds(karpenterv1.ConditionRegistered, 0))
	claim.Status.ProviderID = node.Spec.ProviderID
	s := newStage(t, interceptor.Funcs{}, claim, &node)
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	got := &corev1.Node{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, got); err != nil {
		t.Fatal(err)
	}
	if got.Labels[karpenterv1.NodeInitializedLabelKey] != "true" ||
		!condition.IsTrue(s.claim(t), karpenterv1.ConditionReady) {
		t.Errorf("labels %v, conditions %+v", got.Labels, s.claim(t).Status.Conditions)
	}
}

func TestAMachineBoughtForADeletedClaimIsNotForgotten(t *testing.T) {
	t.Parallel()
	claim := aged(0)
	claim.Finalizers = []string{karpenterv1.TerminationFinalizer}
	s := newStage(t, interceptor.Funcs{}, claim)
	machine, err := s.shop.Launch(
		t.Context(),
		provider.Order{Claim: claim, Token: "uid-1", Candidates: candidates(t, s)},
	)
	if err != nil {
		t.Fatal(err)
	}
	s.remember(claim, machine)
	if err := s.Client.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	if got := s.claim(t).Status.ProviderID; got != machine.ProviderID {
		t.Errorf("the claim says %q, so %s would run on unknown", got, machine.ProviderID)
	}
}

func candidates(t *testing.T, s *stage) []provider.Candidate {
	t.Helper()
	types, err := s.shop.InstanceTypes(t.Context(), karpenterv1.NodeClassReference{})
	if err != nil {
		t.Fatal(err)
	}
	return provider.Candidates(types, nil, shape.Vector{})
}
