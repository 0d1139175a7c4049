// Package fleet buys one machine at a time with EC2's CreateFleet of type instant, which
// chooses among many offers and answers at once.
//
// It speaks to the API and reads its answer; which offers suit and what an empty answer means
// for later launches is the caller's affair.
package fleet

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/provider/aws/launchtemplate"
)

type api interface {
	CreateFleet(context.Context, *ec2.CreateFleetInput, ...func(*ec2.Options)) (*ec2.CreateFleetOutput, error)
}

// Offer is a type in a zone, with what it takes to start it there.
type Offer struct {
	InstanceType, Zone, Subnet, ImageID, Template string
	Reservation                                   string // empty for none
	Group                                         string // the placement group's ID; empty for none
	Dedicated                                     bool
	VCPUs                                         int64
	Price                                         shape.Money
}

// Kind is how a reservation was bought. One fleet serves one kind.
type Kind string

// Kinds of reservations.
const (
	Default       Kind = "default"
	Block         Kind = "capacity-block"
	Interruptible Kind = "interruptible"
)

// Request is one machine to be bought.
type Request struct {
	CapacityType string  // shape.OnDemand, shape.Spot or shape.Reserved
	Kind         Kind    // of the reservations; only with shape.Reserved
	Offers       []Offer // never empty

	// Prioritized has EC2 follow our prices, not its own: a NodeOverlay set some of them.
	Prioritized bool

	// Token makes the call idempotent: at most 64 letters, digits and dashes.
	Token   string
	Tags    map[string]string // of the fleet, the instance and its volumes
	Context *string           // reserved by EC2
}

// Bought is the machine.
type Bought struct {
	InstanceID string
	Offer      Offer
}

// Failure is why EC2 did not choose an offer. Zone and type are empty where EC2 does not tell.
type Failure struct {
	Code, Message              string
	InstanceType, Zone, Subnet string
}

// Concerns reports whether the failure is about an offer: one that names no type or zone is about all of them.
func (f Failure) Concerns(o Offer) bool {
	return (f.InstanceType == "" || f.InstanceType == o.InstanceType) && (f.Zone == "" || f.Zone == o.Zone)
}

// Answer is what EC2 says: a machine, or why there is none. Failures come with a machine too.
type Answer struct {
	Bought   *Bought
	Failures []Failure
}

// Buy asks EC2 for one machine. An error is the API's; an answer without a machine is none.
func Buy(ctx context.Context, api api, r Request) (Answer, error) {
	out, err := api.CreateFleet(ctx, Input(r))
	if err != nil {
		return Answer{}, fmt.Errorf("creating a fleet: %w", err)
	}
	var a Answer
	for _, e := range out.Errors {
		a.Failures = append(a.Failures, failure(e))
	}
	for _, i := range out.Instances {
		if len(i.InstanceIds) == 0 {
			continue
		}
		offer, ok := r.find(i)
		if !ok {
			return a, fmt.Errorf(
				"creating a fleet: EC2 launched %s, which is none of what was asked for: %s",
				i.InstanceIds[0],
				i.InstanceType,
			)
		}
		a.Bought = &Bought{InstanceID: i.InstanceIds[0], Offer: offer}
		return a, nil
	}
	return a, nil
}

// find is the offer that EC2 chose.
func (r Request) find(i ec2types.CreateFleetInstance) (Offer, bool) {
	zone, subnet := awssdk.ToString(i.AvailabilityZone), awssdk.ToString(i.SubnetId)
	if lt := i.LaunchTemplateAndOverrides; lt != nil && lt.Overrides != nil {
		zone = cmp.Or(awssdk.ToString(lt.Overrides.AvailabilityZone), zone)
		subnet = cmp.Or(awssdk.ToString(lt.Overrides.SubnetId), subnet)
	}
	k := slices.IndexFunc(r.Offers, func(o Offer) bool {
		return o.InstanceType == string(i.InstanceType) && (zone == "" || o.Zone == zone) &&
			(subnet == "" || o.Subnet == subnet)
	})
	if k < 0 {
		return Offer{}, false
	}
	return r.Offers[k], true
}

func failure(e ec2types.CreateFleetError) Failure {
	f := Failure{Code: awssdk.ToString(e.ErrorCode), Message: awssdk.ToString(e.ErrorMessage)}
	if lt := e.LaunchTemplateAndOverrides; lt != nil && lt.Overrides != nil {
		f.InstanceType = string(lt.Overrides.InstanceType)
		f.Zone = awssdk.ToString(lt.Overrides.AvailabilityZone)
		f.Subnet = awssdk.ToString(lt.Overrides.SubnetId)
	}
	return f
}

// Input is the call that buys.
func Input(r Request) *ec2.CreateFleetInput {
	in := &ec2.CreateFleetInput{
		Type:                  ec2types.FleetTypeInstant,
		LaunchTemplateConfigs: r.configs(),
		TargetCapacitySpecification: &ec2types.TargetCapacitySpecificationRequest{
			DefaultTargetCapacityType: ec2types.DefaultTargetCapacityTypeOnDemand,
			TotalTargetCapacity:       awssdk.Int32(1),
		},
		Context: r.Context,
	}
	if r.Token != "" {
		in.ClientToken = awssdk.String(r.Token)
	}
	for _, kind := range []ec2types.ResourceType{ec2types.ResourceTypeInstance, ec2types.ResourceTypeVolume,
		ec2types.ResourceTypeFleet} {
		in.TagSpecifications = append(
			in.TagSpecifications,
			ec2types.TagSpecification{ResourceType: kind, Tags: launchtemplate.Tags(r.Tags)},
		)
	}
	r.target(in)
	return in
}

// target says what is bought and how EC2 chooses.
func (r Request) target(in *ec2.CreateFleetInput) {
	to := &in.TargetCapacitySpecification.DefaultTargetCapacityType
	switch {
	case r.CapacityType == shape.Spot:
		*to = ec2types.DefaultTargetCapacityTypeSpot
		in.SpotOptions = &ec2types.SpotOptionsRequest{
			AllocationStrategy: ec2types.SpotAllocationStrategyPriceCapacityOptimized,
		}
		if r.Prioritized {
			in.SpotOptions.AllocationStrategy = ec2types.SpotAllocationStrategyCapacityOptimizedPrioritized
		}
	case r.CapacityType == shape.Reserved && r.Kind == Block:
		*to = ec2types.DefaultTargetCapacityTypeCapacityBlock
	case r.CapacityType == shape.Reserved && r.Kind == Interruptible:
		*to = ec2types.DefaultTargetCapacityTypeReservedCapacity
		in.ReservedCapacityOptions = &ec2types.ReservedCapacityOptionsRequest{
			ReservationTypes: []ec2types.FleetReservationType{
				ec2types.FleetReservationTypeInterruptibleCapacityReservation,
			},
		}
	default:
		in.OnDemandOptions = &ec2types.OnDemandOptionsRequest{
			AllocationStrategy: ec2types.FleetOnDemandAllocationStrategyLowestPrice,
		}
		if r.Prioritized {
			in.OnDemandOptions.AllocationStrategy = ec2types.FleetOnDemandAllocationStrategyPrioritized
		}
	}
}

// configs groups the offers by template, in the order in which templates first appear.
func (r Request) configs() []ec2types.FleetLaunchTemplateConfigRequest {
	var out []ec2types.FleetLaunchTemplateConfigRequest
	at := map[string]int{}
	for _, o := range r.Offers {
		i, ok := at[o.Template]
		if !ok {
			i = len(out)
			at[o.Template] = i
			out = append(out, ec2types.FleetLaunchTemplateConfigRequest{
				LaunchTemplateSpecification: &ec2types.FleetLaunchTemplateSpecificationRequest{
					LaunchTemplateName: awssdk.String(o.Template),
					Version:            awssdk.String("$Latest"),
				},
			})
		}
		out[i].Overrides = append(out[i].Overrides, ec2types.FleetLaunchTemplateOverridesRequest{
			InstanceType:     ec2types.InstanceType(o.InstanceType),
			SubnetId:         awssdk.String(o.Subnet),
			AvailabilityZone: awssdk.String(o.Zone),
			ImageId:          awssdk.String(o.ImageID),
			Priority:         awssdk.Float64(o.Price.Float()),
		})
	}
	return out
}
