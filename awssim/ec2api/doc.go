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

// machines has the actions on instances besides launching and ending them,
// belongings those about what instances have and use, and sales those about
// what there is to buy and how it was bought.
type (
	machines   struct{ *api }
	belongings struct{ *api }
	sales      struct{ *api }
)

// New makes EC2.
func New(w *world.World) wire.API {
	a := &api{w}
	m, b, s := machines{a}, belongings{a}, sales{a}
	return wire.API{
		Name:      wire.EC2,
		Version:   "2016-11-15",
		Namespace: "http://ec2.amazonaws.com/doc/2016-11-15/",
		Actions: wire.Service{
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
			"StopInstances":                                    wire.Handle(m.stopInstances),
			"StartInstances":                                   wire.Handle(m.startInstances),
			"RebootInstances":                                  wire.Handle(m.rebootInstances),
			"ModifyInstanceMetadataOptions":                    wire.Handle(m.modifyMetadataOptions),
			"ModifyInstanceAttribute":                          wire.Handle(m.modifyInstanceAttribute),
			"DescribeInstanceAttribute":                        wire.Handle(m.describeInstanceAttribute),
			"GetConsoleOutput":                                 wire.Handle(m.getConsoleOutput),
			"DescribeFleets":                                   wire.Handle(m.describeFleets),
			"DescribeVolumes":                                  wire.Handle(b.describeVolumes),
			"DescribeNetworkInterfaces":                        wire.Handle(b.describeNetworkInterfaces),
			"DescribeKeyPairs":                                 wire.Handle(b.describeKeyPairs),
			"CreateKeyPair":                                    wire.Handle(b.createKeyPair),
			"ImportKeyPair":                                    wire.Handle(b.importKeyPair),
			"DeleteKeyPair":                                    wire.Handle(b.deleteKeyPair),
			"DescribeRegions":                                  wire.Handle(s.describeRegions),
			"DescribeAccountAttributes":                        wire.Handle(s.describeAccountAttributes),
			"DescribeSpotInstanceRequests":                     wire.Handle(s.describeSpotInstanceRequests),
			"GetSpotPlacementScores":                           wire.Handle(s.getSpotPlacementScores),
			"DescribeSecurityGroupRules":                       wire.Handle(b.describeSecurityGroupRules),
			"ModifyLaunchTemplate":                             wire.Handle(a.modifyLaunchTemplate),
		},
	}
}

// done is EC2's answer to actions with nothing else to say.
type done struct {
	Return bool `xml:"return"`
}

// stamp writes a time as EC2 does, with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
