package static

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/dovetail-sh/dovetail/api/condition"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/apply"
)

// TestAPoolSaysWhyItLacksNodes has a static pool of three nodes that cannot be had. None of it is an error of the
// controller's.
func TestAPoolSaysWhyItLacksNodes(t *testing.T) {
	t.Parallel()
	type market struct {
		zone      string
		available bool
		opening   error
	}
	cases := map[string]struct {
		why    string
		market market
		opened int
		reason string
		part   string
	}{
		"Opens": {
			"All three are on their way.",
			market{"a", true, nil},
			3,
			karpenterv1.ReasonNodesStarting,
			"0 of 3",
		},
		"Shortage": {
			"The cloud has none just now: no claim is made for it.",
			market{"a", false, nil},
			0,
			karpenterv1.ReasonNoCapacity,
			"has none of what",
		},
		"Nothing": {
			"What the pool asks for is not sold at all.",
			market{"b", true, nil},
			0,
			karpenterv1.ReasonNothingSuits,
			"No instance type",
		},
		"Limit": {
			"The pool's limits are reached.",
			market{"a", true, fmt.Errorf("opening: %w", apply.ErrLimit)},
			3,
			karpenterv1.ReasonLimitReached,
			"limit reached",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheme := runtime.NewScheme()
			if err := errors.Join(corev1.AddToScheme(scheme), karpenterv1.AddToScheme(scheme)); err != nil {
				t.Fatal(err)
			}
			replicas := int64(3)
			pool := &karpenterv1.NodePool{}
			pool.Name, pool.Spec.Replicas = "fixed", &replicas
			pool.Spec.Template.Spec.NodeClassRef = &karpenterv1.NodeClassReference{
				Kind: "EC2NodeClass",
				Name: "default",
			}
			pool.Spec.Template.Spec.Requirements = []karpenterv1.Requirement{
				{Key: shape.LabelZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"a"}},
			}
			condition.True(pool, noon, condition.Ready)
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(pool).WithStatusSubresource(pool).Build()
			opened := 0
			room := shape.Vector{CPU: 2000, Memory: 4 << 30, Pods: 10}
			r := New(Deps{
				Client:   c,
				Clock:    clocktesting.NewFakePassiveClock(noon),
				Snapshot: func() shape.Snapshot { return shape.Snapshot{} },
				Types: func(context.Context, *karpenterv1.NodePool) ([]*shape.InstanceType, error) {
					return []*shape.InstanceType{
						{Name: "m", Capacity: room, Allocatable: room, Offerings: []shape.Offering{
							{
								Zone:         tc.market.zone,
								CapacityType: shape.OnDemand,
								Price:        1,
								Available:    tc.market.available,
							},
						}},
					}, nil
				},
				Open: func(_ context.Context, nodes []engine.NewNode, _ string) (map[string]*karpenterv1.NodeClaim,
					error) {
					opened += len(nodes)
					return nil, tc.market.opening
				},
			})
			req := reconcile.Request{NamespacedName: client.ObjectKeyFromObject(pool)}
			if _, err := r.Reconcile(t.Context(), req); err != nil {
				t.Fatalf("%s\n%v", tc.why, err)
			}
			if err := c.Get(t.Context(), req.NamespacedName, pool); err != nil {
				t.Fatal(err)
			}
			got := condition.Get(pool, karpenterv1.ConditionReplicasReady)
			if opened != tc.opened || got == nil || got.Reason != tc.reason ||
				!strings.Contains(got.Message, tc.part) {
				t.Errorf("%s\n%d opened, condition %+v; want %d and %s", tc.why, opened, got, tc.opened, tc.reason)
			}
			if tc.reason == karpenterv1.ReasonNoCapacity && !r.probes("fixed", nil) {
				t.Error("when the cloud has capacity again all claims are made at once, not one that tries")
			}
		})
	}
}

// The cheapest machine may be too small for what runs on every node.
func TestNodesHaveRoomForTheDaemonsOfTheCluster(t *testing.T) {
	t.Parallel()
	machine := func(name string, gib int64) *shape.InstanceType {
		room := shape.Vector{CPU: 2000, Memory: gib << 30, Pods: 10}
		return &shape.InstanceType{Name: name, Capacity: room, Allocatable: room, Offerings: []shape.Offering{
			{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Money(gib), Available: true},
		}}
	}
	pool := &karpenterv1.NodePool{}
	pool.Name = "fixed"
	condition.True(pool, noon, condition.Ready)
	var bought []string
	r := New(Deps{
		Snapshot: func() shape.Snapshot {
			return shape.Snapshot{
				Classes:    []*shape.Class{{Requests: shape.Vector{Memory: 2 << 30, Pods: 1}}},
				DaemonSets: []shape.DaemonSet{{Name: "kube-system/agent", Class: 0}},
			}
		},
		Types: func(context.Context, *karpenterv1.NodePool) ([]*shape.InstanceType, error) {
			return []*shape.InstanceType{machine("small", 1), machine("large", 4)}, nil
		},
		Open: func(_ context.Context, nodes []engine.NewNode, _ string) (map[string]*karpenterv1.NodeClaim, error) {
			for _, o := range nodes[0].Options {
				bought = append(bought, o.Type)
			}
			return nil, nil
		},
	})
	if why, err := r.open(t.Context(), pool, 1); err != nil || why.reason != "" {
		t.Fatalf("%+v, %v", why, err)
	}
	if len(bought) != 1 || bought[0] != "large" {
		t.Errorf("opened with %v, want the machine on which the daemon has room", bought)
	}
}
