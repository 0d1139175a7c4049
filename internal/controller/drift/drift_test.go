package drift

import (
	"context"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/controller/expire"
	"github.com/dovetail-sh/dovetail/internal/market"
	"github.com/dovetail-sh/dovetail/provider"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// sells is a cloud.
type sells struct {
	types    []*shape.InstanceType
	typesErr error
	drift    string
	driftErr error
}

func (s sells) InstanceTypes(context.Context, karpenterv1.NodeClassReference) ([]*shape.InstanceType, error) {
	return s.types, s.typesErr
}

func (s sells) Drift(context.Context, *karpenterv1.NodeClaim) (string, error) {
	return s.drift, s.driftErr
}

func pool(requirements ...karpenterv1.Requirement) *karpenterv1.NodePool {
	p := &karpenterv1.NodePool{}
	p.Name = "general"
	p.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
		Group: "test",
		Kind:  "TestClass",
		Name:  "default",
	}
	p.Spec.Template.Spec.Requirements = requirements
	return p
}

func needs(key string, op corev1.NodeSelectorOperator, values ...string) karpenterv1.Requirement {
	return karpenterv1.Requirement{Key: key, Operator: op, Values: values}
}

// launched is a claim made from a pool an age ago.
func launched(
	from *karpenterv1.NodePool,
	age time.Duration,
	change ...func(*karpenterv1.NodeClaim),
) *karpenterv1.NodeClaim {
	c := &karpenterv1.NodeClaim{}
	c.Name, c.CreationTimestamp = "general-1", metav1.NewTime(noon.Add(-age))
	c.Annotations = map[string]string{
		karpenterv1.NodePoolHashAnnotationKey:        from.Hash(),
		karpenterv1.NodePoolHashVersionAnnotationKey: karpenterv1.NodePoolHashVersion,
	}
	c.Labels = map[string]string{
		shape.LabelInstanceType: "small",
		shape.LabelZone:         "a",
		shape.LabelCapacityType: "spot",
		"team":                  "blue",
	}
	c.Spec.NodeClassRef = &karpenterv1.NodeClassReference{Group: "test", Kind: "TestClass", Name: "default"}
	c.Status.Conditions = []metav1.Condition{{Type: karpenterv1.ConditionLaunched, Status: metav1.ConditionTrue}}
	for _, f := range change {
		f(c)
	}
	return c
}

func already(reason string) func(*karpenterv1.NodeClaim) {
	return func(c *karpenterv1.NodeClaim) {
		c.Status.Conditions = append(
			c.Status.Conditions,
			metav1.Condition{Type: karpenterv1.ConditionDrifted, Status: metav1.ConditionTrue, Reason: reason},
		)
	}
}

func TestWhy(t *testing.T) {
	t.Parallel()
	small := []*shape.InstanceType{{Name: "small", Offerings: []shape.Offering{{Zone: "a", CapacityType: "spot"}}}}
	large := []*shape.InstanceType{{Name: "large", Offerings: []shape.Offering{{Zone: "a", CapacityType: "spot"}}}}
	relabelled := pool()
	relabelled.Spec.Template.Labels = map[string]karpenterv1.LabelValue{"tier": "web"}
	cases := map[string]struct {
		why   string
		claim *karpenterv1.NodeClaim
		pool  *karpenterv1.NodePool
		cloud sells
		want  string
	}{
		"Same": {"Nothing has changed.", launched(pool(), 2*time.Hour), pool(), sells{types: small}, ""},
		"Template": {
			"The template's hash differs.",
			launched(pool(), 0),
			relabelled,
			sells{types: small},
			"NodePoolDrifted",
		},
		"OldHash": {
			"A hash of another version cannot be compared; nodepool stamps it anew.",
			launched(
				pool(),
				0,
				func(c *karpenterv1.NodeClaim) { c.Annotations[karpenterv1.NodePoolHashVersionAnnotationKey] = "v2" },
			),
			relabelled,
			sells{types: small},
			"",
		},
		"Requirement": {
			"The pool no longer allows the node's zone.",
			launched(pool(), 0),
			pool(needs(shape.LabelZone, "In", "b", "c")),
			sells{types: small},
			"RequirementsDrifted",
		},
		"RequirementKept": {
			"The pool still allows it.",
			launched(pool(), 0),
			pool(needs(shape.LabelZone, "In", "b", "a"), needs("team", "Exists")),
			sells{types: small},
			"",
		},
		"NewLabel": {
			"The pool now wants a label that the node lacks.",
			launched(pool(), 0),
			pool(needs("tier", "In", "web")),
			sells{types: small},
			"RequirementsDrifted",
		},
		"LabelNotWanted": {
			"The pool now forbids a label that the node has.",
			launched(pool(), 0),
			pool(needs("team", "DoesNotExist")),
			sells{types: small},
			"RequirementsDrifted",
		},
		"LabelAbsent": {
			"A label that must not be there is not.",
			launched(pool(), 0),
			pool(needs("gpu", "NotIn", "yes")),
			sells{types: small},
			"",
		},
		"CloudsChoice": {
			"The claim asked for the label and the cloud did not set it: no drift for ever.",
			launched(pool(), 0, func(c *karpenterv1.NodeClaim) {
				c.Spec.Requirements = []karpenterv1.Requirement{needs("cpu-maker", "Exists")}
			}),
			pool(needs("cpu-maker", "Exists")),
			sells{types: small},
			"",
		},
		"TypeGone": {
			"Nobody sells the type any more.",
			launched(pool(), 2*time.Hour),
			pool(),
			sells{types: large},
			"InstanceTypeNotFound",
		},
		"TypeFlickers": {
			"A young node does not drift for a type that is missing from one list.",
			launched(pool(), 59*time.Minute),
			pool(),
			sells{types: large},
			"",
		},
		"NoTypes": {
			"An empty list is a failure of the cloud, not of the node.",
			launched(pool(), 2*time.Hour),
			pool(),
			sells{},
			"",
		},
		"ClassUnready": {
			"A class that cannot be compared with makes nothing drift.",
			launched(pool(), 2*time.Hour),
			pool(),
			sells{typesErr: provider.ErrClassNotReady, driftErr: provider.ErrClassNotReady},
			"",
		},
		"ClassUnreadyNow": {
			"What had drifted before has not come back.",
			launched(pool(), 2*time.Hour, already("AMIDrift")),
			pool(),
			sells{typesErr: provider.ErrClassNotReady, driftErr: provider.ErrClassNotReady},
			"AMIDrift",
		},
		"TakenBack": {
			"But a template can be compared without its class.",
			launched(pool(), 2*time.Hour, already("NodePoolDrifted")),
			pool(),
			sells{typesErr: provider.ErrClassNotReady, driftErr: provider.ErrClassNotReady},
			"",
		},
		"Cloud": {
			"The cloud has its own reasons.",
			launched(pool(), 0),
			pool(),
			sells{types: small, drift: "AMIDrift"},
			"AMIDrift",
		},
		"PoolFirst": {
			"The template counts before the cloud.",
			launched(pool(), 0),
			relabelled,
			sells{types: small, drift: "AMIDrift"},
			"NodePoolDrifted",
		},
		"Rebalance": {
			"The cloud says that the spot machine is about to be taken.",
			launched(pool(), 0, func(c *karpenterv1.NodeClaim) {
				c.Annotations[AnnotationRebalance] = noon.Format(time.RFC3339)
			}),
			pool(),
			sells{types: small},
			"RebalanceRecommended",
		},
		"NotLaunched": {
			"What has no machine cannot drift.",
			launched(pool(), 0, func(c *karpenterv1.NodeClaim) { c.Status.Conditions = nil }),
			relabelled,
			sells{types: small, drift: "AMIDrift"},
			"",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &Reconciler{
				Cloud:  tc.cloud,
				Market: market.New(tc.cloud, market.NoOverlays()),
				Clock:  clocktesting.NewFakePassiveClock(noon),
			}
			got, err := r.why(t.Context(), tc.claim, tc.pool)
			if err != nil || got.reason != tc.want {
				t.Errorf("%s\ngot %q (%s), %v; want %q", tc.why, got.reason, got.message, err, tc.want)
			}
		})
	}
}

// Expiry is drift only where the pool asks for it.
func TestExpiryDrift(t *testing.T) {
	t.Parallel()
	p := pool()
	claim := launched(
		p,
		2*time.Hour,
		func(c *karpenterv1.NodeClaim) { c.Spec.ExpireAfter = karpenterv1.After(time.Hour) },
	)
	if got := expiryDrift(claim, p, noon); got.reason != "" {
		t.Errorf("without the annotation: %v", got)
	}
	p.Annotations = map[string]string{expire.AnnotationGraceful: "true"}
	if got := expiryDrift(claim, p, noon); got.reason != reasonExpired {
		t.Errorf("with the annotation: %q, want %s", got.reason, reasonExpired)
	}
	if got := expiryDrift(claim, p, noon.Add(-90*time.Minute)); got.reason != "" {
		t.Errorf("before its time: %v", got)
	}
}
