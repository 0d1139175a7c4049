package static

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// TestANodeThatFailsUsesTheBudgetUp has three of five nodes under a budget of 2 not ready, not in use yet, and chosen:
// none more may be chosen for drift.
func TestANodeThatFailsUsesTheBudgetUp(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), karpenterv1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	replicas := int64(5)
	pool := &karpenterv1.NodePool{}
	pool.Name, pool.Spec.Replicas = "fixed", &replicas
	pool.Spec.Disruption.Budgets = []karpenterv1.Budget{{Nodes: "2"}}
	pool.Spec.Limits = corev1.ResourceList{corev1.ResourceName(shape.LimitNodes): resource.MustParse("1e30")}
	objects := []client.Object{pool}
	add := func(name string, ready corev1.ConditionStatus, change ...func(*member)) {
		m := one(name, change...)
		m.claim.Labels = map[string]string{karpenterv1.NodePoolLabelKey: "fixed"}
		m.claim.Status.NodeName = name
		n := &corev1.Node{}
		n.Name, n.Labels = name, m.claim.Labels
		n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}
		objects = append(objects, m.claim, n)
	}
	add("a", corev1.ConditionTrue)
	add("b", corev1.ConditionTrue)
	add("failing", corev1.ConditionUnknown)
	add("starting", corev1.ConditionFalse, notInitialized)
	add("chosen", corev1.ConditionFalse, with(karpenterv1.ConditionDisruptionReason))
	r := New(Deps{
		Client: fake.NewClientBuilder().
			WithScheme(scheme).
			WithObjects(objects...).
			Build(),
		Clock:    clocktesting.NewFakePassiveClock(noon),
		Snapshot: func() shape.Snapshot { return shape.Snapshot{} },
		Types:    func(context.Context, *karpenterv1.NodePool) ([]*shape.InstanceType, error) { return nil, nil },
	})
	s, err := r.see(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.members) != 5 || s.drift.left != 0 {
		t.Errorf(
			"%d members, budget %d; want 5 and 0: one fails and one is chosen of the two that may",
			len(s.members),
			s.drift.left,
		)
	}
	if s.limit < 1_000_000 {
		t.Errorf("the limit is %d nodes, want one that is out of reach", s.limit)
	}
}
