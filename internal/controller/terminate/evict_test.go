package terminate

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

func TestDrainedPodsAreCountedByWhyTheirNodeGoes(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	chosen, deleted := &karpenterv1.NodeClaim{}, &karpenterv1.NodeClaim{}
	condition.TrueBecause(chosen, noon, karpenterv1.ConditionDisruptionReason, string(karpenterv1.DisruptionReasonDrifted), "It has drifted.")
	condition.TrueBecause(deleted, noon, karpenterv1.ConditionDisruptionReason, string(karpenterv1.DisruptionReasonDrifted), "It has drifted.")
	condition.Clear(deleted, karpenterv1.ConditionDisruptionReason)
	a, b := podNamed("a"), podNamed("b")
	clock := clocktesting.NewFakeClock(noon)
	r := &Nodes{Deps: Deps{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(a, b).Build(), Clock: clock,
		Events: observe.NewRecorder(record.NewFakeRecorder(10), clock), Metrics: observe.NewMetrics(),
	}}
	for _, e := range []struct {
		pod   *corev1.Pod
		claim *karpenterv1.NodeClaim
	}{{a, chosen}, {b, deleted}, {podNamed("gone"), chosen}} {
		if err := r.evict(t.Context(), e.pod, e.claim); err != nil {
			t.Fatal(err)
		}
	}
	for reason, want := range map[string]float64{"Drifted": 1, "Forceful Termination": 1} {
		if got := testutil.ToFloat64(r.Metrics.Pods.Drained.WithLabelValues(reason)); got != want {
			t.Errorf("pods_drained_total{reason=%q} is %v, want %v: the pod that was gone already does not count", reason, got, want)
		}
	}
}
