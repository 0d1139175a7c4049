package lifecycle

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// TestANodeThatWasMadeAnewIsTakenInAgain plays a Node that somebody deleted by force: its kubelet registers once more,
// with the taint that keeps pods off until we take it away.
func TestANodeThatWasMadeAnewIsTakenInAgain(t *testing.T) {
	t.Parallel()
	claim := aged(
		time.Hour,
		holds(karpenterv1.ConditionLaunched, time.Hour),
		holds(karpenterv1.ConditionRegistered, time.Hour),
		holds(karpenterv1.ConditionInitialized, time.Hour),
	)
	claim.Labels = map[string]string{karpenterv1.NodePoolLabelKey: "general"}
	claim.Status.ProviderID, claim.Status.NodeName = "test://a", "a"
	node := readyNode("a", carrying(karpenterv1.UnregisteredTaintKey, corev1.TaintEffectNoExecute))
	node.CreationTimestamp = ago(time.Minute)
	s := newStage(t, interceptor.Funcs{}, claim, &node)
	outcomes := 0
	s.Outcome = func(string, bool) { outcomes++ }
	for range 3 {
		if err := s.reconcile(t); err != nil {
			t.Fatal(err)
		}
	}
	got := &corev1.Node{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, got); err != nil {
		t.Fatal(err)
	}
	for _, label := range []string{karpenterv1.NodeRegisteredLabelKey, karpenterv1.NodeInitializedLabelKey} {
		if got.Labels[label] != "true" {
			t.Errorf("the node has no label %s", label)
		}
	}
	if len(got.Spec.Taints) != 0 || got.Labels[karpenterv1.NodePoolLabelKey] != "general" ||
		len(got.Finalizers) != 1 {
		t.Errorf(
			"taints %v, labels %v, finalizers %v: it is not a node of the pool",
			got.Spec.Taints,
			got.Labels,
			got.Finalizers,
		)
	}
	if outcomes != 0 {
		t.Errorf("it counts as %d launches that joined", outcomes)
	}
	if n := testutil.ToFloat64(s.Metrics.Nodes.Created.WithLabelValues("general", "")); n != 1 {
		t.Errorf("nodes_created_total is %v, want 1: it is another Node", n)
	}
}

// TestAClaimWhoseNodeWasDeletedByForceSaysSoAndIsGivenUp plays one whose machine runs on and whose kubelet never
// registers again.
func TestAClaimWhoseNodeWasDeletedByForceSaysSoAndIsGivenUp(t *testing.T) {
	t.Parallel()
	claim := aged(
		time.Hour,
		holds(karpenterv1.ConditionLaunched, time.Hour),
		holds(karpenterv1.ConditionRegistered, time.Hour),
		holds(karpenterv1.ConditionInitialized, time.Hour),
	)
	claim.Status.ProviderID, claim.Status.NodeName = "test://a", "a"
	s := newStage(t, interceptor.Funcs{}, claim)
	if err := s.reconcile(t); err != nil {
		t.Fatal(err)
	}
	got := s.claim(t)
	said := condition.Get(got, karpenterv1.ConditionRegistered)
	if said.Status != metav1.ConditionUnknown || said.Reason != karpenterv1.ReasonNodeNotFound ||
		condition.IsTrue(got, condition.Ready) {
		t.Errorf("the claim says %v, and Ready %v", said, condition.Get(got, condition.Ready))
	}
	if len(s.deleted) > 0 {
		t.Errorf("deleted at once: %v", s.deleted)
	}
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{rejoinWithin - time.Second, 0}, {rejoinWithin, 1}} {
		s.Clock = clocktesting.NewFakePassiveClock(noon.Add(step.after))
		if err := s.reconcile(t); err != nil {
			t.Fatal(err)
		}
		if len(s.deleted) != step.want {
			t.Errorf("after %s: deleted %v", step.after, s.deleted)
		}
	}
}

// TestANodeThatOnlyTheCacheHasLostIsNotGivenUp has a watch that is behind, and an API server that does not answer.
func TestANodeThatOnlyTheCacheHasLostIsNotGivenUp(t *testing.T) {
	t.Parallel()
	claim := aged(
		time.Hour,
		holds(karpenterv1.ConditionLaunched, time.Hour),
		holds(karpenterv1.ConditionRegistered, time.Hour),
		holds(karpenterv1.ConditionInitialized, time.Hour),
	)
	claim.Status.ProviderID, claim.Status.NodeName = "test://a", "a"
	lost := claim.DeepCopy()
	condition.Set(lost, noon.Add(-time.Hour), missing(lost))
	node := readyNode("a")
	for name, c := range map[string]*karpenterv1.NodeClaim{"JustSeen": claim, "Due": lost} {
		s := newStage(t, interceptor.Funcs{}, c.DeepCopy())
		there := newStage(t, interceptor.Funcs{}, node.DeepCopy())
		s.Live = there.Client
		before := condition.Get(s.claim(t), karpenterv1.ConditionRegistered).Status
		if err := s.reconcile(
			t,
		); err != nil || len(s.deleted) > 0 ||
			condition.Get(s.claim(t), karpenterv1.ConditionRegistered).Status != before {
			t.Errorf(
				"%s: deleted %v, %v, %v",
				name,
				s.deleted,
				condition.Get(s.claim(t), karpenterv1.ConditionRegistered),
				err,
			)
		}
		s.Live = newStage(
			t,
			interceptor.Funcs{
				Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
					return errors.New("too many requests")
				},
			},
		).Client
		if err := s.reconcile(t); err == nil || len(s.deleted) > 0 {
			t.Errorf("%s: nobody knows, and it was deleted: %v, %v", name, s.deleted, err)
		}
	}
}

// TestLabelsThatWereTakenOffComeBack has somebody strip a node of ours; startup taints that are gone do not come with
// them.
func TestLabelsThatWereTakenOffComeBack(t *testing.T) {
	t.Parallel()
	claim := aged(
		time.Hour,
		holds(karpenterv1.ConditionLaunched, time.Hour),
		holds(karpenterv1.ConditionRegistered, time.Hour),
		holds(karpenterv1.ConditionInitialized, time.Hour),
	)
	claim.Status.ProviderID, claim.Status.NodeName = "test://a", "a"
	claim.Spec.StartupTaints = []karpenterv1.Taint{{Key: "warming", Effect: corev1.TaintEffectNoSchedule}}
	node := readyNode("a")
	node.CreationTimestamp = ago(2 * time.Hour)
	s := newStage(t, interceptor.Funcs{}, claim, &node)
	for range 3 {
		if err := s.reconcile(t); err != nil {
			t.Fatal(err)
		}
	}
	got := &corev1.Node{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Name: "a"}, got); err != nil {
		t.Fatal(err)
	}
	if got.Labels[karpenterv1.NodeRegisteredLabelKey] != "true" ||
		got.Labels[karpenterv1.NodeInitializedLabelKey] != "true" ||
		len(got.Spec.Taints) > 0 {
		t.Errorf("labels %v, taints %v", got.Labels, got.Spec.Taints)
	}
}
