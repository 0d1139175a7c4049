package terminate

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

func TestDrainedPodsAreCountedByWhyTheirNodeGoes(t *testing.T) {
	t.Parallel()
	chosen, deleted := &karpenterv1.NodeClaim{}, &karpenterv1.NodeClaim{}
	condition.TrueBecause(
		chosen,
		noon,
		karpenterv1.ConditionDisruptionReason,
		string(karpenterv1.DisruptionReasonDrifted),
		"It has drifted.",
	)
	condition.TrueBecause(
		deleted,
		noon,
		karpenterv1.ConditionDisruptionReason,
		string(karpenterv1.DisruptionReasonDrifted),
		"It has drifted.",
	)
	condition.Clear(deleted, karpenterv1.ConditionDisruptionReason)
	a, b := podNamed("a"), podNamed("b")
	r := nodesWith(t, a, b)
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
			t.Errorf(
				"pods_drained_total{reason=%q} is %v, want %v: the pod that was gone already does not count",
				reason,
				got,
				want,
			)
		}
	}
}

func TestPodsThatAreDeletedByADeadlineCountAsDrained(t *testing.T) {
	t.Parallel()
	pod := podNamed("a")
	r := nodesWith(t, pod)
	for range 2 { // the second time it is gone
		if err := r.kill(t.Context(), killing{pod: pod}, &karpenterv1.NodeClaim{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := testutil.ToFloat64(r.Metrics.Pods.Drained.WithLabelValues("Forceful Termination")); got != 1 {
		t.Errorf("pods_drained_total is %v, want 1", got)
	}
}

// nodesWith drains in a cluster of these objects.
func nodesWith(t *testing.T, objects ...client.Object) *Nodes {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	clock := clocktesting.NewFakeClock(noon)
	return &Nodes{Deps: Deps{
		Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(), Clock: clock,
		Events: observe.NewRecorder(record.NewFakeRecorder(10), clock), Metrics: observe.NewMetrics(),
	}}
}

func TestADrainLetsTheSchedulerPlaceThePodsThatAreHardToPlace(t *testing.T) {
	t.Parallel()
	choosy := podNamed("choosy", func(p *corev1.Pod) {
		p.UID, p.Spec.NodeSelector = "choosy", map[string]string{corev1.LabelArchStable: "arm64"}
	})
	plain := podNamed("plain")
	cases := map[string]struct {
		why     string
		refused bool
		want    []string // that are left
	}{
		"Asked": {"One was evicted: the other waits a second.", false, []string{"plain"}},
		"Refused": {
			"A PodDisruptionBudget keeps the first: the other does not wait for it.",
			true,
			[]string{"choosy"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := nodesWith(t, choosy.DeepCopy(), plain.DeepCopy())
			if tc.refused {
				r.Client = interceptor.NewClient(
					r.Client.(client.WithWatch),
					interceptor.Funcs{SubResourceCreate: guarded},
				)
			}
			again, err := r.carryOut(
				t.Context(),
				&corev1.Node{},
				&karpenterv1.NodeClaim{},
				drain{evict: []*corev1.Pod{choosy, plain}},
				time.Time{},
			)
			if err != nil || again <= 0 {
				t.Fatalf("again in %s, %v", again, err)
			}
			var left corev1.PodList
			if err := r.Client.List(t.Context(), &left); err != nil {
				t.Fatal(err)
			}
			got := []string{}
			for _, p := range left.Items {
				got = append(got, p.Name)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

// guarded refuses the eviction of one pod.
func guarded(
	ctx context.Context,
	c client.Client,
	sub string,
	pod, eviction client.Object,
	options ...client.SubResourceCreateOption,
) error {
	if pod.GetName() == "choosy" {
		return apierrors.NewTooManyRequests("a budget allows none", 1)
	}
	return c.SubResource(sub).Create(ctx, pod, eviction, options...)
}
