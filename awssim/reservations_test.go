package awssim_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/catalog"
)

// reserve makes a capacity reservation of m5.large in us-east-1a.
func (a *account) reserve(t *testing.T, count int32, criteria ec2types.InstanceMatchCriteria, end *time.Time) string {
	t.Helper()
	in := &ec2.CreateCapacityReservationInput{
		InstanceType: aws.String("m5.large"), InstancePlatform: ec2types.CapacityReservationInstancePlatformLinuxUnix,
		AvailabilityZone: aws.String("us-east-1a"), InstanceCount: aws.Int32(count), InstanceMatchCriteria: criteria,
		TagSpecifications: []ec2types.TagSpecification{
			{
				ResourceType: ec2types.ResourceTypeCapacityReservation,
				Tags:         []ec2types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
			},
		},
	}
	if end != nil {
		in.EndDateType, in.EndDate = ec2types.EndDateTypeLimited, end
	}
	return *must[*ec2.CreateCapacityReservationOutput](t)(a.ec2.CreateCapacityReservation(t.Context(), in)).CapacityReservation.CapacityReservationId
}

func (a *account) reservation(t *testing.T, id string) ec2types.CapacityReservation {
	t.Helper()
	out := must[*ec2.DescribeCapacityReservationsOutput](
		t,
	)(
		a.ec2.DescribeCapacityReservations(t.Context(), &ec2.DescribeCapacityReservationsInput{
			Filters: []ec2types.Filter{filterBy("tag:team", "blue")},
		}),
	)
	for _, r := range out.CapacityReservations {
		if *r.CapacityReservationId == id {
			return r
		}
	}
	t.Fatalf("reservation %s is not described: %+v", id, out.CapacityReservations)
	return ec2types.CapacityReservation{}
}

// into makes a template's launches go into a reservation.
func into(id string, market ec2types.MarketType) func(*ec2types.RequestLaunchTemplateData) {
	return func(d *ec2types.RequestLaunchTemplateData) {
		d.CapacityReservationSpecification = &ec2types.LaunchTemplateCapacityReservationSpecificationRequest{
			CapacityReservationTarget: &ec2types.CapacityReservationTarget{CapacityReservationId: aws.String(id)},
		}
		if market != "" {
			d.InstanceMarketOptions = &ec2types.LaunchTemplateInstanceMarketOptionsRequest{MarketType: market}
		}
	}
}

// preferring makes a template's launches use reservations so.
func preferring(p ec2types.CapacityReservationPreference) func(*ec2types.RequestLaunchTemplateData) {
	return func(d *ec2types.RequestLaunchTemplateData) {
		d.CapacityReservationSpecification = &ec2types.LaunchTemplateCapacityReservationSpecificationRequest{
			CapacityReservationPreference: p,
		}
	}
}

func large(template string, count int32) fleet {
	return fleet{
		template: template,
		types:    []ec2types.InstanceType{"m5.large"},
		zones:    []string{"us-east-1a"},
		count:    count,
	}
}

func TestTargetedReservations(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	id := a.reserve(t, 2, ec2types.InstanceMatchCriteriaTargeted, nil)
	none := 0
	if err := a.SetCapacity(
		awssim.Capacity{Type: "m5.large", Zone: "*", Capacity: "on-demand", Available: &none},
	); err != nil {
		t.Fatal(err)
	}
	a.template(t, "lt-into", into(id, ""))
	a.template(t, "lt-plain")
	if out := a.launch(t, large("lt-plain", 1)); len(out.Instances) != 0 {
		t.Errorf("a launch that names no reservation used a targeted one: %+v", out.Instances)
	}
	out := a.launch(t, large("lt-into", 3))
	if len(out.Instances) != 1 || len(out.Instances[0].InstanceIds) != 2 ||
		aws.ToString(out.Errors[0].ErrorCode) != "ReservationCapacityExceeded" {
		t.Fatalf("3 launches into a reservation of 2: %+v", out)
	}
	if r := a.reservation(
		t,
		id,
	); *r.AvailableInstanceCount != 0 || *r.TotalInstanceCount != 2 ||
		r.State != "active" {
		t.Errorf("reservation %+v", r)
	}
	first := out.Instances[0].InstanceIds[0]
	if in := a.describe(t, first); aws.ToString(in.CapacityReservationId) != id {
		t.Errorf("the instance does not say which reservation it is in: %+v", in.CapacityReservationId)
	}
	must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{first}}),
	)
	a.clock.Step(time.Minute)
	if r := a.reservation(t, id); *r.AvailableInstanceCount != 1 {
		t.Errorf("%d available after one of two ended, want 1", *r.AvailableInstanceCount)
	}
}

func TestOpenReservations(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	end := noon.Add(time.Hour)
	id := a.reserve(t, 1, ec2types.InstanceMatchCriteriaOpen, &end)
	a.template(t, "lt-none", preferring("none"))
	a.template(t, "lt-only", preferring("capacity-reservations-only"))
	a.template(t, "lt-plain")
	if in := a.describe(t, a.one(t, "lt-none", false)); in.CapacityReservationId != nil {
		t.Error("a launch that wants no reservation used one")
	}
	inside := a.one(t, "lt-plain", false)
	if in := a.describe(t, inside); aws.ToString(in.CapacityReservationId) != id {
		t.Error("a launch that says nothing did not use the open reservation")
	}
	if in := a.describe(t, a.one(t, "lt-plain", false)); in.CapacityReservationId != nil {
		t.Error("a full reservation took another instance")
	}
	if out := a.launch(
		t,
		large("lt-only", 1),
	); len(out.Instances) != 0 ||
		aws.ToString(out.Errors[0].ErrorCode) != "ReservationCapacityExceeded" {
		t.Errorf("a launch into reservations only, when none has room: %+v", out)
	}
	a.clock.Step(time.Hour)
	if in := a.describe(t, inside); in.CapacityReservationId != nil || in.State.Name != "running" {
		t.Errorf(
			"when its reservation is over the instance is %s in %v, want it to run on outside",
			in.State.Name,
			in.CapacityReservationId,
		)
	}
	if r := a.reservation(t, id); r.State != "expired" {
		t.Errorf("the reservation is %s, want expired", r.State)
	}
}

func TestReservedFirst(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.reserve(t, 1, ec2types.InstanceMatchCriteriaOpen, nil)
	a.template(t, "lt-a")
	in := a.input(
		t,
		fleet{
			template: "lt-a",
			types:    []ec2types.InstanceType{"c5.large", "m5.large"},
			zones:    []string{"us-east-1a"},
			count:    1,
		},
	)
	in.OnDemandOptions.CapacityReservationOptions = &ec2types.CapacityReservationOptionsRequest{
		UsageStrategy: ec2types.FleetCapacityReservationUsageStrategyUseCapacityReservationsFirst,
	}
	out := must[*ec2.CreateFleetOutput](t)(a.ec2.CreateFleet(t.Context(), in))
	if len(out.Instances) != 1 || out.Instances[0].InstanceType != "m5.large" {
		t.Errorf("launched %+v, want the dearer type, which is reserved", out.Instances)
	}
}

func TestCapacityBlocks(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()
	offers := must[*ec2.DescribeCapacityBlockOfferingsOutput](
		t,
	)(
		a.ec2.DescribeCapacityBlockOfferings(ctx, &ec2.DescribeCapacityBlockOfferingsInput{
			InstanceType: aws.String(
				"p5.48xlarge",
			),
			InstanceCount:         aws.Int32(1),
			CapacityDurationHours: aws.Int32(24),
			StartDateRange:        aws.Time(noon.Add(time.Hour)),
		}),
	).CapacityBlockOfferings
	price, _ := catalog.OnDemand("us-east-1", "p5.48xlarge")
	if want := fmt.Sprintf(
		"%.2f",
		float64(24*price)/1e6,
	); len(offers) != 1 ||
		aws.ToString(offers[0].UpfrontFee) != want {
		t.Fatalf("offers %+v, want one for %s dollars", offers, want)
	}
	block := must[*ec2.PurchaseCapacityBlockOutput](
		t,
	)(
		a.ec2.PurchaseCapacityBlock(ctx, &ec2.PurchaseCapacityBlockInput{
			CapacityBlockOfferingId: offers[0].CapacityBlockOfferingId,
			InstancePlatform:        ec2types.CapacityReservationInstancePlatformLinuxUnix,
			TagSpecifications: []ec2types.TagSpecification{
				{
					ResourceType: ec2types.ResourceTypeCapacityReservation,
					Tags:         []ec2types.Tag{{Key: aws.String("team"), Value: aws.String("blue")}},
				},
			},
		}),
	).CapacityReservation
	id := *block.CapacityReservationId
	if block.State != "scheduled" || block.ReservationType != ec2types.CapacityReservationTypeCapacityBlock {
		t.Errorf("block %+v", block)
	}
	a.template(t, "lt-block", into(id, ec2types.MarketTypeCapacityBlock))
	in := a.input(
		t,
		fleet{
			template: "lt-block",
			types:    []ec2types.InstanceType{"p5.48xlarge"},
			zones:    []string{*block.AvailabilityZone},
			count:    1,
		},
	)
	in.OnDemandOptions = nil
	in.TargetCapacitySpecification.DefaultTargetCapacityType = ec2types.DefaultTargetCapacityTypeCapacityBlock
	if out := must[*ec2.CreateFleetOutput](t)(a.ec2.CreateFleet(ctx, in)); len(out.Instances) != 0 {
		t.Errorf("launched before the block began: %+v", out.Instances)
	}
	inbox := a.mailbox(t)
	a.clock.Step(time.Hour)
	in.ClientToken = nil // the client set one: with it, the answer would be the same
	out := must[*ec2.CreateFleetOutput](t)(a.ec2.CreateFleet(ctx, in))
	if len(out.Instances) != 1 || out.Instances[0].Lifecycle != ec2types.InstanceLifecycleCapacityBlock {
		t.Fatalf("launched %+v, because %s", out.Instances, aws.ToString(out.Errors[0].ErrorMessage))
	}
	instance := out.Instances[0].InstanceIds[0]
	if got := a.describe(t, instance).InstanceLifecycle; got != ec2types.InstanceLifecycleTypeCapacityBlock {
		t.Errorf("lifecycle %s", got)
	}
	for e := inbox.next(t); !strings.Contains(e.body, `"detail_type":"Capacity Block Reservation Delivered"`); e = inbox.next(t) {
	}
	a.clock.Step(23*time.Hour + 21*time.Minute)
	for e := inbox.next(t); !strings.Contains(e.body, `"detail_type":"Capacity Block Reservation Expiration Warning"`); e = inbox.next(t) {
	}
	if got := a.describe(t, instance).State.Name; got != "running" {
		t.Errorf("39 minutes before the end the instance is %s", got)
	}
	a.clock.Step(10 * time.Minute)
	if got := a.describe(t, instance); got.State.Name == "running" {
		t.Error("29 minutes before the end the instance still runs")
	}
}

func TestInterruptibleReservations(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()
	source := a.reserve(t, 3, ec2types.InstanceMatchCriteriaTargeted, nil)
	must[*ec2.CreateInterruptibleCapacityReservationAllocationOutput](
		t,
	)(
		a.ec2.CreateInterruptibleCapacityReservationAllocation(
			ctx,
			&ec2.CreateInterruptibleCapacityReservationAllocationInput{
				CapacityReservationId: aws.String(source),
				InstanceCount:         aws.Int32(2),
			},
		),
	)
	var part ec2types.CapacityReservation
	for _, r := range must[*ec2.DescribeCapacityReservationsOutput](t)(a.ec2.DescribeCapacityReservations(ctx, &ec2.DescribeCapacityReservationsInput{})).CapacityReservations {
		if aws.ToBool(r.Interruptible) {
			part = r
		}
	}
	if part.InterruptionInfo == nil || *part.InterruptionInfo.SourceCapacityReservationId != source ||
		*part.TotalInstanceCount != 2 {
		t.Fatalf("the interruptible part: %+v", part)
	}
	a.template(t, "lt-part", into(*part.CapacityReservationId, ec2types.MarketTypeInterruptibleCapacityReservation))
	in := a.input(t, large("lt-part", 1))
	in.OnDemandOptions = nil
	in.TargetCapacitySpecification.DefaultTargetCapacityType = ec2types.DefaultTargetCapacityTypeReservedCapacity
	in.ReservedCapacityOptions = &ec2types.ReservedCapacityOptionsRequest{
		ReservationTypes: []ec2types.FleetReservationType{
			ec2types.FleetReservationTypeInterruptibleCapacityReservation,
		},
	}
	out := must[*ec2.CreateFleetOutput](t)(a.ec2.CreateFleet(ctx, in))
	if len(out.Instances) != 1 ||
		out.Instances[0].Lifecycle != ec2types.InstanceLifecycleInterruptibleCapacityReservation {
		t.Fatalf("launched %+v, because %s", out.Instances, aws.ToString(out.Errors[0].ErrorMessage))
	}
	inbox := a.mailbox(t)
	a.befall(
		t,
		control.Event{Kind: control.Reclaim, Target: awssim.Target{Instance: out.Instances[0].InstanceIds[0]}},
	)
	inbox.of(t, "EC2 Capacity Reservation Instance Interruption Warning")
}

func TestPlacementGroups(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()
	in := func(group string) func(*ec2types.RequestLaunchTemplateData) {
		return func(d *ec2types.RequestLaunchTemplateData) {
			d.Placement = &ec2types.LaunchTemplatePlacementRequest{GroupName: aws.String(group)}
		}
	}
	for name, strategy := range map[string]ec2types.PlacementStrategy{"near": "cluster", "far": "spread", "parts": "partition"} {
		input := &ec2.CreatePlacementGroupInput{GroupName: aws.String(name), Strategy: strategy}
		if strategy == "partition" {
			input.PartitionCount = aws.Int32(3)
		}
		must[*ec2.CreatePlacementGroupOutput](t)(a.ec2.CreatePlacementGroup(ctx, input))
		a.template(t, "lt-"+name, in(name))
	}
	a.template(t, "lt-nowhere", in("nowhere"))
	code := func(template, zone string, count int32, kind ec2types.InstanceType) string {
		out := a.launch(
			t,
			fleet{template: template, types: []ec2types.InstanceType{kind}, zones: []string{zone}, count: count},
		)
		if len(out.Errors) == 0 {
			return ""
		}
		return aws.ToString(out.Errors[0].ErrorCode)
	}
	for _, tc := range []struct {
		why, template, zone string
		count               int32
		kind                ec2types.InstanceType
		want                string
	}{
		{"A group that does not exist", "lt-nowhere", "us-east-1a", 1, "m5.large", "InvalidPlacementGroup.Unknown"},
		{"Burstable types have no cluster groups", "lt-near", "us-east-1a", 1, "t3.large", "InvalidParameterCombination"},
		{"The first of a cluster decides its zone", "lt-near", "us-east-1a", 2, "m5.large", ""},
		{"A cluster is in one zone", "lt-near", "us-east-1b", 1, "m5.large", "InvalidPlacementGroup.InUse"},
		{"Seven of a spread group fit a zone", "lt-far", "us-east-1a", 8, "m5.large", "InsufficientInstanceCapacity"},
		{"Another zone has room for seven more", "lt-far", "us-east-1b", 7, "m5.large", ""},
		{"Partitions take many", "lt-parts", "us-east-1a", 7, "m5.large", ""},
	} {
		if got := code(tc.template, tc.zone, tc.count, tc.kind); got != tc.want {
			t.Errorf("%s: code %q, want %q", tc.why, got, tc.want)
		}
	}
	counts := map[int32]int{}
	for _, r := range must[*ec2.DescribeInstancesOutput](t)(a.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{
		Filters: []ec2types.Filter{filterBy("placement-group-name", "parts")},
	})).Reservations {
		for _, one := range r.Instances {
			counts[aws.ToInt32(one.Placement.PartitionNumber)]++
		}
	}
	if counts[1] != 3 || counts[2] != 2 || counts[3] != 2 {
		t.Errorf("instances by partition: %v, want 7 spread evenly over 3", counts)
	}
	_, err := a.ec2.DeletePlacementGroup(ctx, &ec2.DeletePlacementGroupInput{GroupName: aws.String("near")})
	wantCode(t, err, "InvalidPlacementGroup.InUse")
	described := must[*ec2.DescribePlacementGroupsOutput](
		t,
	)(
		a.ec2.DescribePlacementGroups(ctx, &ec2.DescribePlacementGroupsInput{
			Filters: []ec2types.Filter{filterBy("strategy", "partition")},
		}),
	).PlacementGroups
	if len(described) != 1 || *described[0].GroupName != "parts" || *described[0].PartitionCount != 3 ||
		described[0].State != "available" {
		t.Errorf("groups %+v", described)
	}
}
