package transition

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newObserver(t *testing.T) (*Observer, *record.FakeRecorder) {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := karpenterv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	sink := record.NewFakeRecorder(10)
	clock := clocktesting.NewFakePassiveClock(noon)
	return &Observer{
		Deps{
			Events: observe.NewRecorder(
				sink,
				clock,
			),
			Metrics: observe.NewMetrics().Status,
			Clock:   clock,
			Scheme:  scheme,
			Active:  func() bool { return true },
		},
	}, sink
}

func TestATransitionIsAnEventAndACount(t *testing.T) {
	t.Parallel()
	o, sink := newObserver(t)
	before := &karpenterv1.NodeClaim{}
	before.Name = "general-1"
	condition.Unknown(
		before,
		noon.Add(-30*time.Second),
		karpenterv1.ConditionRegistered,
		"NodeNotFound",
		"No node yet.",
	)
	after := before.DeepCopy()
	condition.True(after, noon, karpenterv1.ConditionRegistered)
	condition.Unknown(after, noon, karpenterv1.ConditionInitialized, "NodeNotReady", "Not yet.")

	kind := schema.GroupKind{Group: karpenterv1.Group, Kind: "NodeClaim"}
	o.changed(kind, before, after)
	if got := <-sink.Events; got != "Normal Registered Registered is now True." {
		t.Errorf("event %q", got)
	}
	if len(sink.Events) != 0 {
		t.Errorf("a condition that begins as Unknown is no news: %q", <-sink.Events)
	}
	if got := testutil.ToFloat64(
		o.Metrics.All.Transitions.WithLabelValues(karpenterv1.Group, "NodeClaim", "Registered", "True", "Registered"),
	); got != 1 {
		t.Errorf("%v transitions, want 1", got)
	}
	if got := testutil.ToFloat64(
		o.Metrics.ByKind["NodeClaim"].Transitions.WithLabelValues("Registered", "True", "Registered"),
	); got != 1 {
		t.Errorf("%v transitions of NodeClaims, want 1", got)
	}
	times := o.Metrics.All.TransitionTime
	held := times.WithLabelValues(karpenterv1.Group, "NodeClaim", "Registered", "Unknown", "True")
	var m dto.Metric
	if err := held.(prometheus.Metric).Write(&m); err != nil || m.GetHistogram().GetSampleSum() != 30 {
		t.Errorf(
			"Registered was Unknown for %v s before it was True (%v), want 30",
			m.GetHistogram().GetSampleSum(),
			err,
		)
	}
	o.changed(kind, after, after)
	if len(sink.Events) != 0 {
		t.Errorf("nothing changed, and %q was said", <-sink.Events)
	}
}

func TestGaugesFollowWhatThereIs(t *testing.T) {
	t.Parallel()
	o, _ := newObserver(t)
	claim := &karpenterv1.NodeClaim{}
	claim.Name = "general-1"
	condition.True(claim, noon.Add(-time.Minute), karpenterv1.ConditionLaunched)
	c := fake.NewClientBuilder().WithScheme(o.Scheme).WithObjects(claim).Build()
	if err := o.Refresh(t.Context(), c, &karpenterv1.NodeClaimList{}); err != nil {
		t.Fatal(err)
	}
	gauge := o.Metrics.All.CurrentTime.WithLabelValues(
		karpenterv1.Group,
		"NodeClaim",
		"",
		"general-1",
		"Launched",
		"True",
		"Launched",
	)
	if got := testutil.ToFloat64(gauge); got != 60 {
		t.Errorf("Launched for %v s, want 60", got)
	}
	if err := c.Delete(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	if err := o.Refresh(t.Context(), c, &karpenterv1.NodeClaimList{}); err != nil {
		t.Fatal(err)
	}
	if n := testutil.CollectAndCount(o.Metrics.All.CurrentTime); n != 0 {
		t.Errorf("%d series of objects that are gone", n)
	}
}
