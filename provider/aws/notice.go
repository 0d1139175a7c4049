package aws

import (
	"context"

	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/offering"
)

var _ provider.Interrupter = (*Cloud)(nil)

// Notices receives from the interruption queue. It must not be called when the settings name none.
func (c *Cloud) Notices(ctx context.Context) ([]provider.Notice, error) {
	return c.notices.Receive(ctx)
}

// Done deletes a notice's message.
func (c *Cloud) Done(ctx context.Context, n provider.Notice) error { return c.notices.Delete(ctx, n) }

// Scarce rests an offering as if EC2 had been asked for it and had none.
func (c *Cloud) Scarce(capacityType, instanceType, zone string) {
	c.shortage.Note(offering.Pool{CapacityType: capacityType, InstanceType: instanceType, Zone: zone})
}
