package awssim_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/catalog"
)

// dedicatedTo makes a template's launches have a tenancy.
func dedicatedTo(tenancy ec2types.Tenancy) func(*ec2types.RequestLaunchTemplateData) {
	return func(d *ec2types.RequestLaunchTemplateData) {
		d.Placement = &ec2types.LaunchTemplatePlacementRequest{Tenancy: tenancy}
	}
}

func TestInstancesKeepTheirTenancy(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-own", dedicatedTo(ec2types.TenancyDedicated))
	a.template(t, "lt-shared")
	for template, want := range map[string]ec2types.Tenancy{"lt-own": ec2types.TenancyDedicated, "lt-shared": ec2types.TenancyDefault} {
		if got := a.describe(t, a.one(t, template, false)).Placement.Tenancy; got != want {
			t.Errorf("%s launched an instance of tenancy %s, want %s", template, got, want)
		}
	}
	a.clock.Step(time.Second + 10*time.Hour) // billed from running on
	price, _ := catalog.OnDemand("us-east-1", "m5.large")
	if paid := a.Status().Spending.Paid; paid != 21*price {
		t.Errorf(
			"one of each for 10 hours cost %d micro-dollars, want %d: the dedicated one a tenth more",
			paid,
			21*price,
		)
	}
}

func TestBurstableTypesOfOldAreNotDedicated(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-own", dedicatedTo(ec2types.TenancyDedicated))
	out := a.launch(
		t,
		fleet{
			template: "lt-own",
			types:    []ec2types.InstanceType{"t2.large"},
			zones:    []string{"us-east-1a"},
			count:    1,
		},
	)
	if len(out.Instances) != 0 || len(out.Errors) != 1 || aws.ToString(out.Errors[0].ErrorCode) != "Unsupported" {
		t.Errorf("launched %+v, errors %+v; want Unsupported", out.Instances, out.Errors)
	}
	a.template(t, "lt-host", dedicatedTo(ec2types.TenancyHost))
	if out := a.launch(t, large("lt-host", 1)); len(out.Instances) != 0 {
		t.Errorf("a dedicated host was launched on: %+v", out.Instances)
	}
}

// A reservation serves the tenancy that it was made for, and no other.
func TestReservationsHaveATenancy(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	made := must[*ec2.CreateCapacityReservationOutput](
		t,
	)(
		a.ec2.CreateCapacityReservation(t.Context(), &ec2.CreateCapacityReservationInput{
			InstanceType:     aws.String("m5.large"),
			InstancePlatform: ec2types.CapacityReservationInstancePlatformLinuxUnix,
			AvailabilityZone: aws.String(
				"us-east-1a",
			),
			InstanceCount:         aws.Int32(1),
			InstanceMatchCriteria: ec2types.InstanceMatchCriteriaTargeted,
			Tenancy:               ec2types.CapacityReservationTenancyDedicated,
		}),
	).CapacityReservation
	if made.Tenancy != ec2types.CapacityReservationTenancyDedicated {
		t.Errorf("made with tenancy %s", made.Tenancy)
	}
	id := aws.ToString(made.CapacityReservationId)
	a.template(t, "lt-shared", into(id, ""))
	a.template(t, "lt-own", into(id, ""), dedicatedTo(ec2types.TenancyDedicated))
	if out := a.launch(t, large("lt-shared", 1)); len(out.Instances) != 0 {
		t.Errorf("a shared instance runs in a reservation of dedicated ones: %+v", out.Instances)
	}
	if out := a.launch(t, large("lt-own", 1)); len(out.Instances) != 1 {
		t.Errorf("a dedicated instance does not fit its reservation: %+v", out.Errors)
	}
}
