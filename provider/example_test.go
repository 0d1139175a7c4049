package provider_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
)

// A cloud is handed the candidates for a claim, cheapest first, and buys the first that it can deliver.
func ExampleCandidatesFor() {
	room := shape.Vector{CPU: 4000, Memory: 16 << 30, Pods: 58}
	types := []*shape.InstanceType{
		{Name: "small", Capacity: room, Allocatable: room, Offerings: []shape.Offering{
			{Zone: "a", CapacityType: shape.OnDemand, Price: shape.Dollars(0.192), Available: true},
			{Zone: "a", CapacityType: shape.Spot, Price: shape.Dollars(0.071), Available: true},
			{Zone: "b", CapacityType: shape.Spot, Price: shape.Dollars(0.064)}, // sold out
		}},
		{Name: "tiny", Capacity: shape.Vector{CPU: 1000}, Allocatable: shape.Vector{CPU: 1000}},
	}
	claim := &karpenterv1.NodeClaim{}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}
	claim.Spec.Requirements = []karpenterv1.Requirement{
		{Key: shape.LabelZone, Operator: corev1.NodeSelectorOpIn, Values: []string{"a", "b"}},
	}

	candidates, err := provider.CandidatesFor(claim, types, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range candidates {
		fmt.Printf(
			"%s %s in %s at %s an hour\n",
			c.Type.Name,
			c.Offering.CapacityType,
			c.Offering.Zone,
			c.Offering.Price,
		)
	}
	// Output:
	// small spot in a at 0.0710 an hour
	// small on-demand in a at 0.1920 an hour
}
