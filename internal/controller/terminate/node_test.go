package terminate

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// goingNode is a ready node that is being deleted, and a Nodes that sees to it.
func goingNode(t *testing.T, cloud *shop, objects ...client.Object) *Nodes {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := errors.Join(
		karpenterv1.AddToScheme(scheme),
		corev1.AddToScheme(scheme),
		storagev1.AddToScheme(scheme),
	); err != nil {
		t.Fatal(err)
	}
	node := &corev1.Node{}
	node.Name, node.Spec.ProviderID, node.Finalizers = "n", "test://1", []string{karpenterv1.TerminationFinalizer}
	node.DeletionTimestamp = &metav1.Time{Time: noon}
	node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	b := fake.NewClientBuilder().
		WithScheme(scheme).
		WithObjects(append(objects, node)...).
		WithStatusSubresource(&karpenterv1.NodeClaim{})
	for _, i := range lookup.Indexes() {
		b = b.WithIndex(i.Object, i.Field, i.Values)
	}
	clock := clocktesting.NewFakePassiveClock(noon)
	c := b.Build()
	r, err := NewNodes(Deps{
		Client:  c,
		Live:    c,
		Cloud:   cloud,
		Clock:   clock,
		Events:  observe.NewRecorder(record.NewFakeRecorder(100), clock),
		Metrics: observe.NewMetrics(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// goingClaim is the node's claim, which is being deleted too.
func goingClaim() *karpenterv1.NodeClaim {
	claim := &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "c", Finalizers: []string{karpenterv1.TerminationFinalizer}},
	}
	claim.DeletionTimestamp, claim.Status.ProviderID = &metav1.Time{Time: noon}, "test://1"
	return claim
}

func (r *Nodes) see(t *testing.T) {
	t.Helper()
	if _, err := r.Reconcile(
		t.Context(),
		reconcile.Request{NamespacedName: client.ObjectKey{Name: "n"}},
	); err != nil {
		t.Fatal(err)
	}
}

func on(node string) func(*corev1.Pod) { return func(p *corev1.Pod) { p.Spec.NodeName = node } }

// TestPodsOfAMachineThatRunsAreNotDeletedByForce plays a Node whose NodeClaim somebody removed by force. Its machine
// runs on, and a pod of a StatefulSet that is deleted without its kubelet's word runs twice.
func TestPodsOfAMachineThatRunsAreNotDeletedByForce(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why   string
		state provider.State
		pods  int
	}{
		"Runs":  {"The pods run.", provider.Running, 1},
		"Stops": {"They may still run.", provider.Stopping, 1},
		"Gone":  {"They do not run, and are replaced at once.", "", 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := goingNode(t, &shop{state: tc.state}, podNamed("db-0", on("n")))
			r.see(t)
			var pods corev1.PodList
			if err := r.Client.List(t.Context(), &pods); err != nil {
				t.Fatal(err)
			}
			if len(pods.Items) != tc.pods {
				t.Errorf("%s\n%d pods are left, want %d", tc.why, len(pods.Items), tc.pods)
			}
			if err := r.Client.Get(
				t.Context(),
				client.ObjectKey{Name: "n"},
				&corev1.Node{},
			); client.IgnoreNotFound(err) != nil ||
				err == nil {
				t.Errorf("%s\nthe Node is held (%v)", tc.why, err)
			}
		})
	}
}

// TestVolumesOfPodsThatStayAreNotWaitedFor has a pod that tolerates everything keep its volumes to the end: waiting for
// them to be detached would be waiting for ever.
func TestVolumesOfPodsThatStayAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	sources := map[string]corev1.VolumeSource{
		"Claimed":   {PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "agent-cache"}},
		"Ephemeral": {Ephemeral: &corev1.EphemeralVolumeSource{}},
	}
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent := podNamed("agent", on("n"), daemon, tolerates(""), func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{{Name: "cache", VolumeSource: source}}
			})
			pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "agent-cache"}}
			pvc.Spec.VolumeName = "pv-1"
			attached := &storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "a"}}
			attached.Spec.NodeName, attached.Spec.Source.PersistentVolumeName = "n", &pvc.Spec.VolumeName
			claim := goingClaim()
			cloud := &shop{state: provider.Running}
			r := goingNode(t, cloud, agent, pvc, attached, claim)
			r.see(t)
			r.see(t)
			if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "c"}, claim); err != nil {
				t.Fatal(err)
			}
			if cloud.told == 0 {
				t.Errorf(
					"the machine is not given back: %+v",
					condition.Get(claim, karpenterv1.ConditionVolumesDetached),
				)
			}
		})
	}
}

// TestABudgetThatLetsNothingGoCostsFewCalls has a pod that no eviction gets away, for hours: it is tried less and less
// often, and the cloud is not asked at all, for the node is ready.
func TestABudgetThatLetsNothingGoCostsFewCalls(t *testing.T) {
	t.Parallel()
	claim := goingClaim()
	cloud := &shop{state: provider.Running}
	r := goingNode(t, cloud, podNamed("db-0", on("n")), claim)
	tries := 0
	r.Client = interceptor.NewClient(r.Client.(client.WithWatch), interceptor.Funcs{
		SubResourceCreate: func(context.Context, client.Client, string, client.Object, client.Object,
			...client.SubResourceCreateOption) error {
			tries++
			return apierrors.NewTooManyRequests("the budget allows none", 0)
		},
	})
	clock := clocktesting.NewFakePassiveClock(noon)
	r.Clock = clock
	const minute = 60
	for second := range minute {
		clock.SetTime(noon.Add(time.Duration(second) * time.Second))
		again, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "n"}})
		if err != nil {
			t.Fatal(err)
		}
		if again.RequeueAfter <= 0 || again.RequeueAfter > retry.Last {
			t.Fatalf("it is looked at again after %s", again.RequeueAfter)
		}
	}
	if tries < 8 || tries > 9 {
		t.Errorf("%d evictions in a minute, want those at 0, 1, 3, 7, 15, 25, 35, 45 and 55 seconds", tries)
	}
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "db"}}
	looser := budget.DeepCopy()
	looser.Status.DisruptionsAllowed = 1
	if !loosens().Update(event.UpdateEvent{ObjectOld: budget, ObjectNew: looser}) {
		t.Error("a budget that lets a pod go is no news")
	}
	before := tries
	for _, request := range r.loosened(t.Context(), looser) {
		if _, err := r.Reconcile(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	if tries != before+1 {
		t.Errorf("%d evictions when the budget lets a pod go, want one at once", tries-before)
	}
	if cloud.asked > 0 {
		t.Errorf("the cloud was asked %d times for the machine of a ready node", cloud.asked)
	}
}

// TestTheDeadlineHoldsFromTheFirstLookOn has somebody delete a Node: its claim follows, but nobody has written down on
// it yet when the drain has to be over.
func TestTheDeadlineHoldsFromTheFirstLookOn(t *testing.T) {
	t.Parallel()
	claim := goingClaim()
	claim.Spec.TerminationGracePeriod = &metav1.Duration{Duration: 40 * time.Second}
	r := goingNode(
		t,
		&shop{state: provider.Running},
		podNamed("db-0", on("n"), doNotDisrupt("true"), graceOf(30)),
		claim,
	)
	got, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "n"}})
	if err != nil || got.RequeueAfter != 10*time.Second {
		t.Errorf(
			"it is looked at again after %s (%v), want 10s: then the pod must begin to stop",
			got.RequeueAfter,
			err,
		)
	}
}

func TestANewDeadlineWakesTheDrain(t *testing.T) {
	t.Parallel()
	before := goingClaim()
	before.Status.NodeName = "n"
	after := before.DeepCopy()
	after.Annotations = map[string]string{
		karpenterv1.NodeClaimTerminationTimestampAnnotationKey: "2026-01-01T12:00:00Z",
	}
	if !rescheduled().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}) ||
		rescheduled().Update(event.UpdateEvent{ObjectOld: after, ObjectNew: after.DeepCopy()}) {
		t.Error("a change of the deadline is news, and nothing else is")
	}
	if got := ofClaim(t.Context(), after); len(got) != 1 || got[0].Name != "n" {
		t.Errorf("it wakes %v, want n", got)
	}
}

func TestAPodThatNoLongerHoldsUpTheDrainWakesIt(t *testing.T) {
	t.Parallel()
	before := podNamed("job", on("n"), doNotDisrupt("true"))
	for what, tc := range map[string]struct {
		after *corev1.Pod
		want  bool
	}{
		"it has finished": {podNamed("job", on("n"), doNotDisrupt("true"), finished), true},
		"it is not kept":  {podNamed("job", on("n")), true},
		"its status was told": {podNamed("job", on("n"), doNotDisrupt("true"),
			func(p *corev1.Pod) { p.Status.PodIP = "10.0.0.1" }), false},
	} {
		if got := freed().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: tc.after}); got != tc.want {
			t.Errorf("%s: news %v, want %v", what, got, tc.want)
		}
	}
	if !freed().Delete(event.DeleteEvent{Object: before}) {
		t.Error("that it is gone is no news")
	}
}
