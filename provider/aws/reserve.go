package aws

import (
	"context"
	"errors"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

var _ provider.Reserver = (*Cloud)(nil)

// Reservation asks EC2 whether a claim's instance still runs in its reservation, and the class whether that is a
// capacity block which is about to end.
func (c *Cloud) Reservation(ctx context.Context, claim *karpenterv1.NodeClaim) (provider.ReservationState, error) {
	i, err := c.instance(ctx, claim.Status.ProviderID)
	if err != nil {
		return "", err
	}
	id := awssdk.ToString(i.CapacityReservationId)
	if id == "" {
		return provider.ReservationLost, nil
	}
	if claim.Spec.NodeClassRef == nil {
		return provider.ReservationHeld, nil
	}
	class, err := c.class(ctx, *claim.Spec.NodeClassRef)
	if errors.Is(err, provider.ErrClassNotFound) {
		return provider.ReservationHeld, nil
	}
	if err != nil {
		return "", err
	}
	ending := slices.ContainsFunc(class.Status.CapacityReservations, func(r awsv1.CapacityReservation) bool {
		return r.ID == id && r.State == awsv1.CapacityReservationStateExpiring
	})
	if ending {
		return provider.ReservationEnding, nil
	}
	return provider.ReservationHeld, nil
}

// ReservationLabels are those of capacity reservations.
func (c *Cloud) ReservationLabels() []string {
	return []string{awsv1.LabelCapacityReservationID, awsv1.LabelCapacityReservationType, awsv1.LabelCapacityReservationInterruptible}
}
