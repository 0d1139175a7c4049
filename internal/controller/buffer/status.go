package buffer

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	"github.com/dovetail-sh/dovetail/api/condition"
	"github.com/dovetail-sh/dovetail/internal/controller/provision"
)

// outcome is all that a buffer's status says.
type outcome struct {
	resolved
	replicas int32
	trouble  *unresolved         // nil if the buffer could be resolved
	room     *provision.Headroom // nil if no plan has looked at it yet
}

// describe sets a buffer's status.
func describe(b *autoscalingv1beta1.CapacityBuffer, o outcome, now time.Time) {
	strategy := autoscalingv1beta1.ActiveCapacityStrategy
	b.Status.ProvisioningStrategy = &strategy
	if o.trouble != nil {
		b.Status.Replicas, b.Status.PodTemplateRef, b.Status.PodTemplateGeneration = nil, nil, nil
		condition.False(b, now, autoscalingv1beta1.ConditionReadyForProvisioning, o.trouble.reason, o.trouble.message)
		condition.False(
			b,
			now,
			autoscalingv1beta1.ConditionProvisioning,
			autoscalingv1beta1.ReasonNotReadyForProvisioning,
			"What the buffer asks for is not known.",
		)
		return
	}
	b.Status.Replicas, b.Status.PodTemplateRef, b.Status.PodTemplateGeneration = &o.replicas, nil, nil
	if o.podName != "" {
		b.Status.PodTemplateRef = &autoscalingv1beta1.LocalObjectRef{Name: o.podName}
		b.Status.PodTemplateGeneration = &o.generation
	}
	condition.TrueBecause(
		b,
		now,
		autoscalingv1beta1.ConditionReadyForProvisioning,
		autoscalingv1beta1.ReasonResolved,
		"",
	)
	if c, ok := provisioning(o); ok {
		condition.Set(b, now, c)
	}
}

// provisioning is what the last plan says of the room. ok is false while it says nothing.
func provisioning(o outcome) (c metav1.Condition, ok bool) {
	c = metav1.Condition{Type: autoscalingv1beta1.ConditionProvisioning, Status: metav1.ConditionFalse}
	switch {
	case o.replicas == 0:
		c.Reason, c.Message = autoscalingv1beta1.ReasonBufferEmpty, "The buffer keeps room for no pod."
	case o.room == nil || o.room.Ready+o.room.New+o.room.Short != int(o.replicas):
		return c, false // the plan was of before the buffer changed
	case o.room.Short > 0:
		c.Reason = autoscalingv1beta1.ReasonRequiresNewCapacity
		c.Message = fmt.Sprintf("There is no room for %d of %d pods: %s", o.room.Short, o.replicas, o.room.Why)
	case o.room.New > 0:
		c.Reason = autoscalingv1beta1.ReasonRequiresNewCapacity
		c.Message = fmt.Sprintf("Room for %d of %d pods is on its way.", o.room.New, o.replicas)
	default:
		c.Status, c.Reason = metav1.ConditionTrue, autoscalingv1beta1.ReasonFitsExistingCapacity
		c.Message = fmt.Sprintf("There is room for all %d pods on nodes that are ready.", o.replicas)
	}
	return c, true
}
