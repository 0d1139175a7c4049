package peer

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	karpenterv1 "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider"
	"sigs.k8s.io/karpenter/pkg/scheduling"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

// market turns neutral instance types into the peer's.
func market(types []*shape.InstanceType) []*cloudprovider.InstanceType {
	out := make([]*cloudprovider.InstanceType, 0, len(types))
	for _, t := range types {
		requirements := scheduling.NewRequirements()
		for _, r := range t.Requirements {
			requirements.Add(
				scheduling.NewRequirement(r.Key, corev1.NodeSelectorOperator(r.Operator.String()), r.Values...),
			)
		}
		it := &cloudprovider.InstanceType{
			Name:         t.Name,
			Requirements: requirements,
			Capacity:     resources(t.Capacity),
			Overhead:     &cloudprovider.InstanceTypeOverhead{KubeReserved: resources(t.Capacity.Sub(t.Allocatable))},
		}
		for _, o := range t.Offerings {
			labels := map[string]string{
				karpenterv1.CapacityTypeLabelKey: o.CapacityType,
				corev1.LabelTopologyZone:         o.Zone,
			}
			if o.Reservation != "" {
				labels[cloudprovider.ReservationIDLabel] = o.Reservation
			}
			it.Offerings = append(it.Offerings, &cloudprovider.Offering{
				Requirements:        scheduling.NewLabelRequirements(labels),
				Price:               o.Price.Float(),
				Available:           o.Available,
				ReservationCapacity: int(o.Remaining),
			})
		}
		out = append(out, it)
	}
	return out
}

func resources(v shape.Vector) corev1.ResourceList {
	list := corev1.ResourceList{}
	v.Each(func(name string, value int64) {
		if name == shape.CPU {
			list[corev1.ResourceCPU] = *resource.NewMilliQuantity(value, resource.DecimalSI)
			return
		}
		list[corev1.ResourceName(name)] = *resource.NewQuantity(value, resource.BinarySI)
	})
	return list
}
