package lifecycle

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// written counts writes by what they write.
func written(count map[string]int) interceptor.Funcs {
	return interceptor.Funcs{
		Patch: func(
			ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption,
		) error {
			if _, node := o.(*corev1.Node); node {
				count["node"]++
			} else {
				count["claim"]++
			}
			return c.Patch(ctx, o, p, opts...)
		},
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			count[sub]++
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	}
}

// A launch says in one write what it bought and what is waited for. A node that is ready when it is first seen is made
// the claim's and ready for pods by one write to it and one to the claim.
func TestEachStepWritesOnce(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	claim := aged(0)
	claim.Finalizers = []string{karpenterv1.TerminationFinalizer}
	s := newStage(t, written(count), claim)
	step := func(what string, want map[string]int) {
		t.Helper()
		clear(count)
		for range 2 { // the second look finds nothing to do
			if err := s.reconcile(t); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, count); diff != "" {
			t.Errorf("%s: writes: -want +got\n%s", what, diff)
		}
	}
	step("launched", map[string]int{"claim": 1, "status": 1})
	waits := condition.Get(s.claim(t), karpenterv1.ConditionRegistered)
	if waits == nil || waits.Reason != karpenterv1.ReasonNodeNotFound {
		t.Errorf("the claim does not say that it waits for its node: %+v", waits)
	}
	node := readyNode("a", carrying(karpenterv1.UnregisteredTaintKey, corev1.TaintEffectNoExecute))
	node.Spec.ProviderID = s.claim(t).Status.ProviderID
	if err := s.Client.Create(t.Context(), &node); err != nil {
		t.Fatal(err)
	}
	step("joined", map[string]int{"node": 1, "status": 1})
	if c := s.claim(t); !condition.IsTrue(c, karpenterv1.ConditionReady) {
		t.Errorf("conditions: %+v", c.Status.Conditions)
	}
}

// What a node waits for while it starts changes by the moment. The claim says at once that it waits, and for what; that
// it is something else by now it says when that has lasted.
func TestObstaclesOfAMomentAreNotWritten(t *testing.T) {
	t.Parallel()
	count := map[string]int{}
	node := readyNode("a", notReady)
	claim := aged(0, holds(karpenterv1.ConditionLaunched, 0))
	claim.Finalizers = []string{karpenterv1.TerminationFinalizer}
	claim.Status.ProviderID = node.Spec.ProviderID
	s := newStage(t, written(count), claim, &node)
	look := func(reason string, writes int) (again time.Duration) {
		t.Helper()
		clear(count)
		result, err := s.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(claim)})
		if err != nil {
			t.Fatal(err)
		}
		if c := condition.Get(s.claim(t), karpenterv1.ConditionInitialized); c == nil || c.Reason != reason {
			t.Errorf("the claim waits for %+v, want %s", c, reason)
		}
		if count["status"] != writes {
			t.Errorf("%s: %d writes of the status, want %d", reason, count["status"], writes)
		}
		return result.RequeueAfter
	}
	look(karpenterv1.ReasonNodeNotReady, 1)
	now := &corev1.Node{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, now); err != nil {
		t.Fatal(err)
	}
	now.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}}
	if err := s.Client.Update(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	now.Status.Conditions[0].Status = corev1.ConditionTrue
	if err := s.Client.Status().Update(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	if again := look(karpenterv1.ReasonNodeNotReady, 0); again != settlesWithin {
		t.Errorf("it is looked at again after %s, want %s", again, settlesWithin)
	}
	clock, ok := s.Clock.(*clocktesting.FakePassiveClock)
	if !ok {
		t.Fatalf("the clock is a %T", s.Clock)
	}
	clock.SetTime(noon.Add(settlesWithin))
	look(karpenterv1.ReasonKnownEphemeralTaintsExist, 1)
}
