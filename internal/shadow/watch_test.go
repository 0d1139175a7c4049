package shadow

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
)

// origin is a cluster that changes while it is watched.
type origin struct {
	changed chan struct{}
	set     *manifest.Set
}

func (o *origin) Changed() <-chan struct{} { return o.changed }
func (o *origin) Trouble() string          { return "" }

// Read is the cluster as it is.
func (o *origin) Read(context.Context) (*manifest.Set, []string, error) { return o.set, nil, nil }

func (o *origin) become(set *manifest.Set) {
	o.set = set
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

func waiting(name string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name),
		CreationTimestamp: metav1.Now()}}
	p.Spec.Containers = []corev1.Container{{Name: "c", Image: "i", Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}}}
	p.Status.Phase = corev1.PodPending
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse,
		Reason: corev1.PodReasonUnschedulable}}
	return p
}

// pool is a NodePool of the catalogue's region.
func pool() *karpenterv1.NodePool {
	np := &karpenterv1.NodePool{ObjectMeta: metav1.ObjectMeta{Name: "web", UID: "pool"}}
	np.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Group: "karpenter.k8s.aws",
		Kind: "EC2NodeClass", Name: "default"}
	np.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
		{Key: karpenterv1.CapacityTypeLabelKey, Operator: "In", Values: []string{"on-demand"}},
		{Key: corev1.LabelTopologyZone, Operator: "In", Values: []string{"us-east-1a"}},
	}
	return np
}

// claim is what the other controller bought, dear and large.
func claim() *karpenterv1.NodeClaim {
	c := &karpenterv1.NodeClaim{ObjectMeta: metav1.ObjectMeta{Name: "web-dear", UID: "dear",
		CreationTimestamp: metav1.Now(), Labels: map[string]string{
			karpenterv1.NodePoolLabelKey: "web", corev1.LabelInstanceTypeStable: "m6i.8xlarge",
			corev1.LabelTopologyZone: "us-east-1a", corev1.LabelTopologyRegion: "us-east-1",
			karpenterv1.CapacityTypeLabelKey: "on-demand"}}}
	c.Spec.NodeClassRef = pool().Spec.Template.Spec.NodeClassRef
	c.Status.ProviderID = "aws:///us-east-1a/i-1"
	c.Status.Capacity = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("32"),
		corev1.ResourceMemory: resource.MustParse("128Gi"), corev1.ResourcePods: resource.MustParse("110")}
	c.Status.Allocatable = c.Status.Capacity
	condition.True(c, time.Now(), karpenterv1.ConditionLaunched)
	return c
}

// The other controller answers within the batch window, and dearer: what Dovetail would have bought is planned as if
// it had not. Nothing but the moments of the cluster is read.
func TestAQuickControllerIsComparedFairly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := &origin{changed: make(chan struct{}, 1), set: &manifest.Set{NodePools: []*karpenterv1.NodePool{pool()}}}
		w := &Watch{Origin: from, Every: time.Minute, Rounds: 1,
			Input: func(set *manifest.Set, missing []string) (roster.Input, error) {
				return roster.Input{Source: "test", Missing: missing, Input: simulate.Input{Set: set, Lenient: true,
					Policy: engine.DefaultPolicy(), Now: time.Now()}}, nil
			}}
		go func() {
			<-time.NewTimer(10500 * time.Millisecond).C
			pods := []*corev1.Pod{waiting("web-0"), waiting("web-1")}
			from.become(&manifest.Set{NodePools: []*karpenterv1.NodePool{pool()}, Pods: pods})
			<-time.NewTimer(700 * time.Millisecond).C
			from.become(&manifest.Set{NodePools: []*karpenterv1.NodePool{pool()}, Pods: pods,
				NodeClaims: []*karpenterv1.NodeClaim{claim()}})
		}()
		report, err := w.Run(t.Context(), 5*time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Until.Sub(report.From); got != 5*time.Minute {
			t.Errorf("it watched for %s, want five minutes", got)
		}
		if report.Waited.Opened != 2 || report.Waited.Still != 2 || len(report.Dovetail.Bought) != 1 {
			t.Errorf("%+v, bought %+v; want both pods on what Dovetail would have bought", report.Waited,
				report.Dovetail.Bought)
		}
		if k, d := report.Karpenter.Price(), report.Dovetail.Price(); k <= 2*d || d <= 0 {
			t.Errorf("Karpenter bought for %s and Dovetail for %s", k.Dollars(), d.Dollars())
		}
		if report.Looks < 6 || report.Looks > 10 {
			t.Errorf("%d looks in five minutes, want about one a minute, and one for what came", report.Looks)
		}
	})
}

// Whoever ends it gets the report so far, which tells of the end too.
func TestAnEndedWatchReportsSoFar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 90*time.Second)
		defer stop()
		from := &origin{changed: make(chan struct{}, 1), set: &manifest.Set{NodePools: []*karpenterv1.NodePool{pool()}}}
		w := &Watch{Origin: from, Every: time.Minute, Rounds: 1,
			Input: func(set *manifest.Set, _ []string) (roster.Input, error) {
				return roster.Input{Input: simulate.Input{Set: set, Lenient: true, Now: time.Now()}}, nil
			}}
		report, err := w.Run(ctx, time.Hour)
		if err != nil || report == nil || report.Until.Sub(report.From) != 90*time.Second {
			t.Errorf("%+v, %v; want a report of 90 s", report, err)
		}
		if report.Looks != 3 {
			t.Errorf("%d looks, want one at the start, after a minute, and at the end", report.Looks)
		}
	})
}
