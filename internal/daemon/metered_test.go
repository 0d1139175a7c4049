package daemon

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/learned"
	"github.com/dovetail-sh/dovetail/internal/lookup"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

// broken is a cloud that fails whatever it is asked.
type broken struct {
	provider.Cloud
	err error
}

func (b broken) Name() string { return "test" }

func (b broken) Launch(context.Context, provider.Order) (provider.Machine, error) {
	return provider.Machine{}, b.err
}
func (b broken) Terminate(context.Context, string) error { return b.err }
func (b broken) InstanceTypes(context.Context, karpenterv1.NodeClassReference) ([]*shape.InstanceType, error) {
	return nil, b.err
}
func (b broken) Machines(context.Context) ([]provider.Machine, error) { return nil, b.err }

// Failures are counted under the pool that they were for, wherever that can be known, and under a kind that has a name.
func TestFailedCallsAreCountedByPool(t *testing.T) {
	t.Parallel()
	claim := &karpenterv1.NodeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "a-1", Labels: map[string]string{karpenterv1.NodePoolLabelKey: "a"}},
	}
	claim.Status.ProviderID = "test:///m1"
	ref := func(name string) karpenterv1.NodeClassReference {
		return karpenterv1.NodeClassReference{Group: "g", Kind: "K", Name: name}
	}
	pool := func(name, class string) *karpenterv1.NodePool {
		p := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: name}}
		r := ref(class)
		p.Spec.Template.Spec.NodeClassRef = &r
		return p
	}
	objects := []client.Object{claim, pool("a", "own"), pool("b", "shared"), pool("c", "shared")}
	kube := fake.NewClientBuilder().WithScheme(Scheme()).WithObjects(objects...)
	for _, i := range lookup.Indexes() {
		kube = kube.WithIndex(i.Object, i.Field, i.Values)
	}
	metrics := observe.NewMetrics().Cloud
	m := metered{
		Cloud: broken{
			err: errors.New("no route to host"),
		}, controller: "test", book: learned.NewBook(), metrics: metrics,
		clock: clocktesting.NewFakePassiveClock(time.Unix(0, 0)), claims: kube.Build(),
	}
	ctx := t.Context()
	_, launched := m.Launch(ctx, provider.Order{Claim: claim})
	_, own := m.InstanceTypes(ctx, ref("own"))
	_, shared := m.InstanceTypes(ctx, ref("shared"))
	_, listed := m.Machines(ctx)
	for what, err := range map[string]error{
		"launching": launched, "types of a class of one pool": own,
		"types of a class of two": shared, "listing": listed,
		"ending": m.Terminate(ctx, "test:///m1"), "ending a stranger": m.Terminate(ctx, "test:///m2"),
	} {
		if err == nil {
			t.Errorf("%s did not fail", what)
		}
	}
	for _, want := range []struct{ method, pool string }{
		{"Create", "a"}, {"Delete", "a"}, {"Delete", ""},
		{"GetInstanceTypes", "a"}, {"GetInstanceTypes", ""}, {"List", ""},
	} {
		failed := metrics.Errors.WithLabelValues("test", want.method, "test", want.pool, "unknown")
		if n := testutil.ToFloat64(failed); n != 1 {
			t.Errorf("%s of pool %q failed %v times, want once", want.method, want.pool, n)
		}
	}
}
