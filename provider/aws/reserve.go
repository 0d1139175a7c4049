package aws

import (
	"context"
	"errors"
	"slices"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	"github.com/dovetail-sh/dovetail/provider"
)

var _ provider.Reserver = (*Cloud)(nil)

// Reservation asks EC2 whether a claim's instance still runs in its reservation, and the class whether that is a
// capacity block which is about to end.
func (c *reserver) Reservation(
	ctx context.Context,
	claim *karpenterv1.NodeClaim,
) (provider.ReservationState, time.Time, error) {
	i, err := c.machines.instance(ctx, claim.Status.ProviderID)
	if err != nil {
		return "", time.Time{}, err
	}
	id := awssdk.ToString(i.CapacityReservationId)
	if id == "" {
		return provider.ReservationLost, time.Time{}, nil
	}
	if claim.Spec.NodeClassRef == nil {
		return provider.ReservationHeld, time.Time{}, nil
	}
	class, err := c.classes.class(ctx, *claim.Spec.NodeClassRef)
	if errors.Is(err, provider.ErrClassNotFound) {
		return provider.ReservationHeld, time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, err
	}
	k := slices.IndexFunc(class.Status.CapacityReservations, func(r awsv1.CapacityReservation) bool {
		return r.ID == id && r.State == awsv1.CapacityReservationStateExpiring
	})
	if k < 0 {
		return provider.ReservationHeld, time.Time{}, nil
	}
	var ends time.Time
	if end := class.Status.CapacityReservations[k].EndTime; end != nil {
		ends = end.Add(-blockClearance)
	}
	return provider.ReservationEnding, ends, nil
}

// blockClearance is how long before a capacity block ends EC2 terminates its instances.
const blockClearance = 30 * time.Minute

// ReservationLabels are those of capacity reservations.
func (c *reserver) ReservationLabels() []string {
	return []string{
		awsv1.LabelCapacityReservationID,
		awsv1.LabelCapacityReservationType,
		awsv1.LabelCapacityReservationInterruptible,
	}
}
