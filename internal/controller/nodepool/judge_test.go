package nodepool

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func pool() *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{}
	p.Name = "default"
	p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "karpenter.k8s.aws",
		Kind:  "EC2NodeClass",
		Name:  "web",
	}
	return p
}

func TestJudge(t *testing.T) {
	t.Parallel()
	kinds := []schema.GroupKind{{Group: "karpenter.k8s.aws", Kind: "EC2NodeClass"}}
	cases := map[string]struct {
		why       string
		verdict   verdict
		ready     metav1.ConditionStatus
		reason    string
		mustNamed []string // in Ready's message
	}{
		"Good": {
			"All is well.",
			verdict{class: provider.Class{Ready: true}, kinds: kinds},
			metav1.ConditionTrue,
			"Ready",
			nil,
		},
		"Missing": {
			"The message names the class and the way out.",
			verdict{classMissing: true, kinds: kinds},
			metav1.ConditionFalse,
			"NodeClassNotFound",
			[]string{"EC2NodeClass web", "create it"},
		},
		"Foreign": {
			"A class of another cloud can never become ready.",
			verdict{
				classMissing: true,
				kinds:        []schema.GroupKind{{Group: "karpenter.kwok.sh", Kind: "KWOKNodeClass"}},
			},
			metav1.ConditionFalse,
			"NodeClassNotFound",
			[]string{"KWOKNodeClass"},
		},
		"Going": {
			"Nothing is launched from a class that goes.",
			verdict{class: provider.Class{Ready: true, Deleting: true}, kinds: kinds},
			metav1.ConditionFalse,
			"NodeClassTerminating",
			[]string{"web"},
		},
		"Unready": {
			"The class's own words are passed on.",
			verdict{class: provider.Class{Reason: "SubnetsNotFound", Message: "no subnet matches"}, kinds: kinds},
			metav1.ConditionFalse,
			"SubnetsNotFound",
			[]string{"no subnet matches"},
		},
		"Unknown": {
			"Not looked at yet is neither good nor bad.",
			verdict{kinds: kinds},
			metav1.ConditionUnknown,
			"NodeClassReadinessUnknown",
			nil,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := pool()
			judge(p, tc.verdict, noon)
			got := condition.Get(p, condition.Ready)
			if got == nil || got.Status != tc.ready || got.Reason != tc.reason {
				t.Fatalf("%s\nReady is %+v, want %s because of %s", tc.why, got, tc.ready, tc.reason)
			}
			for _, word := range tc.mustNamed {
				if !strings.Contains(got.Message, word) {
					t.Errorf("%s\nthe message %q does not name %q", tc.why, got.Message, word)
				}
			}
		})
	}
}

func TestAnInvalidPoolIsNotReady(t *testing.T) {
	t.Parallel()
	p := pool()
	taint := karpenterv1.Taint{Key: "a", Effect: corev1.TaintEffectNoSchedule}
	p.Spec.Template.Spec.Taints = []karpenterv1.Taint{taint, taint}
	judge(
		p,
		verdict{
			class: provider.Class{Ready: true},
			kinds: []schema.GroupKind{p.Spec.Template.Spec.NodeClassRef.GroupKind()},
		},
		noon,
	)
	if !condition.IsFalse(p, condition.Ready) || !condition.IsFalse(p, karpenterv1.ConditionValidationSucceeded) {
		t.Errorf("two equal taints: %+v", p.Status.Conditions)
	}
}

func TestCountTakesTheNodesOwnFiguresOnceItHasJoined(t *testing.T) {
	t.Parallel()
	cpu := func(n string) corev1.ResourceList {
		return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(n)}
	}
	joined, launching := karpenterv1.NodeClaim{}, karpenterv1.NodeClaim{}
	joined.Status.ProviderID, joined.Status.Capacity = "i-1", cpu("4")
	launching.Status.Capacity = cpu("8")
	node := corev1.Node{Spec: corev1.NodeSpec{ProviderID: "i-1"}}
	node.Status.Capacity = cpu("3")

	alone := corev1.Node{Spec: corev1.NodeSpec{ProviderID: "i-2"}}
	alone.Status.Capacity = cpu("2")

	p := pool()
	count(p, []karpenterv1.NodeClaim{joined, launching}, []corev1.Node{node, alone})
	if got := p.Status.Resources[corev1.ResourceCPU]; got.Value() != 13 {
		t.Errorf(
			"cpu is %s, want 13: 3 that the node reports, 8 that are expected, and 2 of a node whose claim is gone",
			got.String(),
		)
	}
	if _, has := p.Status.Resources[corev1.ResourceMemory]; !has {
		t.Error("memory is not counted: of an empty pool nothing would be shown")
	}
	if *p.Status.Nodes != 3 {
		t.Errorf(
			"nodes is %d, want 3: a machine counts from the moment it is wanted, and with its label alone",
			*p.Status.Nodes,
		)
	}
}

func TestGaugesEndWithWhatTheyCount(t *testing.T) {
	t.Parallel()
	r, err := New(
		Deps{
			Client:  fake.NewFakeClient(),
			Cloud:   nowhere{},
			Clock:   clocktesting.NewFakePassiveClock(noon),
			Metrics: observe.NewMetrics(),
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	p := pool()
	p.Spec.Limits = corev1.ResourceList{
		corev1.ResourceCPU:              resource.MustParse("10"),
		corev1.ResourceEphemeralStorage: resource.MustParse("1"),
	}
	p.Status.Resources = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("8")}
	r.publish(p)
	if got := testutil.ToFloat64(r.Metrics.Pools.Limit.WithLabelValues("ephemeral_storage", "default")); got != 1 {
		t.Errorf("limit of ephemeral_storage is %v, want 1", got)
	}
	p = pool()
	p.Spec.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("20")}
	r.publish(p)
	for name, gauge := range map[string]*prometheus.GaugeVec{"limit": r.Metrics.Pools.Limit, "usage": r.Metrics.Pools.Usage} {
		if got, want := testutil.CollectAndCount(gauge), map[string]int{"limit": 1, "usage": 0}[name]; got != want {
			t.Errorf("%d series of %s, want %d: the others' resources are no longer there", got, name, want)
		}
	}
}

// nowhere is a cloud that is not asked.
type nowhere struct{ provider.Cloud }
