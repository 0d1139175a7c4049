package awssim_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// EC2 tells of every instance what nobody said at its launch too.
func TestInstancesTellEnclavesAndMetadataOptions(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-plain", func(d *ec2types.RequestLaunchTemplateData) { d.MetadataOptions = nil })
	a.template(t, "lt-rich", func(d *ec2types.RequestLaunchTemplateData) {
		d.EnclaveOptions = &ec2types.LaunchTemplateEnclaveOptionsRequest{Enabled: aws.Bool(true)}
		d.MetadataOptions = &ec2types.LaunchTemplateInstanceMetadataOptionsRequest{
			HttpTokens:              "required",
			HttpPutResponseHopLimit: aws.Int32(2),
		}
	})
	plain, rich := a.describe(t, a.one(t, "lt-plain", false)), a.describe(t, a.one(t, "lt-rich", false))
	for name, tc := range map[string]struct {
		in      ec2types.Instance
		enclave bool
		tokens  ec2types.HttpTokensState
		hops    int32
	}{"Plain": {plain, false, "optional", 1}, "Rich": {rich, true, "required", 2}} {
		m := tc.in.MetadataOptions
		if e := tc.in.EnclaveOptions; e == nil || e.Enabled == nil || *e.Enabled != tc.enclave {
			t.Errorf("%s: enclave options %+v, want enabled %t", name, e, tc.enclave)
		}
		if m.State != "applied" || m.HttpTokens != tc.tokens || aws.ToInt32(m.HttpPutResponseHopLimit) != tc.hops ||
			m.HttpEndpoint != "enabled" ||
			m.HttpProtocolIpv6 != "disabled" ||
			m.InstanceMetadataTags != "disabled" {
			t.Errorf("%s: metadata options %+v", name, m)
		}
	}
	changed := must[*ec2.ModifyInstanceMetadataOptionsOutput](
		t,
	)(
		a.ec2.ModifyInstanceMetadataOptions(t.Context(), &ec2.ModifyInstanceMetadataOptionsInput{
			InstanceId: plain.InstanceId, HttpTokens: "required",
		}),
	)
	if m := a.describe(
		t,
		*plain.InstanceId,
	).MetadataOptions; m.HttpTokens != "required" || m.HttpEndpoint != "enabled" ||
		changed.InstanceMetadataOptions.HttpTokens != "required" {
		t.Errorf("after a change of the tokens alone: %+v", m)
	}
	if m := a.describe(t, *rich.InstanceId).MetadataOptions; aws.ToInt32(m.HttpPutResponseHopLimit) != 2 {
		t.Errorf("another instance changed with it: %+v", m)
	}
}

func TestStatusChecksInitialise(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	status := func() ec2types.InstanceStatus {
		out := must[*ec2.DescribeInstanceStatusOutput](
			t,
		)(
			a.ec2.DescribeInstanceStatus(t.Context(), &ec2.DescribeInstanceStatusInput{InstanceIds: []string{id}}),
		)
		if len(out.InstanceStatuses) != 1 {
			t.Fatalf("%d statuses, want 1", len(out.InstanceStatuses))
		}
		return out.InstanceStatuses[0]
	}
	a.clock.Step(2 * time.Second)
	if s := status(); s.InstanceStatus.Status != "initializing" ||
		s.SystemStatus.Details[0].Status != "initializing" {
		t.Errorf("a second after it runs: %+v, %+v", s.InstanceStatus, s.SystemStatus)
	}
	a.clock.Step(5 * time.Minute)
	if s := status(); s.InstanceStatus.Status != "ok" || s.SystemStatus.Status != "ok" {
		t.Errorf("after five minutes: %+v, %+v", s.InstanceStatus, s.SystemStatus)
	}
}

// A stopped instance costs nothing, keeps its address and disks, gives its capacity back, and joins again when it is
// started.
func TestInstancesStopAndStart(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	a.clock.Step(10 * time.Second)
	joined := a.nodes.next(t)
	before := a.describe(t, id)
	if _, err := a.ec2.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: []string{id}}); err != nil {
		t.Errorf("starting what runs: %v", err)
	}
	stopped := must[*ec2.StopInstancesOutput](
		t,
	)(
		a.ec2.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}}),
	)
	if got := stopped.StoppingInstances[0]; got.CurrentState.Name != "stopping" ||
		got.PreviousState.Name != "running" {
		t.Errorf("stopping: %+v", got)
	}
	a.clock.Step(10 * time.Second)
	if change := a.nodes.next(t); !strings.HasPrefix(change, "silenced ") {
		t.Errorf("the cluster saw %q, want the heartbeats to stop", change)
	}
	if got := a.describe(
		t,
		id,
	); got.State.Name != "stopped" || *got.PrivateIpAddress != *before.PrivateIpAddress ||
		len(got.BlockDeviceMappings) != len(before.BlockDeviceMappings) {
		t.Errorf("stopped: %s, %s, %d disks", got.State.Name, *got.PrivateIpAddress, len(got.BlockDeviceMappings))
	}
	paid := a.Status().Spending.Paid
	a.clock.Step(24 * time.Hour)
	if now := a.Status().Spending.Paid; now != paid {
		t.Errorf("a day of standing still cost %d", now-paid)
	}
	must[*ec2.StartInstancesOutput](
		t,
	)(
		a.ec2.StartInstances(t.Context(), &ec2.StartInstancesInput{InstanceIds: []string{id}}),
	)
	a.clock.Step(10 * time.Second)
	if change := a.nodes.next(t); change != joined {
		t.Errorf("started again, the cluster saw %q, want %q", change, joined)
	}
	if got := a.describe(t, id).State.Name; got != "running" {
		t.Errorf("started again it is %s", got)
	}
	must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}),
	)
	_, err := a.ec2.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}})
	wantCode(t, err, "IncorrectInstanceState")
	_, err = a.ec2.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{a.one(t, "lt-a", true)}})
	wantCode(t, err, "IncorrectInstanceState") // pending
	a.clock.Step(10 * time.Second)
}

// An attribute that is changed is that of one instance, not of all that were launched like it.
func TestAttributesOfOneInstanceChange(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id, other := a.one(t, "lt-a", false), a.one(t, "lt-a", false)
	other0 := a.describe(t, other).SecurityGroups[0]
	groups := must[*ec2.DescribeSecurityGroupsOutput](
		t,
	)(
		a.ec2.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupNames: []string{"default"}}),
	)
	for _, in := range []*ec2.ModifyInstanceAttributeInput{
		{InstanceId: &id, Groups: []string{*groups.SecurityGroups[0].GroupId}},
		{InstanceId: &id, DisableApiTermination: &ec2types.AttributeBooleanValue{Value: aws.Bool(true)}},
	} {
		must[*ec2.ModifyInstanceAttributeOutput](t)(a.ec2.ModifyInstanceAttribute(t.Context(), in))
	}
	if got := a.describe(t, id).SecurityGroups; len(got) != 1 || *got[0].GroupName != "default" {
		t.Errorf("groups after the change: %+v", got)
	}
	if got := a.describe(t, other).SecurityGroups; len(got) != 1 || *got[0].GroupId != *other0.GroupId {
		t.Errorf("groups of the other instance: %+v", got)
	}
	_, err := a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
	wantCode(t, err, "OperationNotPermitted")
	must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{other}}),
	)
}

func TestSpotInstancesAreNotStopped(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", true)
	a.clock.Step(2 * time.Second)
	_, err := a.ec2.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: []string{id}})
	wantCode(t, err, "UnsupportedOperation")
	requests := must[*ec2.DescribeSpotInstanceRequestsOutput](
		t,
	)(
		a.ec2.DescribeSpotInstanceRequests(t.Context(), &ec2.DescribeSpotInstanceRequestsInput{
			Filters: []ec2types.Filter{filterBy("instance-id", id)},
		}),
	).SpotInstanceRequests
	if len(requests) != 1 || requests[0].State != "active" || *requests[0].Status.Code != "fulfilled" {
		t.Errorf("requests %+v, want the one behind the instance", requests)
	}
}

// What an instance has besides is told by itself, and agrees with what the instance tells.
func TestVolumesInterfacesAndTheConsole(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	a.clock.Step(10 * time.Second)
	node := strings.TrimPrefix(a.nodes.next(t), "registered ")
	in := a.describe(t, id)
	volumes := must[*ec2.DescribeVolumesOutput](t)(a.ec2.DescribeVolumes(t.Context(), &ec2.DescribeVolumesInput{
		Filters: []ec2types.Filter{filterBy("attachment.instance-id", id)},
	})).Volumes
	if len(volumes) != 1 || *volumes[0].VolumeId != *in.BlockDeviceMappings[0].Ebs.VolumeId ||
		*volumes[0].Size != 20 ||
		!*volumes[0].Encrypted ||
		volumes[0].VolumeType != "gp3" ||
		volumes[0].State != "in-use" {
		t.Errorf("volumes %+v", volumes)
	}
	interfaces := must[*ec2.DescribeNetworkInterfacesOutput](
		t,
	)(
		a.ec2.DescribeNetworkInterfaces(t.Context(), &ec2.DescribeNetworkInterfacesInput{
			Filters: []ec2types.Filter{filterBy("attachment.instance-id", id)},
		}),
	).NetworkInterfaces
	if len(interfaces) != 1 || *interfaces[0].PrivateIpAddress != *in.PrivateIpAddress ||
		len(interfaces[0].TagSet) != 1 {
		t.Errorf("interfaces %+v", interfaces)
	}
	console := must[*ec2.GetConsoleOutputOutput](
		t,
	)(
		a.ec2.GetConsoleOutput(t.Context(), &ec2.GetConsoleOutputInput{InstanceId: &id}),
	)
	text, err := base64.StdEncoding.DecodeString(aws.ToString(console.Output))
	if err != nil || !strings.Contains(string(text), node) {
		t.Errorf("the console says %q (%v), want the node %s in it", text, err, node)
	}
	a.template(
		t,
		"lt-broken",
		func(d *ec2types.RequestLaunchTemplateData) { d.UserData = aws.String(b64("nonsense: [")) },
	)
	lost := a.one(t, "lt-broken", false)
	a.clock.Step(10 * time.Second)
	if err := a.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	console = must[*ec2.GetConsoleOutputOutput](
		t,
	)(
		a.ec2.GetConsoleOutput(t.Context(), &ec2.GetConsoleOutputInput{InstanceId: &lost}),
	)
	if text, _ = base64.StdEncoding.DecodeString(
		aws.ToString(console.Output),
	); !strings.Contains(
		string(text),
		"does not join",
	) {
		t.Errorf("the console of a machine that never joins says %q", text)
	}
	_, err = a.ec2.DescribeVolumes(
		t.Context(),
		&ec2.DescribeVolumesInput{VolumeIds: []string{"vol-00000000000000000"}},
	)
	wantCode(t, err, "InvalidVolume.NotFound")
}

func TestSecurityGroupsTellTheirRules(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	groups := must[*ec2.DescribeSecurityGroupsOutput](
		t,
	)(
		a.ec2.DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{}),
	).SecurityGroups
	for _, g := range groups {
		if len(g.IpPermissions) != 1 || *g.IpPermissions[0].UserIdGroupPairs[0].GroupId != *g.GroupId ||
			len(g.IpPermissionsEgress) != 1 || *g.IpPermissionsEgress[0].IpRanges[0].CidrIp != "0.0.0.0/0" {
			t.Errorf("rules of %s: %+v, %+v", *g.GroupName, g.IpPermissions, g.IpPermissionsEgress)
		}
	}
}

// Windows costs its licence beside the machine, on demand and on spot, wherever a price is told.
func TestWindowsHasPricesOfItsOwn(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	prices := map[string]string{}
	for _, p := range must[*ec2.DescribeSpotPriceHistoryOutput](t)(a.ec2.DescribeSpotPriceHistory(t.Context(), &ec2.DescribeSpotPriceHistoryInput{
		InstanceTypes: []ec2types.InstanceType{"c6a.2xlarge", "c6g.2xlarge"}, AvailabilityZone: aws.String("us-east-1a"),
	})).SpotPriceHistory {
		prices[string(p.InstanceType)+" "+string(p.ProductDescription)] = *p.SpotPrice
	}
	if prices["c6a.2xlarge Windows"] <= prices["c6a.2xlarge Linux/UNIX"] || prices["c6a.2xlarge Windows"] == "" {
		t.Errorf("spot prices %v: Windows costs more than Linux", prices)
	}
	if price, has := prices["c6g.2xlarge Windows"]; has {
		t.Errorf("Windows on Graviton costs %s, want no price", price)
	}
	a.template(t, "lt-windows", func(d *ec2types.RequestLaunchTemplateData) {
		d.ImageId = aws.String(
			a.image(
				t,
				"/aws/service/ami-windows-latest/Windows_Server-2022-English-Core-EKS_Optimized-1.36/image_id",
			),
		)
	})
	a.one(t, "lt-windows", false)
	if got := a.Status().Instances[0].Price; got != 188_000 {
		t.Errorf("status tells %d micro-dollars for an m5.large with Windows, want 188000", got)
	}
}

// Whoever made a template is who STS says calls.
func TestOneCallerEverywhere(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	id := a.template(t, "lt-a")
	made := must[*ec2.DescribeLaunchTemplatesOutput](
		t,
	)(
		a.ec2.DescribeLaunchTemplates(
			t.Context(),
			&ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{id}},
		),
	)
	caller := must[*sts.GetCallerIdentityOutput](
		t,
	)(
		sts.NewFromConfig(a.cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{}),
	)
	if by := *made.LaunchTemplates[0].CreatedBy; by != *caller.Arn || !strings.HasPrefix(*caller.UserId, "AIDA") {
		t.Errorf("the template was made by %s, the caller is %s (%s)", by, *caller.Arn, *caller.UserId)
	}
}

func TestALaunchWithoutATypeAndTheOutpostsOfNobody(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	image := a.image(t, "/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id")
	subnets := must[*ec2.DescribeSubnetsOutput](
		t,
	)(
		a.ec2.DescribeSubnets(
			t.Context(),
			&ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{filterBy("availability-zone", "us-east-1a")}},
		),
	)
	out := must[*ec2.RunInstancesOutput](t)(a.ec2.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId: &image, MinCount: aws.Int32(1), MaxCount: aws.Int32(1), SubnetId: subnets.Subnets[0].SubnetId,
	}))
	if got := out.Instances[0].InstanceType; got != "m1.small" {
		t.Errorf("launched a %s, want EC2's default", got)
	}
	outposts := must[*ec2.DescribeInstanceTypeOfferingsOutput](
		t,
	)(
		a.ec2.DescribeInstanceTypeOfferings(
			t.Context(),
			&ec2.DescribeInstanceTypeOfferingsInput{LocationType: "outpost"},
		),
	)
	if len(outposts.InstanceTypeOfferings) != 0 {
		t.Errorf("%d offerings on Outposts, want none", len(outposts.InstanceTypeOfferings))
	}
	_, err := a.ec2.RunInstances(t.Context(), &ec2.RunInstancesInput{
		ImageId:  &image,
		MinCount: aws.Int32(1),
		MaxCount: aws.Int32(1),
		SubnetId: subnets.Subnets[0].SubnetId,
		KeyName:  aws.String("nobodys"),
	})
	wantCode(t, err, "InvalidKeyPair.NotFound")
}
