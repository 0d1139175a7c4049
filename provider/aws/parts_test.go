package aws

import (
	"errors"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
)

// Whether a class can launch is read off its status: no call to AWS is made for it.
func TestWhichClassesCanLaunch(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := awsv1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	gone := metav1.NewTime(noon)
	for name, c := range map[string]struct {
		status     metav1.ConditionStatus // of Ready; empty for none
		generation int64                  // that it is about; the class is at 2
		deleted    *metav1.Time
		want       error
	}{
		"ready":                  {metav1.ConditionTrue, 2, nil, nil},
		"not ready":              {metav1.ConditionFalse, 2, nil, provider.ErrClassNotReady},
		"never looked at":        {"", 0, nil, provider.ErrClassUndecided},
		"unknown":                {metav1.ConditionUnknown, 2, nil, provider.ErrClassUndecided},
		"ready before a change":  {metav1.ConditionTrue, 1, nil, provider.ErrClassUndecided},
		"being deleted":          {metav1.ConditionTrue, 2, &gone, provider.ErrClassNotReady},
		"broken before a change": {metav1.ConditionFalse, 1, nil, provider.ErrClassUndecided},
	} {
		class := nodeClass("x")
		class.Generation, class.DeletionTimestamp, class.Finalizers = 2, c.deleted, []string{"test/finalizer"}
		class.Status.Conditions = nil
		if c.status != "" {
			class.Status.Conditions = []metav1.Condition{{
				Type: condition.Ready, Status: c.status, ObservedGeneration: c.generation, Reason: "Test",
				LastTransitionTime: metav1.NewTime(noon),
			}}
		}
		kube := fake.NewClientBuilder().WithScheme(scheme).WithObjects(class).Build()
		part := classes{&account{client: kube}}
		ref := karpenterv1.NodeClassReference{Group: awsv1.Group, Kind: classKind, Name: "x"}
		got, err := part.readyClass(t.Context(), ref)
		if !errors.Is(err, c.want) || (err == nil) != (got != nil) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		ref.Name = "y"
		if _, err := part.readyClass(t.Context(), ref); !errors.Is(err, provider.ErrClassNotFound) {
			t.Errorf("%s: a class that is not there: %v", name, err)
		}
	}
}

// What a notice calls scarce rests like what EC2 refused; labels that name no offering change nothing.
func TestScarceOfferingsRest(t *testing.T) {
	t.Parallel()
	spot := offering.Pool{CapacityType: shape.Spot, InstanceType: "m5.large", Zone: "us-east-1a"}
	for name, c := range map[string]struct {
		labels map[string]string
		rests  bool
	}{
		"an offering": {map[string]string{
			shape.LabelCapacityType: shape.Spot, shape.LabelInstanceType: "m5.large", shape.LabelZone: "us-east-1a",
		}, true},
		"another zone": {map[string]string{
			shape.LabelCapacityType: shape.Spot, shape.LabelInstanceType: "m5.large", shape.LabelZone: "us-east-1b",
		}, false},
		"no zone": {map[string]string{shape.LabelCapacityType: shape.Spot, shape.LabelInstanceType: "m5.large"}, false},
		"nothing": {nil, false},
	} {
		shortage := offering.NewShortage(clocktesting.NewFakePassiveClock(noon))
		part := interruptions{&account{shortage: shortage}}
		part.Scarce(c.labels)
		if got := shortage.Has(spot); got != c.rests {
			t.Errorf("%s: rests is %t", name, got)
		}
	}
}
