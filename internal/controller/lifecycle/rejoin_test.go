package lifecycle

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
)

// TestANodeThatWasMadeAnewIsTakenInAgain plays a Node that somebody deleted by force: its kubelet registers once more, with the
// taint that keeps pods off until we take it away.
func TestANodeThatWasMadeAnewIsTakenInAgain(t *testing.T) {
	t.Parallel()
	claim := aged(time.Hour, holds(karpenterv1.ConditionLaunched, time.Hour), holds(karpenterv1.ConditionRegistered, time.Hour), holds(karpenterv1.ConditionInitialized, time.Hour))
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
	if len(got.Spec.Taints) != 0 || got.Labels[karpenterv1.NodePoolLabelKey] != "general" || len(got.Finalizers) != 1 {
		t.Errorf("taints %v, labels %v, finalizers %v: it is not a node of the pool", got.Spec.Taints, got.Labels, got.Finalizers)
	}
	if outcomes != 0 {
		t.Errorf("it counts as %d launches that joined", outcomes)
	}
	if n := testutil.ToFloat64(s.Metrics.Nodes.Created.WithLabelValues("general", "")); n != 1 {
		t.Errorf("nodes_created_total is %v, want 1: it is another Node", n)
	}
}
