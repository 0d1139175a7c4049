package integration

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
)

// overlay is a NodeOverlay for the corner's pool.
func (c *corner) overlay(
	name string,
	change func(*karpenterv1alpha1.NodeOverlaySpec),
) *karpenterv1alpha1.NodeOverlay {
	o := &karpenterv1alpha1.NodeOverlay{}
	o.Name = c.name + "-" + name
	o.Spec.Requirements = []karpenterv1alpha1.Requirement{
		{Key: karpenterv1.NodePoolLabelKey, Operator: corev1.NodeSelectorOpIn, Values: []string{c.name}},
	}
	change(&o.Spec)
	return o
}

// overlaySays waits until an overlay's conditions hold what is wanted of them.
func (c *corner) overlaySays(t *testing.T, o *karpenterv1alpha1.NodeOverlay, want ...string) {
	t.Helper()
	eventually(t, "the status of NodeOverlay "+o.Name, func() string {
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			return err.Error()
		}
		return missingFrom(conditions(o.Status.Conditions), want...)
	})
}

// types lets the corner's pool have several instance types.
func (c *corner) types(names ...string) {
	reqs := c.pool.Spec.Template.Spec.Requirements
	reqs[len(reqs)-1].Values = names
}

// overlayPriceDecides makes the larger type the cheaper one.
func overlayPriceDecides(t *testing.T, c *corner) {
	const larger = "c-4x-amd64-linux"
	c.types(smallest, larger)
	cheap := "0.001"
	o := c.overlay("cheap", func(s *karpenterv1alpha1.NodeOverlaySpec) {
		s.Price = &cheap
		s.Requirements = append(
			s.Requirements,
			karpenterv1alpha1.Requirement{
				Key:      corev1.LabelInstanceTypeStable,
				Operator: corev1.NodeSelectorOpIn,
				Values:   []string{larger},
			},
		)
	})
	c.create(t, c.pool, o)
	c.overlaySays(t, o, "Ready=True", "ValidationSucceeded=True")
	d := web(c.name, 1, "500m", c.here)
	c.create(t, d)
	c.running(t, c.name, 1)
	claim := c.nodesReady(t, 1)[0]
	if claim.Labels[corev1.LabelInstanceTypeStable] != larger ||
		claim.Annotations[karpenterv1alpha1.PriceOverlayAppliedAnnotationKey] != "true" {
		t.Errorf(
			"launched %s with annotations %v, want the one that the overlay makes cheapest",
			claim.Labels[corev1.LabelInstanceTypeStable],
			claim.Annotations,
		)
	}
	c.leave(t, d, o)
}

// overlaySlicesGPUs lets three pods share what the cloud sells as no GPU at all.
func overlaySlicesGPUs(t *testing.T, c *corner) {
	const slice = "example.com/gpu-slice"
	o := c.overlay("slices", func(s *karpenterv1alpha1.NodeOverlaySpec) {
		s.Capacity = corev1.ResourceList{slice: resource.MustParse("2")}
	})
	c.create(t, c.pool, o)
	c.overlaySays(t, o, "Ready=True")
	d := web(c.name, 3, "100m", c.here, func(s *corev1.PodSpec) {
		r := &s.Containers[0].Resources
		r.Requests[slice], r.Limits = resource.MustParse("1"), corev1.ResourceList{slice: resource.MustParse("1")}
	})
	c.create(t, d)
	c.running(t, c.name, 3)
	for _, claim := range c.nodesReady(t, 2) {
		if claim.Annotations[karpenterv1alpha1.CapacityOverlayAppliedAnnotationKey] != "true" {
			t.Errorf("annotations of %s: %v", claim.Name, claim.Annotations)
		}
		if q := claim.Status.Capacity[slice]; q.Value() != 2 {
			t.Errorf("%s has %s slices", claim.Name, q.String())
		}
	}
	c.leave(t, d, o)
}

func overlayConflictIsNamed(t *testing.T, c *corner) {
	price, more := "0.5", "+10%"
	a := c.overlay("a", func(s *karpenterv1alpha1.NodeOverlaySpec) { s.Price = &price })
	b := c.overlay("b", func(s *karpenterv1alpha1.NodeOverlaySpec) { s.PriceAdjustment = &more })
	c.create(t, c.pool, a, b)
	c.overlaySays(t, b, "Ready=True")
	c.overlaySays(
		t,
		a,
		"Ready=False (Conflict",
		"NodeOverlay "+b.Name+" of the same weight sets the price of "+smallest,
	)
	if err := c.Delete(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	c.overlaySays(t, a, "Ready=True")
	c.leave(t, a)
}

func badOverlayIsRefused(t *testing.T, c *corner) {
	o := c.overlay("bad", func(s *karpenterv1alpha1.NodeOverlaySpec) {
		s.Requirements = append(
			s.Requirements,
			karpenterv1alpha1.Requirement{Key: "karpenter.kwok.sh/unheard-of", Operator: corev1.NodeSelectorOpExists},
		)
	})
	c.create(t, c.pool, o)
	c.overlaySays(t, o, "Ready=False (RuntimeValidation", "karpenter.kwok.sh/unheard-of")
	c.leave(t, o)
}
