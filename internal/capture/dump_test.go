package capture_test

import (
	"bytes"
	"testing"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	"github.com/dovetail-sh/dovetail/internal/capture"
	"github.com/dovetail-sh/dovetail/internal/controller/buffer"
	"github.com/dovetail-sh/dovetail/internal/daemon"
	"github.com/dovetail-sh/dovetail/internal/manifest"
)

// Without its buffers and budgets a cluster has room to spare that nobody may take, and pods that may go at once.
func TestADumpHasBuffersAndBudgets(t *testing.T) {
	t.Parallel()
	replicas := int32(3)
	shape := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "spare"}}
	shape.Template.Spec.Containers = []corev1.Container{{Name: "spare", Image: "spare"}}
	asks := &autoscalingv1beta1.CapacityBuffer{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "headroom"}}
	asks.Spec.PodTemplateRef = &autoscalingv1beta1.LocalObjectRef{Name: "spare"}
	asks.Spec.Replicas = &replicas
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	cluster := fake.NewClientBuilder().WithScheme(daemon.Scheme()).WithObjects(shape, asks, budget).Build()

	text, missing, err := capture.Dump(t.Context(), cluster, daemon.Scheme(), "")
	if err != nil || len(missing) > 0 {
		t.Fatalf("missing %q: %v", missing, err)
	}
	set, err := manifest.Read([]string{"-"}, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(set.CapacityBuffers) != 1 || len(set.Budgets) != 1 {
		t.Fatalf(
			"%d buffers and %d budgets were read back, want one of each",
			len(set.CapacityBuffers),
			len(set.Budgets),
		)
	}
	if _, n, err := buffer.Asked(t.Context(), set, set.CapacityBuffers[0]); n != 3 || err != nil {
		t.Errorf("the buffer asks for %d pods (%v), want 3", n, err)
	}
}
