package condition_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
	kwokv1alpha1 "github.com/dovetail-sh/dovetail/api/kwok/v1alpha1"
)

var (
	_ condition.RootedObject = &karpenterv1.NodePool{}
	_ condition.RootedObject = &karpenterv1.NodeClaim{}
	_ condition.RootedObject = &karpenterv1alpha1.NodeOverlay{}
	_ condition.RootedObject = &awsv1.EC2NodeClass{}
	_ condition.RootedObject = &kwokv1alpha1.KWOKNodeClass{}
	_ condition.Object       = &autoscalingv1beta1.CapacityBuffer{}
)

var (
	noon  = time.Date(2026, time.January, 14, 12, 0, 0, 123456789, time.UTC)
	later = noon.Add(time.Hour)
)

func claim() *karpenterv1.NodeClaim {
	return &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "c", Generation: 1}}
}

func TestSetSameAgainChangesNothing(t *testing.T) {
	t.Parallel()
	c := claim()
	if !condition.False(c, noon, karpenterv1.ConditionLaunched, "NoCapacity", "No offering has capacity.") {
		t.Fatal("a new condition is no change")
	}
	before := c.DeepCopy()
	if condition.False(c, later, karpenterv1.ConditionLaunched, "NoCapacity", "No offering has capacity.") {
		t.Error("the same condition an hour later is a change: each pass would write")
	}
	if diff := cmp.Diff(before, c); diff != "" {
		t.Errorf("-before +after\n%s", diff)
	}
}

func TestSetKeepsTransitionTimeUntilStatusChanges(t *testing.T) {
	t.Parallel()
	c := claim()
	condition.False(c, noon, karpenterv1.ConditionLaunched, "NoCapacity", "Zone a has none.")
	if !condition.False(c, later, karpenterv1.ConditionLaunched, "NoCapacity", "Zone b has none.") {
		t.Error("another message is no change")
	}
	got := condition.Get(c, karpenterv1.ConditionLaunched)
	if want := noon.Truncate(time.Second); !got.LastTransitionTime.Time.Equal(want) {
		t.Errorf("transition is at %s though the status stayed, want %s", got.LastTransitionTime, want)
	}
	condition.True(c, later, karpenterv1.ConditionLaunched)
	got = condition.Get(c, karpenterv1.ConditionLaunched)
	want := metav1.Condition{
		Type: "Launched", Status: metav1.ConditionTrue, Reason: "Launched", ObservedGeneration: 1,
		LastTransitionTime: metav1.NewTime(later.Truncate(time.Second)),
	}
	if diff := cmp.Diff(want, *got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSetNotesGeneration(t *testing.T) {
	t.Parallel()
	c := claim()
	condition.True(c, noon, karpenterv1.ConditionLaunched)
	c.Generation = 2
	if !condition.True(c, later, karpenterv1.ConditionLaunched) ||
		condition.Get(c, karpenterv1.ConditionLaunched).ObservedGeneration != 2 {
		t.Error("a condition confirmed for a newer spec must say so")
	}
}

func TestClear(t *testing.T) {
	t.Parallel()
	c := claim()
	condition.True(c, noon, karpenterv1.ConditionLaunched)
	condition.True(c, noon, karpenterv1.ConditionDrifted)
	shared := *c.Conditions()
	if !condition.Clear(c, karpenterv1.ConditionLaunched) || condition.Clear(c, karpenterv1.ConditionLaunched) {
		t.Error("Clear must say whether the condition was there")
	}
	if condition.Get(c, karpenterv1.ConditionLaunched) != nil || !condition.IsTrue(c, karpenterv1.ConditionDrifted) {
		t.Errorf("conditions are %v, want only Drifted", *c.Conditions())
	}
	if shared[0].Type != karpenterv1.ConditionLaunched {
		t.Error("Clear wrote into a list that others may hold")
	}
}

func TestRollUpReady(t *testing.T) {
	t.Parallel()
	launched, registered, initialized := karpenterv1.ConditionLaunched, karpenterv1.ConditionRegistered,
		karpenterv1.ConditionInitialized
	cases := map[string]struct {
		why     string
		prepare func(*karpenterv1.NodeClaim)
		status  metav1.ConditionStatus
		reason  string
		message string
	}{
		"Nothing": {
			why:     "A new claim is not known to be ready or not.",
			prepare: func(*karpenterv1.NodeClaim) {},
			status:  metav1.ConditionUnknown, reason: "AwaitingReconciliation",
			message: "Launched: not yet known; Registered: not yet known; Initialized: not yet known",
		},
		"AllTrue": {
			why: "Only all of them make it ready.",
			prepare: func(c *karpenterv1.NodeClaim) {
				condition.True(c, noon, launched)
				condition.True(c, noon, registered)
				condition.True(c, noon, initialized)
			},
			status: metav1.ConditionTrue, reason: "Ready",
		},
		"OneUnknown": {
			why: "Not True is not ready; the message says what is awaited.",
			prepare: func(c *karpenterv1.NodeClaim) {
				condition.True(c, noon, launched)
				condition.Unknown(c, noon, registered, "NodeNotFound", "No node has joined yet.")
				condition.Unknown(c, noon, initialized, "NodeNotFound", "")
			},
			status: metav1.ConditionUnknown, reason: "NodeNotFound",
			message: "Registered: No node has joined yet.; Initialized: NodeNotFound",
		},
		"FalseBeforeUnknown": {
			why: "What has failed says more than what is open.",
			prepare: func(c *karpenterv1.NodeClaim) {
				condition.Unknown(c, noon, launched, "Waiting", "")
				condition.False(c, noon, registered, "MultipleNodesFound", "Nodes a and b have the same provider ID.")
			},
			status: metav1.ConditionFalse, reason: "MultipleNodesFound",
			message: "Registered: Nodes a and b have the same provider ID.",
		},
		"OldGeneration": {
			why: "True for an older spec is not known for this one.",
			prepare: func(c *karpenterv1.NodeClaim) {
				condition.True(c, noon, launched)
				condition.True(c, noon, registered)
				condition.True(c, noon, initialized)
				c.Generation = 2
				condition.True(c, noon, launched)
			},
			status: metav1.ConditionUnknown, reason: "AwaitingReconciliation",
			message: "Registered: not yet known for the current spec; Initialized: not yet known for the current spec",
		},
		"Deleting": {
			why: "Deletion raises the generation and leaves the spec: a node that drains still is ready.",
			prepare: func(c *karpenterv1.NodeClaim) {
				condition.True(c, noon, launched)
				condition.True(c, noon, registered)
				condition.True(c, noon, initialized)
				c.Generation = 2
				c.DeletionTimestamp = &metav1.Time{Time: later}
			},
			status: metav1.ConditionTrue, reason: "Ready",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := claim()
			tc.prepare(c)
			condition.RollUpReady(c, noon)
			want := metav1.Condition{
				Type: condition.Ready, Status: tc.status, Reason: tc.reason, Message: tc.message,
				ObservedGeneration: c.Generation,
				LastTransitionTime: metav1.NewTime(noon.Truncate(time.Second)),
			}
			if diff := cmp.Diff(want, *condition.Get(c, condition.Ready)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
			if condition.RollUpReady(c, later) {
				t.Error("rolling up again is a change")
			}
		})
	}
}

func TestClassWithoutDependentsIsReady(t *testing.T) {
	t.Parallel()
	class := &kwokv1alpha1.KWOKNodeClass{}
	condition.RollUpReady(class, noon)
	if !condition.IsTrue(class, condition.Ready) {
		t.Errorf("conditions are %v, want Ready", class.Status.Conditions)
	}
}
