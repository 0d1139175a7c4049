// Package ec2api answers the EC2 API from a world: it checks parameters and
// filters as EC2 does, calls the world, and puts the answer into EC2's XML
// form. Only what is modelled is accepted: an unknown parameter or filter is
// refused, never ignored.
package ec2api

import (
	"time"

	"github.com/dovetail-sh/dovetail/awssim/wire"
	"github.com/dovetail-sh/dovetail/awssim/world"
)

// api holds the world that the handlers work on.
type api struct{ world *world.World }

// New returns EC2's actions.
func New(w *world.World) wire.Service {
	a := &api{w}
	return wire.Service{
		"CreateFleet":                                      wire.Handle(a.createFleet),
		"RunInstances":                                     wire.Handle(a.runInstances),
		"TerminateInstances":                               wire.Handle(a.terminateInstances),
		"DescribeInstances":                                wire.Handle(a.describeInstances),
		"DescribeInstanceStatus":                           wire.Handle(a.describeInstanceStatus),
		"CreateLaunchTemplate":                             wire.Handle(a.createLaunchTemplate),
		"CreateLaunchTemplateVersion":                      wire.Handle(a.createLaunchTemplateVersion),
		"DeleteLaunchTemplate":                             wire.Handle(a.deleteLaunchTemplate),
		"DescribeLaunchTemplates":                          wire.Handle(a.describeLaunchTemplates),
		"DescribeLaunchTemplateVersions":                   wire.Handle(a.describeLaunchTemplateVersions),
		"DescribeInstanceTypes":                            wire.Handle(a.describeInstanceTypes),
		"DescribeInstanceTypeOfferings":                    wire.Handle(a.describeInstanceTypeOfferings),
		"DescribeSpotPriceHistory":                         wire.Handle(a.describeSpotPriceHistory),
		"DescribeAvailabilityZones":                        wire.Handle(a.describeAvailabilityZones),
		"DescribeVpcs":                                     wire.Handle(a.describeVpcs),
		"DescribeSubnets":                                  wire.Handle(a.describeSubnets),
		"DescribeSecurityGroups":                           wire.Handle(a.describeSecurityGroups),
		"DescribeImages":                                   wire.Handle(a.describeImages),
		"DescribeCapacityReservations":                     wire.Handle(a.describeCapacityReservations),
		"DescribePlacementGroups":                          wire.Handle(a.describePlacementGroups),
		"CreatePlacementGroup":                             wire.Handle(a.createPlacementGroup),
		"DeletePlacementGroup":                             wire.Handle(a.deletePlacementGroup),
		"CreateCapacityReservation":                        wire.Handle(a.createCapacityReservation),
		"CancelCapacityReservation":                        wire.Handle(a.cancelCapacityReservation),
		"DescribeCapacityBlockOfferings":                   wire.Handle(a.describeBlockOfferings),
		"PurchaseCapacityBlock":                            wire.Handle(a.purchaseCapacityBlock),
		"CreateInterruptibleCapacityReservationAllocation": wire.Handle(a.createInterruptible),
		"CreateTags":                                       wire.Handle(a.createTags),
		"DeleteTags":                                       wire.Handle(a.deleteTags),
		"DescribeTags":                                     wire.Handle(a.describeTags),
	}
}

// done is EC2's answer to actions with nothing else to say.
type done struct {
	Return bool `xml:"return"`
}

// stamp writes a time as EC2 does, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
