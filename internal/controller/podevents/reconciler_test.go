package podevents

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/lookup"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func TestTheNoteIsTheTimeOfTheEventHoweverLateItIsWritten(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := karpenterv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	claim := &karpenterv1.NodeClaim{}
	claim.Name, claim.Status.NodeName = "c", "n"
	builder := fake.NewClientBuilder().WithScheme(scheme).WithStatusSubresource(claim).WithObjects(claim)
	for _, i := range lookup.Indexes() {
		if _, ours := i.Object.(*karpenterv1.NodeClaim); ours {
			builder = builder.WithIndex(i.Object, i.Field, i.Values)
		}
	}
	kube := builder.Build()
	clock := testclock.NewFakeClock(noon)
	r := &Reconciler{Client: kube, Clock: clock}
	req := reconcile.Request{NamespacedName: types.NamespacedName{Name: "n"}}
	pod := &corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}}
	step := func(wantNote time.Time, wantAgain time.Duration) {
		t.Helper()
		got, err := r.Reconcile(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(claim), claim); err != nil {
			t.Fatal(err)
		}
		if note := claim.Status.LastPodEventTime; note == nil || !note.Time.Equal(wantNote) ||
			got.RequeueAfter != wantAgain {
			t.Fatalf("the note is %v, again after %s; want %s, %s", note, got.RequeueAfter, wantNote, wantAgain)
		}
	}

	r.nodeOf(t.Context(), pod)
	step(noon, 0)
	clock.Step(4 * time.Second)
	r.nodeOf(t.Context(), pod)
	step(noon, 6*time.Second) // too soon for another write
	clock.Step(6 * time.Second)
	step(noon.Add(4*time.Second), 0)
	clock.Step(time.Minute)
	step(noon.Add(4*time.Second), 0) // nothing has happened since
}

func TestWhatCountsAsAnEvent(t *testing.T) {
	t.Parallel()
	pending, bound, done := &corev1.Pod{}, &corev1.Pod{
		Spec: corev1.PodSpec{NodeName: "n"},
	}, &corev1.Pod{
		Spec: corev1.PodSpec{NodeName: "n"},
	}
	done.Status.Phase = corev1.PodSucceeded
	going := bound.DeepCopy()
	going.DeletionTimestamp = &metav1.Time{Time: noon}
	yes := true
	daemonGoing := going.DeepCopy()
	daemonGoing.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Controller: &yes}}
	cases := map[string]struct {
		before, after *corev1.Pod
		counts        bool
	}{
		"Bound":     {pending, bound, true},
		"Finished":  {bound, done, true},
		"Leaving":   {bound, going, true},
		"Heartbeat": {bound, bound, false},
		"Daemon":    {bound, daemonGoing, false},
	}
	for name, tc := range cases {
		if got := counts().Update(event.UpdateEvent{ObjectOld: tc.before, ObjectNew: tc.after}); got != tc.counts {
			t.Errorf("%s counts: got %v, want %v", name, got, tc.counts)
		}
	}
	if counts().Create(event.CreateEvent{Object: bound}) {
		t.Error("pods that are there when the daemon starts are no events")
	}
}
