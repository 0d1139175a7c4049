package aws

import (
	"context"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
)

var _ provider.Interrupter = (*Cloud)(nil)

// Notices receives from the interruption queue. It must not be called when the settings name none.
func (c *interruptions) Notices(ctx context.Context) ([]provider.Notice, error) {
	return c.notices.Receive(ctx)
}

// Done deletes a notice's message.
func (c *interruptions) Done(ctx context.Context, n provider.Notice) error {
	return c.notices.Delete(ctx, n)
}

// Scarce rests an offering, or a reservation, as if EC2 had been asked for it and had none.
func (c *interruptions) Scarce(labels map[string]string) {
	p := offering.Pool{
		CapacityType: labels[shape.LabelCapacityType],
		InstanceType: labels[shape.LabelInstanceType],
		Zone:         labels[shape.LabelZone],
	}
	if id := labels[awsv1.LabelCapacityReservationID]; id != "" && p.CapacityType == shape.Reserved {
		c.reserved.Refused(id)
		return
	}
	if p.InstanceType != "" && p.Zone != "" {
		c.shortage.Note(p)
	}
}
