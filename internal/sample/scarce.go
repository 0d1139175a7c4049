package sample

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// Limit lets a pool grow by a few machines or cores only.
func (d Dice) Limit(p *karpenterv1.NodePool) {
	p.Spec.Limits = corev1.ResourceList{}
	if d.Percent(60) {
		p.Spec.Limits[corev1.ResourceCPU] = *resource.NewQuantity(int64(d.Between(1, 24)), resource.DecimalSI)
	}
	if d.Percent(60) {
		p.Spec.Limits[shape.LimitNodes] = *resource.NewQuantity(int64(d.Between(0, 4)), resource.DecimalSI)
	}
}

// Reserve adds a reservation of one or two machines to a type.
func (d Dice) Reserve(t *shape.InstanceType) {
	t.Offerings = append(t.Offerings, shape.Offering{
		Zone: Pick(d, t.Offerings...).Zone, CapacityType: shape.Reserved, Price: shape.Dollars(0.0001), Available: true,
		Reservation: "reservation-" + t.Name, Remaining: int32(d.Between(1, 2)),
	})
	for i := range t.Requirements {
		if t.Requirements[i].Key == shape.LabelCapacityType {
			t.Requirements[i].Values = Offered(t, func(o *shape.Offering) string { return o.CapacityType })
		}
	}
}

// Breadth makes a pool keep several instance types for each launch.
func (d Dice) Breadth(p *karpenterv1.NodePool) {
	n := d.Between(1, 3)
	p.Spec.Template.Spec.Requirements = append(p.Spec.Template.Spec.Requirements, karpenterv1.Requirement{
		Key: shape.LabelInstanceType, Operator: corev1.NodeSelectorOpExists, MinValues: &n,
	})
}
