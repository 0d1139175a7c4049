package terminate

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/translate"
	"github.com/dovetail-sh/dovetail/provider"
)

// ahead is the API server where a test's client is a cache that does not show everything yet.
type ahead struct {
	client.Reader
	pods   []corev1.Pod
	claims []karpenterv1.NodeClaim
	node   *corev1.Node // in place of the cache's
	fail   error
}

func (a ahead) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	switch l := list.(type) {
	case *corev1.PodList:
		l.Items = a.pods
	case *karpenterv1.NodeClaimList:
		l.Items = a.claims
	default:
		return a.Reader.List(ctx, list, opts...)
	}
	return a.fail
}

func (a ahead) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if node, ok := o.(*corev1.Node); ok && a.node != nil {
		a.node.DeepCopyInto(node)
		return a.fail
	}
	return errors.Join(a.fail, a.Reader.Get(ctx, key, o, opts...))
}

// TestNoMachineIsEndedUnderAPodThatTheCacheDoesNotShow drains a node that looks empty.
func TestNoMachineIsEndedUnderAPodThatTheCacheDoesNotShow(t *testing.T) {
	t.Parallel()
	db := *podNamed("db-0", on("n"), func(p *corev1.Pod) { p.UID = types.UID("1") })
	kept := *db.DeepCopy()
	kept.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}
	cases := map[string]struct {
		why   string
		live  ahead
		ended bool
		fails bool
	}{
		"Empty":   {"Nothing is on it.", ahead{}, true, false},
		"Pod":     {"It is asked to go first.", ahead{pods: []corev1.Pod{db}}, false, false},
		"HeldPod": {"It is waited for.", ahead{pods: []corev1.Pod{kept}}, false, false},
		"Finished": {
			"It needs no one any more.",
			ahead{pods: []corev1.Pod{*podNamed("job", on("n"), finished)}},
			true,
			false,
		},
		"NoAnswer": {"Nobody knows what is on it.", ahead{fail: errors.New("too many requests")}, false, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := &shop{state: provider.Running}
			r := goingNode(t, cloud, goingClaim())
			tc.live.Reader = r.Client
			r.Live = tc.live
			_, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "n"}})
			if (err != nil) != tc.fails || (cloud.told > 0) != tc.ended {
				t.Errorf("%s\nthe machine was ended: %v, want %v (%v)", tc.why, cloud.told > 0, tc.ended, err)
			}
		})
	}
}

// TestAClaimsMachineIsNotEndedUnderANodeThatTheCacheDoesNotShow ends a claim whose node the cache has lost.
func TestAClaimsMachineIsNotEndedUnderANodeThatTheCacheDoesNotShow(t *testing.T) {
	t.Parallel()
	there := &corev1.Node{}
	there.Name, there.Spec.ProviderID, there.Finalizers = "other", "test://1", []string{
		karpenterv1.TerminationFinalizer,
	}
	for name, tc := range map[string]struct {
		live  ahead
		ended bool
	}{
		"Gone":     {ahead{}, true},
		"There":    {ahead{node: there}, false},
		"NoAnswer": {ahead{node: there, fail: errors.New("too many requests")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := &shop{state: provider.Running}
			claim := goingClaim()
			claim.Status.NodeName = "other"
			claim.Status.ProviderID = "test://1"
			nodes := goingNode(t, cloud, claim)
			if err := nodes.Client.Get(t.Context(), client.ObjectKey{Name: "n"}, &corev1.Node{}); err != nil {
				t.Fatal(err)
			}
			nodes.see(t) // the node of the bench goes by itself, drained
			cloud.told = 0
			tc.live.Reader = nodes.Client
			deps := nodes.Deps
			deps.Live = tc.live
			claims := &Claims{deps}
			node := &corev1.Node{}
			if err := nodes.Client.Get(t.Context(), client.ObjectKey{Name: "n"}, node); err != nil {
				t.Fatal(err)
			}
			node.Finalizers = nil
			if err := nodes.Client.Update(t.Context(), node); err != nil {
				t.Fatal(err)
			}
			fresh := &karpenterv1.NodeClaim{}
			if err := nodes.Client.Get(t.Context(), client.ObjectKey{Name: "c"}, fresh); err != nil {
				t.Fatal(err)
			}
			fresh.Status.Conditions = nil
			if err := nodes.Client.Status().Update(t.Context(), fresh); err != nil {
				t.Fatal(err)
			}
			_, _ = claims.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "c"}})
			if (cloud.told > 0) != tc.ended {
				t.Errorf("the machine was ended: %v, want %v", cloud.told > 0, tc.ended)
			}
		})
	}
}

// TestPodsAreBuriedOnlyWhereTheAPIServerSaysSo has a node that recovered, and a claim that was made, while the cache
// was behind.
func TestPodsAreBuriedOnlyWhereTheAPIServerSaysSo(t *testing.T) {
	t.Parallel()
	recovered := &corev1.Node{}
	recovered.Name, recovered.Status.Conditions = "n", []corev1.NodeCondition{
		{Type: corev1.NodeReady, Status: corev1.ConditionTrue},
	}
	silent := recovered.DeepCopy()
	silent.Status.Conditions[0].Status = corev1.ConditionUnknown
	db := *podNamed("db-0", on("n"))
	cases := map[string]struct {
		why    string
		live   ahead
		buried bool
	}{
		"Silent":    {"It is gone.", ahead{node: silent, pods: []corev1.Pod{db}}, true},
		"Recovered": {"The cloud lists it late, and it runs.", ahead{node: recovered, pods: []corev1.Pod{db}}, false},
		"NoAnswer": {
			"Nobody knows.",
			ahead{node: silent, pods: []corev1.Pod{db}, fail: errors.New("too many requests")},
			false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := goingNode(t, &shop{}, goingClaim(), db.DeepCopy())
			node := &corev1.Node{}
			if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "n"}, node); err != nil {
				t.Fatal(err)
			}
			node.Status.Conditions[0].Status = corev1.ConditionUnknown
			if err := r.Client.Status().Update(t.Context(), node); err != nil {
				t.Fatal(err)
			}
			tc.live.Reader = r.Client
			r.Live = tc.live
			_, failed := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "n"}})
			left := &corev1.Node{}
			err := r.Client.Get(t.Context(), client.ObjectKey{Name: "n"}, left)
			if gone := err != nil; gone != tc.buried {
				t.Errorf("%s\nthe node was let go: %v, want %v (%v)", tc.why, gone, tc.buried, failed)
			}
		})
	}
}

// TestANodeIsNotAbandonedForAClaimThatTheCacheDoesNotShow keeps the finalizer.
func TestANodeIsNotAbandonedForAClaimThatTheCacheDoesNotShow(t *testing.T) {
	t.Parallel()
	r := goingNode(t, &shop{state: provider.Running})
	r.Live = ahead{Reader: r.Client, claims: []karpenterv1.NodeClaim{*goingClaim()}}
	result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "n"}})
	if err != nil || result.RequeueAfter == 0 {
		t.Errorf("again after %s, %v; want another look", result.RequeueAfter, err)
	}
	if err := r.Client.Get(t.Context(), client.ObjectKey{Name: "n"}, &corev1.Node{}); err != nil {
		t.Errorf("the node was let go: %v", err)
	}
}

// TestTheEndOfAMachineIsADeadline has a cloud that takes a machine back at a time that is known.
func TestTheEndOfAMachineIsADeadline(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return noon.Add(d).Format(time.RFC3339) }
	cases := map[string]struct {
		why         string
		period      string // annotation
		ends        string // annotation
		want        time.Duration
		never, fail bool
	}{
		"Nothing": {why: "Nobody hurries.", never: true},
		"Spot": {
			why:  "Two minutes, less what it takes a deletion to arrive.",
			ends: at(2 * time.Minute),
			want: 2*time.Minute - beforeEnd,
		},
		"Longer": {
			why:    "The user grants more than the cloud.",
			period: at(time.Hour),
			ends:   at(2 * time.Minute),
			want:   2*time.Minute - beforeEnd,
		},
		"Shorter": {
			why:    "The user grants less.",
			period: at(time.Minute),
			ends:   at(2 * time.Minute),
			want:   time.Minute,
		},
		"OnlyPeriod": {why: "The cloud takes nothing back.", period: at(time.Hour), want: time.Hour},
		"Slip": {
			why:  "A time that cannot be read has an error that says how to write one.",
			ends: "soon",
			fail: true,
		},
	}
	for name, tc := range cases {
		claim, node := goingClaim(), &corev1.Node{}
		node.DeletionTimestamp = claim.DeletionTimestamp
		claim.Annotations = map[string]string{}
		for key, value := range map[string]string{karpenterv1.NodeClaimTerminationTimestampAnnotationKey: tc.period,
			translate.AnnotationMachineEnds: tc.ends} {
			if value != "" {
				claim.Annotations[key] = value
			}
		}
		got, err := deadlineOf(claim, node)
		want := noon.Add(tc.want)
		if tc.never || tc.fail {
			want = time.Time{}
		}
		if (err != nil) != tc.fail || !got.Equal(want) {
			t.Errorf("%s: %s\ndeadline %s, want %s (%v)", name, tc.why, got, want, err)
		}
	}
}

// TestHeldPodsHaveTheirTimeBeforeTheMachineEnds plays the two minutes of a spot notice on a node with a pod that must
// not be disrupted.
func TestHeldPodsHaveTheirTimeBeforeTheMachineEnds(t *testing.T) {
	t.Parallel()
	const grace, notice = 40 * time.Second, 2 * time.Minute
	seconds := int64(grace.Seconds())
	db := podNamed("db-0", on("n"), func(p *corev1.Pod) {
		p.Annotations = map[string]string{karpenterv1.DoNotDisruptAnnotationKey: "true"}
		p.Finalizers = []string{"test/kubelet"} // it takes its time to stop
		p.Spec.TerminationGracePeriodSeconds = &seconds
	})
	claim := goingClaim()
	claim.Annotations = map[string]string{translate.AnnotationMachineEnds: noon.Add(notice).Format(time.RFC3339)}
	cloud := &shop{state: provider.Running}
	r := goingNode(t, cloud, claim, db)
	due := notice - beforeEnd - grace
	for _, step := range []struct {
		why    string
		after  time.Duration
		asked  bool
		again  time.Duration // at most
		ending bool
	}{
		{"It runs as long as it may.", 0, false, due, false},
		{"It runs as long as it may.", due - time.Second, false, time.Second, false},
		{"It has its time to stop.", due, true, 0, false},
		{"The machine ends whatever is on it.", notice - beforeEnd, true, 0, true},
	} {
		r.Clock = clocktesting.NewFakePassiveClock(noon.Add(step.after))
		result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "n"}})
		if err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{}
		if err := r.Client.Get(t.Context(), client.ObjectKeyFromObject(db), pod); err != nil {
			t.Fatal(err)
		}
		if asked := !pod.DeletionTimestamp.IsZero(); asked != step.asked || (cloud.told > 0) != step.ending {
			t.Errorf(
				"after %s: %s\nasked to stop: %v, want %v; the machine is ended: %v, want %v",
				step.after,
				step.why,
				asked,
				step.asked,
				cloud.told > 0,
				step.ending,
			)
		}
		if step.again > 0 && (result.RequeueAfter == 0 || result.RequeueAfter > step.again) {
			t.Errorf(
				"after %s: looked at again after %s, want %s at most",
				step.after,
				result.RequeueAfter,
				step.again,
			)
		}
	}
}
