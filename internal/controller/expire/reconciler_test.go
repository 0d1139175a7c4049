package expire

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/hold"
)

var born = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestReconcile(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why     string
		after   karpenterv1.NillableDuration
		leaving bool
		age     time.Duration
		deleted bool
		again   time.Duration
	}{
		"Young": {
			"The claim comes back exactly when it is due.",
			karpenterv1.After(time.Hour),
			false,
			20 * time.Minute,
			false,
			40 * time.Minute,
		},
		"Due":   {"At its age it goes.", karpenterv1.After(time.Hour), false, time.Hour, true, 0},
		"Never": {"Never means never.", karpenterv1.NillableDuration{}, false, 10_000 * time.Hour, false, 0},
		"Leaving": {
			"A claim that is going already is left alone.",
			karpenterv1.After(time.Hour),
			true,
			2 * time.Hour,
			false,
			0,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claim := &karpenterv1.NodeClaim{}
			claim.Name, claim.CreationTimestamp = "c", metav1.NewTime(born)
			claim.Spec.ExpireAfter = tc.after
			if tc.leaving {
				now := metav1.NewTime(born)
				claim.DeletionTimestamp, claim.Finalizers = &now, []string{karpenterv1.TerminationFinalizer}
			}
			deleted := false
			r := &Reconciler{Deps{
				Client: fakeClient(t, claim),
				Clock:  testclock.NewFakePassiveClock(born.Add(tc.age)),
				Delete: func(_ context.Context, c *karpenterv1.NodeClaim, reason string) error {
					deleted = c.Name == "c" && reason == "expired"
					return nil
				},
			}}
			got, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(claim)})
			if err != nil {
				t.Fatal(err)
			}
			if deleted != tc.deleted || got.RequeueAfter != tc.again {
				t.Errorf(
					"%s\ndeleted %v, again after %s; want %v, %s",
					tc.why,
					deleted,
					got.RequeueAfter,
					tc.deleted,
					tc.again,
				)
			}
		})
	}
}

// With the annotation on its pool an expired node is drift's business, once it is in use.
func TestGracefulPoolsReplaceFirst(t *testing.T) {
	t.Parallel()
	for initialized, wantDeleted := range map[bool]bool{true: false, false: true} {
		pool := &karpenterv1.NodePool{}
		pool.Name, pool.Annotations = "general", map[string]string{AnnotationGraceful: "true"}
		claim := &karpenterv1.NodeClaim{}
		claim.Name, claim.CreationTimestamp, claim.Labels = "c", metav1.NewTime(
			born,
		), map[string]string{
			karpenterv1.NodePoolLabelKey: "general",
		}
		claim.Spec.ExpireAfter = karpenterv1.After(time.Hour)
		if initialized {
			claim.Status.Conditions = []metav1.Condition{
				{Type: karpenterv1.ConditionInitialized, Status: metav1.ConditionTrue},
			}
		}
		deleted := false
		r := &Reconciler{Deps{
			Client: fakeClient(t, claim, pool), Clock: testclock.NewFakePassiveClock(born.Add(2 * time.Hour)),
			Delete: func(context.Context, *karpenterv1.NodeClaim, string) error { deleted = true; return nil },
		}}
		if _, err := r.Reconcile(
			t.Context(),
			reconcile.Request{NamespacedName: client.ObjectKeyFromObject(claim)},
		); err != nil {
			t.Fatal(err)
		}
		if deleted != wantDeleted {
			t.Errorf("initialized %v: deleted %v", initialized, deleted)
		}
	}
}

func fakeClient(t *testing.T, objects ...client.Object) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := karpenterv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build()
}

func TestAHeldPoolsClaimsDoNotExpire(t *testing.T) {
	t.Parallel()
	claim, pool := &karpenterv1.NodeClaim{}, &karpenterv1.NodePool{}
	claim.Name, claim.CreationTimestamp, claim.Spec.ExpireAfter = "c", metav1.NewTime(
		born,
	), karpenterv1.After(
		time.Hour,
	)
	claim.Labels = map[string]string{karpenterv1.NodePoolLabelKey: "general"}
	pool.Name = "general"
	pool.Annotations = map[string]string{hold.AnnotationUntil: born.Add(3 * time.Hour).Format(time.RFC3339)}
	clock := testclock.NewFakePassiveClock(born.Add(3*time.Hour - 20*time.Second))
	deleted := false
	r := &Reconciler{
		Deps{
			Client: fakeClient(t, claim, pool),
			Clock:  clock,
			Delete: func(context.Context, *karpenterv1.NodeClaim, string) error {
				deleted = true
				return nil
			},
		},
	}
	req := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(claim)}
	if got, err := r.Reconcile(t.Context(), req); err != nil || deleted || got.RequeueAfter != 20*time.Second {
		t.Errorf(
			"while it is held: deleted %t, again after %s (%v); want to come back in 20s",
			deleted,
			got.RequeueAfter,
			err,
		)
	}
	clock.SetTime(born.Add(3 * time.Hour))
	if _, err := r.Reconcile(t.Context(), req); err != nil || !deleted {
		t.Errorf("when the hold is over: deleted %t (%v)", deleted, err)
	}
}
