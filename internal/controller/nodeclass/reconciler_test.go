package nodeclass

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/record"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

type resolves struct {
	again time.Duration
	err   error
}

func (r resolves) ResolveClass(context.Context, karpenterv1.NodeClassReference) (time.Duration, error) {
	return r.again, r.err
}

func TestADeletedClassSaysWhichClaimsItWaitsFor(t *testing.T) {
	t.Parallel()
	class := &awsv1.EC2NodeClass{ObjectMeta: metav1.ObjectMeta{
		Name:              "default",
		Finalizers:        []string{awsv1.TerminationFinalizer},
		DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)},
	}}
	objects := []client.Object{class}
	for _, c := range []struct{ claim, class string }{{"b", "default"}, {"a", "default"}, {"other", "another"}} {
		claim := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: c.claim}}
		claim.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
			Group: awsv1.Group,
			Kind:  "EC2NodeClass",
			Name:  c.class,
		}
		objects = append(objects, claim)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{karpenterv1.AddToScheme, awsv1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	events := record.NewFakeRecorder(10)
	r := &Reconciler{
		cloud: resolves{again: 10 * time.Second}, kind: schema.GroupKind{Group: awsv1.Group, Kind: "EC2NodeClass"},
		reader: fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(),
		events: observe.NewRecorder(events, testclock.NewFakeClock(time.Unix(10, 0))), empty: &awsv1.EC2NodeClass{},
	}
	result, err := r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKey{Name: "default"}})
	if err != nil || result.RequeueAfter != 10*time.Second {
		t.Errorf("again after %s, %v", result.RequeueAfter, err)
	}
	if said := <-events.Events; !strings.HasSuffix(
		said,
		"WaitingOnNodeClaimTermination Waiting for NodeClaims to terminate: a, b",
	) {
		t.Errorf("the event says %q", said)
	}

	r.cloud = resolves{err: provider.ErrClassNotFound}
	if result, err := r.Reconcile(
		t.Context(),
		reconcile.Request{NamespacedName: client.ObjectKey{Name: "gone"}},
	); err != nil ||
		result.RequeueAfter != 0 {
		t.Errorf("a class that is gone: %v, again after %s", err, result.RequeueAfter)
	}
}
