package apply_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/apply"
	"github.com/dovetail-sh/dovetail/internal/mirror"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

type classFunc func() (provider.Class, error)

func (f classFunc) Class(context.Context, karpenterv1.NodeClassReference) (provider.Class, error) {
	return f()
}

func ready() (provider.Class, error) {
	return provider.Class{Name: "default", Ready: true, Stamp: map[string]string{"stamp": "s"}}, nil
}

// bench is an Applier over a fake API server.
type bench struct {
	*apply.Applier
	client client.Client
	mirror *mirror.Mirror
}

func setUp(
	t *testing.T,
	class classFunc,
	create func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error,
	pools ...*karpenterv1.NodePool,
) bench {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), karpenterv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(interceptor.Funcs{Create: create}).
		WithIndex(
			&corev1.Pod{},
			"spec.nodeName",
			func(o client.Object) []string { return []string{o.(*corev1.Pod).Spec.NodeName} },
		).
		Build()
	m := mirror.New(mirror.Options{})
	for _, p := range pools {
		m.Put(p)
		m.Offer(
			p.Name,
			translate.NewOffer([]*shape.InstanceType{{Name: "c2", Capacity: shape.Vector{CPU: 2000}}}, ""),
		)
	}
	a, err := apply.New(apply.Deps{Client: c, Live: c, Cloud: class, Mirror: m, Metrics: observe.NewMetrics()})
	if err != nil {
		t.Fatal(err)
	}
	return bench{a, c, m}
}

func pool(name string) *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: name}}
	p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "karpenter.k8s.aws",
		Kind:  "EC2NodeClass",
		Name:  "default",
	}
	p.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue}}
	return p
}

func node(id, pool string, pods ...shape.PodID) engine.NewNode {
	return engine.NewNode{
		ID:           id,
		Pool:         pool,
		Pods:         pods,
		Options:      []engine.Option{{Type: "c2"}},
		Requests:     shape.Vector{CPU: 100, Pods: 1},
		Requirements: []shape.Requirement{{Key: shape.LabelInstanceType, Values: []string{"c2"}}},
	}
}

func pending(name string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
	p.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable},
	}
	return p
}

func claims(t *testing.T, c client.Client) []string {
	t.Helper()
	var list karpenterv1.NodeClaimList
	if err := c.List(t.Context(), &list); err != nil {
		t.Fatal(err)
	}
	var pools []string
	for _, claim := range list.Items {
		pools = append(pools, claim.Labels[karpenterv1.NodePoolLabelKey])
	}
	return pools
}

func TestAnOpenedNodeCountsBeforeAnyWatchTellsOfIt(t *testing.T) {
	t.Parallel()
	b := setUp(t, ready, nil, pool("q"))
	b.mirror.Put(pending("web"))
	opened, err := b.Open(t.Context(), []engine.NewNode{node("n1", "q", "default/web")}, "provisioned")
	if err != nil {
		t.Fatal(err)
	}
	claim := opened["n1"]
	if claim == nil || !strings.HasPrefix(claim.Name, "q-") || claim.GenerateName != "q-" ||
		claim.Annotations["stamp"] != "s" {
		t.Errorf("claim %+v, want one of pool q with the cloud's stamp", claim)
	}
	s := b.mirror.Snapshot()
	if len(s.Pods) != 0 || len(s.Nodes) != 1 || s.Nodes[0].Claim != claim.Name || len(s.Nodes[0].Pods) != 1 {
		t.Errorf("Snapshot has pods %v and nodes %+v, want the pod on the claim", s.Pods, s.Nodes)
	}
}

func TestOneFailureDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "nodeclaims"}, "", errors.New("no"))
	b := setUp(
		t,
		ready,
		func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if o.GetLabels()[karpenterv1.NodePoolLabelKey] == "bad" {
				return forbidden
			}
			return c.Create(ctx, o, opts...)
		},
		pool("bad"),
		pool("good"),
	)
	b.mirror.Put(pending("a"))
	b.mirror.Put(pending("b"))
	opened, err := b.Open(
		t.Context(),
		[]engine.NewNode{node("n1", "bad", "default/a"), node("n2", "good", "default/b"), node("n3", "gone")},
		"provisioned",
	)
	if opened["n2"] == nil || len(opened) != 1 {
		t.Errorf("opened %v, want n2", opened)
	}
	if !errors.Is(err, forbidden) || !errors.Is(err, apply.ErrPoolGone) ||
		!strings.Contains(err.Error(), "NodePool bad") ||
		!strings.Contains(err.Error(), "NodePool gone") {
		t.Errorf("error %v does not name both pools and why", err)
	}
	if diff := cmp.Diff([]string{"good"}, claims(t, b.client)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	s := b.mirror.Snapshot()
	if len(s.Nodes) != 1 || len(s.Pods) != 1 || s.Pods[0].ID != "default/a" {
		t.Errorf("pod a must be planned again: pods %v, %d nodes", s.Pods, len(s.Nodes))
	}
}

func TestAClassThatIsNotReadyLaunchesNothing(t *testing.T) {
	t.Parallel()
	b := setUp(t, func() (provider.Class, error) { return provider.Class{Name: "default"}, nil }, nil, pool("q"))
	_, err := b.Open(t.Context(), []engine.NewNode{node("n1", "q")}, "provisioned")
	if !errors.Is(err, provider.ErrClassNotReady) || len(claims(t, b.client)) != 0 {
		t.Errorf("error %v, claims %v", err, claims(t, b.client))
	}
}

func TestANameThatIsTakenIsReplaced(t *testing.T) {
	t.Parallel()
	taken := 0
	b := setUp(
		t,
		ready,
		func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if taken++; taken == 1 {
				return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "nodeclaims"}, o.GetName())
			}
			return c.Create(ctx, o, opts...)
		},
		pool("q"),
	)
	opened, err := b.Open(t.Context(), []engine.NewNode{node("n1", "q")}, "provisioned")
	if err != nil || opened["n1"] == nil {
		t.Fatalf("opened %v, %v", opened, err)
	}
	if s := b.mirror.Snapshot(); len(s.Nodes) != 1 || s.Nodes[0].Claim != opened["n1"].Name {
		t.Errorf("the mirror has %d nodes, want the one that was made", len(s.Nodes))
	}
}

// An API server under load carries a request out and its answer is lost: planning anew would buy a second node.
func TestACreationThatMayHaveHappenedIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	timedOut := apierrors.NewTimeoutError("request did not complete within the allotted timeout", 0)
	webhook := apierrors.NewInternalError(errors.New("failed calling webhook"))
	cases := map[string]struct {
		why     string
		happens bool
		fails   func(call int) error
		opened  bool
		known   int // nodes that the mirror counts afterwards
	}{
		"AnswerLost": {
			"It is there: the second attempt finds it.",
			true,
			func(call int) error { return map[int]error{1: timedOut}[call] },
			true,
			1,
		},
		"RequestLost": {
			"It is not there: the second attempt makes it.",
			false,
			func(call int) error { return map[int]error{1: errors.New("connection reset")}[call] },
			true,
			1,
		},
		"NothingHeard": {
			"It may show in a minute.",
			true,
			func(int) error { return context.DeadlineExceeded },
			false,
			1,
		},
		"WebhookRefuses": {
			"An answer each time that it was not done.",
			false,
			func(int) error { return webhook },
			false,
			0,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				b := setUp(
					t,
					ready,
					func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
						calls++
						fails := tc.fails(calls)
						if errors.Is(fails, context.DeadlineExceeded) {
							<-ctx.Done()
						}
						if fails == nil || tc.happens && calls == 1 {
							copied, _ := o.DeepCopyObject().(client.Object)
							if err := c.Create(ctx, copied, opts...); err != nil {
								return err
							}
						}
						return fails
					},
					pool("q"),
				)
				opened, err := b.Open(t.Context(), []engine.NewNode{node("n1", "q")}, "provisioned")
				if (opened["n1"] != nil) != tc.opened || (err == nil) != tc.opened {
					t.Errorf("%s\nopened %v, %v", tc.why, opened, err)
				}
				if n := len(claims(t, b.client)); n > 1 || tc.opened && n != 1 {
					t.Errorf("%s\n%d claims", tc.why, n)
				}
				if n := len(b.mirror.Snapshot().Nodes); n != tc.known {
					t.Errorf("%s\nthe mirror counts %d nodes, want %d", tc.why, n, tc.known)
				}
			})
		})
	}
}

func TestLimitsHoldWhenManyOpenAtOnce(t *testing.T) {
	t.Parallel()
	p := pool("q")
	p.Spec.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10")}
	b := setUp(t, ready, nil, p)
	var all sync.WaitGroup
	for range 8 {
		all.Go(
			func() { _, _ = b.Open(t.Context(), []engine.NewNode{node("n1", "q"), node("n2", "q")}, "provisioned") },
		)
	}
	all.Wait()
	if got := len(claims(t, b.client)); got != 5 {
		t.Errorf("%d claims of 2 cores under a limit of 10, want 5", got)
	}
}

func TestRetireDeletesThisClaimOnly(t *testing.T) {
	t.Parallel()
	b := setUp(t, ready, nil, pool("q"))
	claim := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "q-1", UID: "this one"}}
	var asked []client.DeleteOption
	b.Client = interceptor.NewClient(b.client.(client.WithWatch), interceptor.Funcs{
		Delete: func(_ context.Context, _ client.WithWatch, _ client.Object, opts ...client.DeleteOption) error {
			asked = opts
			return apierrors.NewNotFound(schema.GroupResource{Resource: "nodeclaims"}, "q-1")
		},
	})
	if err := b.Retire(t.Context(), claim, "empty"); err != nil {
		t.Errorf("deleting a claim that is gone: %v", err)
	}
	var o client.DeleteOptions
	o.ApplyOptions(asked)
	if o.Preconditions == nil || o.Preconditions.UID == nil || *o.Preconditions.UID != "this one" {
		t.Errorf("deleted with preconditions %v, want the claim's UID", o.Preconditions)
	}
	asked = nil
	claim.DeletionTimestamp = &metav1.Time{}
	claim.DeletionTimestamp.Time = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	if err := b.Retire(t.Context(), claim, "empty"); err != nil || asked != nil {
		t.Errorf("a claim that goes already was deleted again (%v)", err)
	}
}

// A deletion that is asked for twice, before any cache shows the first one, is one disruption; and only pods that need
// another node are disrupted by it.
func TestRetireCountsOnce(t *testing.T) {
	t.Parallel()
	p := pool("q")
	p.Spec.Disruption.ConsolidationPolicy = karpenterv1.ConsolidationPolicyWhenEmptyOrUnderutilized
	b := setUp(t, ready, nil, p)
	yes := true
	on := func(name, owner string, phase corev1.PodPhase) *corev1.Pod {
		pod := pending(name)
		pod.Spec.NodeName, pod.Status.Phase = "n", phase
		pod.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: "o", Controller: &yes}}
		return pod
	}
	claim := &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Name:       "q-1",
			UID:        "1",
			Labels:     map[string]string{karpenterv1.NodePoolLabelKey: "q"},
			Finalizers: []string{"test/held"},
		},
	}
	claim.Status.NodeName = "n"
	for _, o := range []client.Object{
		p, claim, on("web", "ReplicaSet", corev1.PodRunning), on("agent", "DaemonSet", corev1.PodRunning),
		on("static", "Node", corev1.PodRunning), on("job", "Job", corev1.PodSucceeded),
	} {
		if err := b.client.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := b.Retire(t.Context(), claim.DeepCopy(), "underutilized"); err != nil {
			t.Fatal(err)
		}
	}
	labels := []string{"underutilized", "q", "", "when_empty_or_underutilized", "graceful"}
	if got := testutil.ToFloat64(b.Metrics.Claims.Disrupted.WithLabelValues(labels...)); got != 1 {
		t.Errorf("nodeclaims_disrupted_total is %v, want 1", got)
	}
	if got := testutil.ToFloat64(b.Metrics.Pods.DisruptionInitiated.WithLabelValues(labels...)); got != 1 {
		t.Errorf("pods_disruption_initiated_total is %v, want 1: the pod of the ReplicaSet", got)
	}
}
