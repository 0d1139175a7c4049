package repair

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/nodehealth"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

var policies = func() *nodehealth.Policies {
	p, err := nodehealth.Compile([]provider.RepairPolicy{
		{Condition: corev1.NodeReady, Status: corev1.ConditionFalse, After: 30 * time.Minute},
		{Condition: "DiskHealthy", Status: corev1.ConditionFalse, After: 10 * time.Minute},
	})
	if err != nil {
		panic(err)
	}
	return p
}()

func nodeWith(
	name string,
	kind corev1.NodeConditionType,
	status corev1.ConditionStatus,
	since time.Duration,
) *corev1.Node {
	n := &corev1.Node{}
	n.Name, n.Spec.ProviderID = name, "test://"+name
	n.Labels = map[string]string{karpenterv1.NodePoolLabelKey: "general", karpenterv1.NodeRegisteredLabelKey: "true"}
	n.Status.Conditions = []corev1.NodeCondition{
		{Type: kind, Status: status, LastTransitionTime: metav1.NewTime(noon.Add(-since))},
	}
	return n
}

// among is the node with as many healthy nodes as make total.
func among(total int, sick ...*corev1.Node) []*corev1.Node {
	for i := len(sick); i < total; i++ {
		sick = append(sick, nodeWith(fmt.Sprintf("healthy-%d", i), corev1.NodeReady, corev1.ConditionTrue, time.Hour))
	}
	return sick
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	const no, yes = corev1.ConditionFalse, corev1.ConditionTrue
	hour := time.Hour
	cases := map[string]struct {
		why     string
		nodes   []*corev1.Node // the first is looked at
		deleted bool
		again   time.Duration
		events  int
	}{
		"Healthy": {
			"A ready node is left alone.",
			among(5, nodeWith("a", corev1.NodeReady, yes, hour)),
			false,
			0,
			0,
		},
		"NotYet": {
			"It may recover: the node is looked at when its time is over.",
			among(5, nodeWith("a", corev1.NodeReady, no, 10*time.Minute)),
			false,
			20 * time.Minute,
			0,
		},
		"TooLong": {"It has had its time.", among(5, nodeWith("a", corev1.NodeReady, no, hour)), true, 0, 2},
		"OtherKind": {
			"Every condition has its own patience.",
			among(5, nodeWith("a", "DiskHealthy", no, 11*time.Minute)),
			true,
			0,
			2,
		},
		"OnlyOne": {
			"One of one is more than 20 %, rounded up it is one.",
			among(1, nodeWith("a", corev1.NodeReady, no, hour)),
			true,
			0,
			2,
		},
		"Many": {
			"Two of five at once: that is not the nodes' fault.",
			among(5, nodeWith("a", corev1.NodeReady, no, hour), nodeWith("b", corev1.NodeReady, no, hour)),
			false,
			5 * time.Minute,
			3,
		},
		"Together": {
			"Three failed together and one of them is due: its turn is no proof that it failed by itself.",
			among(
				10,
				nodeWith("a", corev1.NodeReady, no, hour),
				nodeWith("b", corev1.NodeReady, no, 29*time.Minute),
				nodeWith("c", corev1.NodeReady, no, time.Minute),
			),
			false,
			5 * time.Minute,
			3,
		},
		"TwoOfSix": {
			"20 % of six, rounded up, are two.",
			among(6, nodeWith("a", corev1.NodeReady, no, hour), nodeWith("b", corev1.NodeReady, no, hour)),
			true,
			0,
			2,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, sink, deleted := newReconciler(t, tc.nodes)
			got, err := r.Reconcile(
				t.Context(),
				reconcile.Request{NamespacedName: client.ObjectKey{Name: tc.nodes[0].Name}},
			)
			if err != nil {
				t.Fatal(err)
			}
			if *deleted != tc.deleted || got.RequeueAfter != tc.again || len(sink.Events) != tc.events {
				t.Errorf(
					"%s\ndeleted %v, again after %s, %d events; want %v, %s, %d",
					tc.why,
					*deleted,
					got.RequeueAfter,
					len(sink.Events),
					tc.deleted,
					tc.again,
					tc.events,
				)
			}
		})
	}
}

// Each event goes to the object that it is about: the node's to the node, the claim's to the claim.
func TestEventsNameTheirObjects(t *testing.T) {
	t.Parallel()
	const no, hour = corev1.ConditionFalse, time.Hour
	cases := map[string]struct {
		nodes  []*corev1.Node
		reason string
		want   []string
	}{
		"GivenUp": {
			among(5, nodeWith("a", corev1.NodeReady, no, hour)),
			"DisruptionTerminating",
			[]string{"Node a", "NodeClaim general-1"},
		},
		"Blocked": {
			among(5, nodeWith("a", corev1.NodeReady, no, hour), nodeWith("b", corev1.NodeReady, no, hour)),
			"NodeRepairBlocked",
			[]string{"Node a", "NodeClaim general-1", "NodePool general"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, _ := newReconciler(t, tc.nodes)
			heard := &ear{reason: tc.reason}
			r.Events = observe.NewRecorder(heard, r.Clock)
			if _, err := r.Reconcile(
				t.Context(),
				reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}},
			); err != nil {
				t.Fatal(err)
			}
			slices.Sort(heard.about)
			if diff := cmp.Diff(tc.want, heard.about); diff != "" {
				t.Errorf("objects of %s: -want +got\n%s", tc.reason, diff)
			}
		})
	}
}

// ear notes which objects events of a reason are about.
type ear struct {
	record.EventRecorder
	reason string
	about  []string
}

func (e *ear) Event(object runtime.Object, _, reason, _ string) {
	if reason == e.reason {
		e.about = append(
			e.about,
			fmt.Sprintf("%s %s", reflect.TypeOf(object).Elem().Name(), object.(client.Object).GetName()),
		)
	}
}

func TestRepairedClaimsAreCounted(t *testing.T) {
	t.Parallel()
	r, _, _ := newReconciler(t, among(5, nodeWith("a", "DiskHealthy", corev1.ConditionFalse, time.Hour)))
	if _, err := r.Reconcile(
		t.Context(),
		reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}},
	); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP karpenter_nodeclaims_unhealthy_disrupted_total NodeClaims deleted because their node was unhealthy.
# TYPE karpenter_nodeclaims_unhealthy_disrupted_total counter
karpenter_nodeclaims_unhealthy_disrupted_total{capacity_type="spot",condition="disk_healthy",image_id="ami-1",nodepool="general",termination_mode="forceful"} 1
`
	if err := testutil.GatherAndCompare(
		r.Metrics.Gatherer(),
		strings.NewReader(want),
		"karpenter_nodeclaims_unhealthy_disrupted_total",
	); err != nil {
		t.Error(err)
	}
}

// TestTheRepairOfBeforeKnowsNoVeto: the annotation came with the repair of today.
func TestTheRepairOfBeforeKnowsNoVeto(t *testing.T) {
	t.Parallel()
	node := nodeWith("a", corev1.NodeReady, corev1.ConditionFalse, time.Hour)
	node.Annotations = map[string]string{karpenterv1.DoNotRepairAnnotationKey: "true"}
	r, _, deleted := newReconciler(t, among(5, node))
	_, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}})
	if err != nil || !*deleted {
		t.Errorf("deleted %v, %v; want it deleted", *deleted, err)
	}
}

// A claim without a NodePool is weighed against all nodes of the cluster, those that others manage included.
func TestAStandaloneClaimIsWeighedAgainstTheCluster(t *testing.T) {
	t.Parallel()
	const no = corev1.ConditionFalse
	nodes := among(6, nodeWith("a", corev1.NodeReady, no, time.Hour), nodeWith("b", corev1.NodeReady, no, time.Hour))
	for _, n := range nodes[2:] {
		n.Labels = nil
	}
	r, _, deleted := newReconciler(t, nodes)
	claim := &karpenterv1.NodeClaim{}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "general-1"}, claim); err != nil {
		t.Fatal(err)
	}
	claim.Labels = nil
	if err := r.Client.Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Reconcile(
		t.Context(),
		reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}},
	); err != nil {
		t.Fatal(err)
	}
	if !*deleted {
		t.Error("two of six nodes are unhealthy, rounded up that is 20 %, and the claim is kept")
	}
}

// TestADrainOfANodeThatBreaksIsCutShort has a node break down while it drains, for hours maybe.
func TestADrainOfANodeThatBreaksIsCutShort(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why      string
		deadline string
		want     string
	}{
		"Endless":  {"The drain had no end.", "", "2026-01-01T12:00:00Z"},
		"LongYet":  {"Its end is far.", "2026-01-01T18:00:00Z", "2026-01-01T12:00:00Z"},
		"OverAsIs": {"It is over already.", "2026-01-01T11:00:00Z", "2026-01-01T11:00:00Z"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, deleted := newReconciler(
				t,
				among(5, nodeWith("a", "DiskHealthy", corev1.ConditionFalse, time.Hour)),
			)
			claim := &karpenterv1.NodeClaim{}
			if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "general-1"}, claim); err != nil {
				t.Fatal(err)
			}
			claim.Finalizers = []string{karpenterv1.TerminationFinalizer}
			if tc.deadline != "" {
				claim.Annotations = map[string]string{
					karpenterv1.NodeClaimTerminationTimestampAnnotationKey: tc.deadline,
				}
			}
			if err := errors.Join(
				r.Client.Update(t.Context(), claim),
				r.Client.Delete(t.Context(), claim),
			); err != nil {
				t.Fatal(err)
			}
			if _, err := r.Reconcile(
				t.Context(),
				reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}},
			); err != nil {
				t.Fatal(err)
			}
			if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "general-1"}, claim); err != nil {
				t.Fatal(err)
			}
			if got := claim.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey]; got != tc.want ||
				*deleted {
				t.Errorf("%s\nthe deadline is %q, want %q; deleted once more: %v", tc.why, got, tc.want, *deleted)
			}
		})
	}
}

func newReconciler(t *testing.T, nodes []*corev1.Node) (*Reconciler, *record.FakeRecorder, *bool) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(
		karpenterv1.AddToScheme(scheme),
		corev1.AddToScheme(scheme),
		storagev1.AddToScheme(scheme),
	); err != nil {
		t.Fatal(err)
	}
	pool := &karpenterv1.NodePool{}
	pool.Name = "general"
	claim := &karpenterv1.NodeClaim{}
	claim.Name, claim.Status.ProviderID = "general-1", nodes[0].Spec.ProviderID
	claim.Labels = map[string]string{
		karpenterv1.NodePoolLabelKey:     "general",
		karpenterv1.CapacityTypeLabelKey: "spot",
	}
	claim.Status.ImageID = "ami-1"
	b := fake.NewClientBuilder().WithScheme(scheme).WithObjects(pool, claim)
	for _, n := range nodes {
		b = b.WithObjects(n)
	}
	for _, i := range lookup.Indexes() {
		b = b.WithIndex(i.Object, i.Field, i.Values)
	}
	sink := record.NewFakeRecorder(10)
	clock := clocktesting.NewFakePassiveClock(noon)
	deleted := false
	c := b.Build()
	return &Reconciler{
		Deps{
			Client:   c,
			Live:     c,
			Clock:    clock,
			Events:   observe.NewRecorder(sink, clock),
			Metrics:  observe.NewMetrics(),
			Policies: policies,
			Delete: func(_ context.Context, c *karpenterv1.NodeClaim, reason string) error {
				deleted = c.Annotations[karpenterv1.NodeClaimTerminationTimestampAnnotationKey] == "2026-01-01T12:00:00Z" &&
					reason == "unhealthy"
				return nil
			},
		},
	}, sink, &deleted
}

// TestANodeThatTheCacheShowsUnhealthyIsAskedForALastTime has a node that recovered.
func TestANodeThatTheCacheShowsUnhealthyIsAskedForALastTime(t *testing.T) {
	t.Parallel()
	sick := nodeWith("a", "DiskHealthy", corev1.ConditionFalse, time.Hour)
	r, _, deleted := newReconciler(t, among(5, sick))
	well := nodeWith("a", "DiskHealthy", corev1.ConditionTrue, 0)
	other, _, _ := newReconciler(t, among(5, well))
	r.Live = other.Client
	result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}})
	if err != nil || *deleted || result.RequeueAfter == 0 {
		t.Errorf("deleted %v, again after %s, %v; want it looked at again", *deleted, result.RequeueAfter, err)
	}
}

// TestLabelsOfALaterDayDoNotKeepANodeFromRepair has a node that joined without labels and got them afterwards.
func TestLabelsOfALaterDayDoNotKeepANodeFromRepair(t *testing.T) {
	t.Parallel()
	for _, labels := range []map[string]string{nil, {"team": "red"}} {
		sick := nodeWith("a", "DiskHealthy", corev1.ConditionFalse, time.Hour)
		r, _, deleted := newReconciler(t, among(10, sick))
		node := &corev1.Node{}
		if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, node); err != nil {
			t.Fatal(err)
		}
		node.Labels = labels
		if err := r.Client.Update(t.Context(), node); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Reconcile(
			t.Context(),
			reconcile.Request{NamespacedName: client.ObjectKey{Name: "a"}},
		); err != nil ||
			!*deleted {
			t.Errorf("labels %v: it was not repaired (%v)", labels, err)
		}
	}
}
