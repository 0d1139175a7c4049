package fleet

import (
	"context"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dovetail-sh/dovetail/engine/shape"
)

type answer func(*ec2.CreateFleetInput) (*ec2.CreateFleetOutput, error)

func (f answer) CreateFleet(
	_ context.Context,
	in *ec2.CreateFleetInput,
	_ ...func(*ec2.Options),
) (*ec2.CreateFleetOutput, error) {
	return f(in)
}

func offers() []Offer {
	return []Offer{
		{InstanceType: "m5.large", Zone: "a", Subnet: "subnet-a", ImageID: "ami-1", Template: "t/1", Price: 96_000},
		{InstanceType: "m6g.large", Zone: "a", Subnet: "subnet-a", ImageID: "ami-2", Template: "t/2", Price: 77_000},
		{InstanceType: "m5.large", Zone: "b", Subnet: "subnet-b", ImageID: "ami-1", Template: "t/1", Price: 96_000},
	}
}

func TestInput(t *testing.T) {
	t.Parallel()
	in := Input(
		Request{CapacityType: shape.Spot, Offers: offers(), Token: "token", Tags: map[string]string{"k": "v"}},
	)
	override := func(typ, zone, subnet, ami string, price float64) ec2types.FleetLaunchTemplateOverridesRequest {
		return ec2types.FleetLaunchTemplateOverridesRequest{
			InstanceType: ec2types.InstanceType(
				typ,
			),
			AvailabilityZone: &zone,
			SubnetId:         &subnet,
			ImageId:          &ami,
			Priority:         &price,
		}
	}
	config := func(name string,
		overrides ...ec2types.FleetLaunchTemplateOverridesRequest) ec2types.FleetLaunchTemplateConfigRequest {
		return ec2types.FleetLaunchTemplateConfigRequest{
			LaunchTemplateSpecification: &ec2types.FleetLaunchTemplateSpecificationRequest{
				LaunchTemplateName: &name,
				Version:            awssdk.String("$Latest"),
			},
			Overrides: overrides,
		}
	}
	want := []ec2types.FleetLaunchTemplateConfigRequest{
		config(
			"t/1",
			override("m5.large", "a", "subnet-a", "ami-1", 0.096),
			override("m5.large", "b", "subnet-b", "ami-1", 0.096),
		),
		config("t/2", override("m6g.large", "a", "subnet-a", "ami-2", 0.077)),
	}
	ignore := cmpopts.IgnoreUnexported(
		ec2types.FleetLaunchTemplateConfigRequest{},
		ec2types.FleetLaunchTemplateSpecificationRequest{},
		ec2types.FleetLaunchTemplateOverridesRequest{},
	)
	if diff := cmp.Diff(want, in.LaunchTemplateConfigs, ignore); diff != "" {
		t.Errorf("launch templates: -want +got\n%s", diff)
	}
	if in.Type != ec2types.FleetTypeInstant || *in.TargetCapacitySpecification.TotalTargetCapacity != 1 ||
		*in.ClientToken != "token" {
		t.Errorf("got %+v", in)
	}
	if in.SpotOptions == nil ||
		in.SpotOptions.AllocationStrategy != ec2types.SpotAllocationStrategyPriceCapacityOptimized ||
		in.OnDemandOptions != nil {
		t.Errorf("spot options %+v, on-demand options %+v", in.SpotOptions, in.OnDemandOptions)
	}
	if len(in.TagSpecifications) != 3 {
		t.Errorf("%d tag specifications, want instance, volume and fleet", len(in.TagSpecifications))
	}
}

func TestBuyReadsTheAnswer(t *testing.T) {
	t.Parallel()
	got, err := Buy(t.Context(), answer(func(*ec2.CreateFleetInput) (*ec2.CreateFleetOutput, error) {
		return &ec2.CreateFleetOutput{
			Errors: []ec2types.CreateFleetError{{
				ErrorCode: awssdk.String("InsufficientInstanceCapacity"),
				LaunchTemplateAndOverrides: &ec2types.LaunchTemplateAndOverridesResponse{
					Overrides: &ec2types.FleetLaunchTemplateOverrides{
						InstanceType:     "m6g.large",
						AvailabilityZone: awssdk.String("a"),
					},
				},
			}},
			Instances: []ec2types.CreateFleetInstance{{
				InstanceIds: []string{"i-1"}, InstanceType: "m5.large",
				LaunchTemplateAndOverrides: &ec2types.LaunchTemplateAndOverridesResponse{
					Overrides: &ec2types.FleetLaunchTemplateOverrides{
						InstanceType:     "m5.large",
						AvailabilityZone: awssdk.String("b"),
						SubnetId:         awssdk.String("subnet-b"),
					},
				},
			}},
		}, nil
	}), Request{Offers: offers()})
	if err != nil {
		t.Fatal(err)
	}
	want := Answer{
		Bought:   &Bought{InstanceID: "i-1", Offer: offers()[2]},
		Failures: []Failure{{Code: "InsufficientInstanceCapacity", InstanceType: "m6g.large", Zone: "a"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAMachineThatNobodyAskedForIsAnError(t *testing.T) {
	t.Parallel()
	_, err := Buy(t.Context(), answer(func(*ec2.CreateFleetInput) (*ec2.CreateFleetOutput, error) {
		return &ec2.CreateFleetOutput{
			Instances: []ec2types.CreateFleetInstance{{InstanceIds: []string{"i-1"}, InstanceType: "p5.48xlarge"}},
		}, nil
	}), Request{Offers: offers()})
	if err == nil {
		t.Error("it must not be taken for one of the offers")
	}
}

func TestPricesOfOverlaysLead(t *testing.T) {
	t.Parallel()
	spot := Input(Request{CapacityType: shape.Spot, Offers: offers(), Prioritized: true})
	if got := spot.SpotOptions.AllocationStrategy; got != ec2types.SpotAllocationStrategyCapacityOptimizedPrioritized {
		t.Errorf("spot: %s", got)
	}
	demand := Input(Request{CapacityType: shape.OnDemand, Offers: offers(), Prioritized: true})
	if got := demand.OnDemandOptions.AllocationStrategy; got != ec2types.FleetOnDemandAllocationStrategyPrioritized {
		t.Errorf("on demand: %s: EC2 would choose by its own prices", got)
	}
}
