package awssim_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/awssim"
)

func asAPIError(err error, target *smithy.APIError) bool { return errors.As(err, target) }

func (a *account) image(t *testing.T, parameter string) string {
	t.Helper()
	out := must[*ssm.GetParameterOutput](
		t,
	)(
		ssm.NewFromConfig(a.cfg).GetParameter(t.Context(), &ssm.GetParameterInput{Name: aws.String(parameter)}),
	)
	return aws.ToString(out.Parameter.Value)
}

func TestFleetLaunchesTheCheapest(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	out := a.launch(t, fleet{
		template: "lt-a",
		types:    []ec2types.InstanceType{"m5.4xlarge", "m5.large", "c5.large"},
		zones:    []string{"us-east-1a", "us-east-1b"},
		count:    2,
	})
	if len(out.Errors) != 0 || len(out.Instances) != 1 {
		t.Fatalf("instances %+v, errors %+v; want both instances from one pool", out.Instances, out.Errors)
	}
	got := out.Instances[0]
	if got.InstanceType != "c5.large" || len(got.InstanceIds) != 2 ||
		got.Lifecycle != ec2types.InstanceLifecycleOnDemand {
		t.Errorf(
			"launched %d %s %s, want 2 on-demand c5.large",
			len(got.InstanceIds),
			got.Lifecycle,
			got.InstanceType,
		)
	}
	if aws.ToString(got.LaunchTemplateAndOverrides.Overrides.SubnetId) == "" {
		t.Error("the answer does not say which override launched")
	}
	in := a.describe(t, got.InstanceIds[0])
	tags := map[string]string{}
	for _, tag := range in.Tags {
		tags[aws.ToString(tag.Key)] = aws.ToString(tag.Value)
	}
	want := map[string]string{"karpenter.sh/nodepool": "default", "aws:ec2:fleet-id": aws.ToString(out.FleetId)}
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Errorf("tags: -want +got\n%s", diff)
	}
	if in.State.Name != ec2types.InstanceStateNamePending || aws.ToString(in.PrivateIpAddress) == "" ||
		len(in.SecurityGroups) != 1 {
		t.Errorf(
			"instance: state %s, address %q, %d groups",
			in.State.Name,
			aws.ToString(in.PrivateIpAddress),
			len(in.SecurityGroups),
		)
	}
}

func TestInstanceStatesFollowTheClock(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	a.clock.Step(2 * time.Second)
	if got := a.describe(t, id).State.Name; got != ec2types.InstanceStateNameRunning {
		t.Errorf("after 2 s the instance is %s, want running", got)
	}
	out := must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}),
	)
	change := out.TerminatingInstances[0]
	if change.PreviousState.Name != "running" || change.CurrentState.Name != "shutting-down" {
		t.Errorf("terminating went from %s to %s", change.PreviousState.Name, change.CurrentState.Name)
	}
	a.clock.Step(5 * time.Second)
	gone := a.describe(t, id)
	if gone.State.Name != "terminated" || aws.ToString(gone.PrivateIpAddress) != "" ||
		aws.ToString(gone.StateReason.Code) != "Client.UserInitiatedShutdown" {
		t.Errorf(
			"after termination: state %s, address %q, reason %+v",
			gone.State.Name,
			aws.ToString(gone.PrivateIpAddress),
			gone.StateReason,
		)
	}
	a.clock.Step(2 * time.Hour)
	_, err := a.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	wantCode(t, err, "InvalidInstanceID.NotFound")
}

func TestFleetReportsEachPoolWithoutCapacity(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	none, two := 0, 2
	for _, c := range []awssim.Capacity{
		{Type: "m5.large", Zone: "us-east-1a", Capacity: "spot", Available: &none},
		{Type: "m5.large", Zone: "us-east-1b", Capacity: "spot", Available: &two},
	} {
		if err := a.SetCapacity(c); err != nil {
			t.Fatal(err)
		}
	}
	out := a.launch(t, fleet{
		template: "lt-a",
		types:    []ec2types.InstanceType{"m5.large"},
		zones:    []string{"us-east-1a", "us-east-1b"},
		count:    5,
		spot:     true,
	})
	launched := 0
	for _, in := range out.Instances {
		launched += len(in.InstanceIds)
	}
	if launched != 2 {
		t.Errorf("launched %d, want the 2 that the pool had", launched)
	}
	failed := map[string]string{}
	for _, e := range out.Errors {
		failed[aws.ToString(e.LaunchTemplateAndOverrides.Overrides.AvailabilityZone)] = aws.ToString(e.ErrorCode)
	}
	want := map[string]string{
		"us-east-1a": "InsufficientInstanceCapacity",
		"us-east-1b": "InsufficientInstanceCapacity",
	}
	if diff := cmp.Diff(want, failed); diff != "" {
		t.Errorf("errors by zone: -want +got\n%s", diff)
	}
}

func TestClientTokensMakeLaunchesIdempotent(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	f := fleet{
		template: "lt-a",
		types:    []ec2types.InstanceType{"m5.large"},
		zones:    []string{"us-east-1a"},
		count:    1,
		token:    "claim-1",
	}
	first, second := a.launch(t, f), a.launch(t, f)
	if diff := cmp.Diff(first.Instances[0].InstanceIds, second.Instances[0].InstanceIds); diff != "" {
		t.Errorf("one token made two launches: -first +second\n%s", diff)
	}
	if got := len(a.Status().Instances); got != 1 {
		t.Errorf("%d instances exist, want 1", got)
	}
	f.count = 2
	_, err := a.ec2.CreateFleet(t.Context(), a.input(t, f))
	wantCode(t, err, "IdempotentParameterMismatch")
}

func TestSpotStrategies(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	kinds := []ec2types.InstanceType{"m5.large", "m5.xlarge", "c5.large", "r5.large"}
	zones := []string{"us-east-1a", "us-east-1b", "us-east-1c"}
	for _, strategy := range []string{"lowest-price", "price-capacity-optimized", "capacity-optimized", "capacity-optimized-prioritized"} {
		out := a.launch(
			t,
			fleet{template: "lt-a", types: kinds, zones: zones, count: 1, spot: true, strategy: strategy},
		)
		if len(out.Instances) != 1 || out.Instances[0].Lifecycle != ec2types.InstanceLifecycleSpot {
			t.Errorf("%s launched %+v, errors %+v; want one spot instance", strategy, out.Instances, out.Errors)
		}
	}
	out := a.launch(
		t,
		fleet{
			template: "lt-a",
			types:    []ec2types.InstanceType{"m5.2xlarge", "m5.large"},
			zones:    zones,
			count:    1,
			strategy: "prioritized",
		},
	)
	if got := out.Instances[0].InstanceType; got != "m5.2xlarge" {
		t.Errorf("prioritized launched %s, want m5.2xlarge, which has the first priority", got)
	}
	_, err := a.ec2.CreateFleet(
		t.Context(),
		a.input(t, fleet{template: "lt-a", types: kinds, zones: zones, count: 1, strategy: "cheapest"}),
	)
	wantCode(t, err, "InvalidParameterValue")
}

func TestLaunchesThatEC2Refuses(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "good")
	a.template(
		t,
		"no-profile",
		func(d *ec2types.RequestLaunchTemplateData) { d.IamInstanceProfile.Name = aws.String("nobody") },
	)
	a.template(t, "no-group", func(d *ec2types.RequestLaunchTemplateData) {
		d.NetworkInterfaces[0].Groups = []string{"sg-00000000000000000"}
	})
	a.template(
		t,
		"no-image",
		func(d *ec2types.RequestLaunchTemplateData) { d.ImageId = aws.String("ami-00000000000000000") },
	)
	a.template(t, "reserved", func(d *ec2types.RequestLaunchTemplateData) {
		d.CapacityReservationSpecification = &ec2types.LaunchTemplateCapacityReservationSpecificationRequest{
			CapacityReservationTarget: &ec2types.CapacityReservationTarget{
				CapacityReservationId: aws.String("cr-0123"),
			},
		}
	})
	a.template(t, "grouped", func(d *ec2types.RequestLaunchTemplateData) {
		d.Placement = &ec2types.LaunchTemplatePlacementRequest{GroupName: aws.String("close")}
	})
	zones := []string{"us-east-1a"}
	cases := map[string]struct {
		fleet fleet
		code  string // of the fleet's only error
	}{
		"ArmTypeX86Image": {
			fleet{template: "good", types: []ec2types.InstanceType{"m6g.large"}, zones: zones, count: 1},
			"InvalidParameterValue",
		},
		"UnknownType": {
			fleet{template: "good", types: []ec2types.InstanceType{"m5.huge"}, zones: zones, count: 1},
			"InvalidParameterValue",
		},
		"NotInThisZone": {
			fleet{template: "good", types: []ec2types.InstanceType{"trn1.2xlarge"}, zones: zones, count: 1},
			"Unsupported",
		},
		"MissingProfile": {
			fleet{template: "no-profile", types: []ec2types.InstanceType{"m5.large"}, zones: zones, count: 1},
			"InvalidParameterValue",
		},
		"MissingGroup": {
			fleet{template: "no-group", types: []ec2types.InstanceType{"m5.large"}, zones: zones, count: 1},
			"InvalidGroup.NotFound",
		},
		"MissingReservation": {
			fleet{template: "reserved", types: []ec2types.InstanceType{"m5.large"}, zones: zones, count: 1},
			"InvalidCapacityReservationId.NotFound",
		},
		"MissingPlacement": {
			fleet{template: "grouped", types: []ec2types.InstanceType{"m5.large"}, zones: zones, count: 1},
			"InvalidPlacementGroup.Unknown",
		},
		"MissingImage": {
			fleet{template: "no-image", types: []ec2types.InstanceType{"m5.large"}, zones: zones, count: 1},
			"InvalidAMIID.NotFound",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out := a.launch(t, tc.fleet)
			if len(out.Instances) != 0 || len(out.Errors) != 1 || aws.ToString(out.Errors[0].ErrorCode) != tc.code {
				t.Errorf("instances %+v, errors %+v; want only %s", out.Instances, out.Errors, tc.code)
			}
		})
	}
	_, err := a.ec2.CreateFleet(
		t.Context(),
		a.input(t, fleet{template: "missing", types: []ec2types.InstanceType{"m5.large"}, zones: zones, count: 1}),
	)
	wantCode(t, err, "InvalidLaunchTemplateName.NotFoundException")
}

func TestProtectedInstancesStay(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a", func(d *ec2types.RequestLaunchTemplateData) { d.DisableApiTermination = aws.Bool(true) })
	id := a.one(t, "lt-a", false)
	_, err := a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
	wantCode(t, err, "OperationNotPermitted")
	if got := a.describe(t, id).State.Name; got != ec2types.InstanceStateNamePending {
		t.Errorf("a protected instance is %s", got)
	}
}

func TestQuotaAndAddressesRunOut(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	four := 4
	if err := a.SetQuota(awssim.VCPUs{Bucket: "standard", Capacity: "on-demand", VCPUs: &four}); err != nil {
		t.Fatal(err)
	}
	f := fleet{template: "lt-a", types: []ec2types.InstanceType{"m5.large"}, zones: []string{"us-east-1a"}, count: 3}
	out := a.launch(t, f)
	if len(out.Instances[0].InstanceIds) != 2 || aws.ToString(out.Errors[0].ErrorCode) != "VcpuLimitExceeded" {
		t.Errorf("with 4 vCPUs: instances %+v, errors %+v; want 2 and VcpuLimitExceeded", out.Instances, out.Errors)
	}
	a.limitSubnets(t, 1)
	f.spot, f.count = true, 2
	out = a.launch(t, f)
	if len(out.Instances[0].InstanceIds) != 1 ||
		aws.ToString(out.Errors[0].ErrorCode) != "InsufficientFreeAddressesInSubnet" {
		t.Errorf("with one address: instances %+v, errors %+v", out.Instances, out.Errors)
	}
}

func TestRunInstances(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	in := &ec2.RunInstancesInput{
		LaunchTemplate: &ec2types.LaunchTemplateSpecification{
			LaunchTemplateName: aws.String("lt-a"),
			Version:            aws.String("$Latest"),
		},
		InstanceType: "m5.large",
		SubnetId:     aws.String(a.subnets(t)["us-east-1a"]),
		MinCount:     aws.Int32(1),
		MaxCount:     aws.Int32(2),
		DryRun:       aws.Bool(true),
	}
	_, err := a.ec2.RunInstances(t.Context(), in)
	wantCode(t, err, "DryRunOperation")
	in.DryRun = nil
	out := must[*ec2.RunInstancesOutput](t)(a.ec2.RunInstances(t.Context(), in))
	if len(out.Instances) != 2 {
		t.Fatalf("launched %d, want 2", len(out.Instances))
	}
	in.InstanceType, in.DryRun = "m6g.large", aws.Bool(true)
	_, err = a.ec2.RunInstances(t.Context(), in)
	wantCode(t, err, "InvalidParameterValue")
}

func TestUserDataTooLong(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	_, err := a.ec2.CreateLaunchTemplate(t.Context(), &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String("big"),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{
			UserData: aws.String(b64(strings.Repeat("x", 16385))),
		},
	})
	wantCode(t, err, "InvalidUserData.Malformed")
	if err == nil || !strings.Contains(err.Error(), "limited to") {
		t.Errorf("the message %v does not name the limit", err)
	}
}
