package awssim_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/fault"
)

func (a *account) set(t *testing.T, s awssim.Settings) {
	t.Helper()
	must[control.Settings](t)(control.New(a.URL()).Set(t.Context(), s))
}

// lag makes descriptions lag behind.
func (a *account) lag(t *testing.T, d time.Duration) {
	t.Helper()
	lag := fault.Duration(d)
	a.set(t, awssim.Settings{Lag: &lag})
}

// No network is as quick as loopback, and AWS's SDK for Go breaks large answers that come sooner than its own request
// is over.
func TestAnswersTakeAsLongAsTheFloor(t *testing.T) {
	t.Parallel()
	const floor = 30 * time.Millisecond
	a := newAccount(t, func(o *awssim.Options) { o.Floor = floor })
	start := time.Now()
	must[*ec2.DescribeVpcsOutput](t)(a.ec2.DescribeVpcs(t.Context(), &ec2.DescribeVpcsInput{}))
	if took := time.Since(start); took < floor {
		t.Errorf("an answer took %s, want %s at least", took, floor)
	}
	if got := time.Duration(*a.Status().Settings.Floor); got != floor {
		t.Errorf("status tells a floor of %s, want %s", got, floor)
	}
	tooLong := control.Settings{Floor: new(fault.Duration)}
	*tooLong.Floor = fault.Duration(time.Minute)
	if _, err := a.Set(tooLong); err == nil {
		t.Error("a floor of a minute was taken; every client would give up")
	}
}

func TestThrottlingByBuckets(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	subnet := a.subnets(t)["us-east-1a"]
	on := true
	a.set(t, awssim.Settings{Throttling: &on})
	ctx := t.Context()
	calls := map[string]struct {
		burst, perSecond int
		call             func() error
	}{
		"Broad": {50, 10, func() error {
			_, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
			return err
		}},
		"Filtered": {100, 20, func() error {
			_, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{subnet}})
			return err
		}},
		"Paged": {100, 20, func() error {
			_, err := a.ec2.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{MaxResults: aws.Int32(5)})
			return err
		}},
		"Changing": {50, 5, func() error {
			_, err := a.ec2.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
				DryRun: aws.Bool(
					true,
				),
				LaunchTemplateName: aws.String("lt-a"),
				LaunchTemplateData: &ec2types.RequestLaunchTemplateData{KeyName: aws.String("k")},
			})
			return err
		}},
	}
	throttled := func(err error) bool { return err != nil && strings.Contains(err.Error(), "RequestLimitExceeded") }
	for name, tc := range calls {
		passed := 0
		for !throttled(tc.call()) {
			passed++
		}
		if passed != tc.burst {
			t.Errorf("%s: %d calls passed at once, want %d", name, passed, tc.burst)
		}
	}
	a.clock.Step(time.Second)
	for name, tc := range calls {
		passed := 0
		for !throttled(tc.call()) {
			passed++
		}
		if passed != tc.perSecond {
			t.Errorf("%s: %d calls passed after a second, want %d", name, passed, tc.perSecond)
		}
	}
	off := false
	a.set(t, awssim.Settings{Throttling: &off})
	if err := calls["Broad"].call(); err != nil {
		t.Errorf("after throttling was switched off: %v", err)
	}
}

func TestTerminationsPayForEachInstance(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	on := true
	a.set(t, awssim.Settings{Throttling: &on})
	ids := make([]string, 600)
	for i := range ids {
		ids[i] = "i-00000000000000000"
	}
	terminate := func() error {
		_, err := a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: ids})
		return err
	}
	wantCode(t, terminate(), "InvalidInstanceID.NotFound")
	wantCode(t, terminate(), "RequestLimitExceeded") // 1200 of the 1000 that may end at once
}

func TestDescriptionsLagBehind(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	a.lag(t, 5*time.Second)
	ctx := t.Context()
	template := a.template(t, "lt-a")
	_, err := a.ec2.DescribeLaunchTemplates(
		ctx,
		&ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{template}},
	)
	wantCode(t, err, "InvalidLaunchTemplateId.NotFound")
	id := a.one(t, "lt-a", false) // a launch sees the template at once
	_, err = a.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	wantCode(t, err, "InvalidInstanceID.NotFound")
	if all := must[*ec2.DescribeInstancesOutput](
		t,
	)(
		a.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{}),
	); len(
		all.Reservations,
	) != 0 {
		t.Errorf("a list shows the new instance at once: %+v", all.Reservations)
	}
	a.clock.Step(5 * time.Second)
	if got := a.describe(t, id).State.Name; got != "pending" {
		t.Errorf("5 s after the launch the instance shows as %s, want pending: it ran from 1 s on", got)
	}
	must[*ec2.CreateTagsOutput](
		t,
	)(
		a.ec2.CreateTags(
			ctx,
			&ec2.CreateTagsInput{
				Resources: []string{id},
				Tags:      []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("x")}},
			},
		),
	)
	must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}}),
	)
	must[*ec2.DeleteLaunchTemplateOutput](
		t,
	)(
		a.ec2.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: aws.String(template)}),
	)
	a.clock.Step(4 * time.Second)
	if in := a.describe(t, id); in.State.Name != "running" || nameOf(in) != "" {
		t.Errorf(
			"4 s after tagging and termination: state %s, name %q; want neither to show",
			in.State.Name,
			nameOf(in),
		)
	}
	if got := must[*ec2.DescribeLaunchTemplatesOutput](
		t,
	)(
		a.ec2.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{}),
	); len(
		got.LaunchTemplates,
	) != 1 {
		t.Errorf("%d templates show 4 s after the only one was deleted, want it still", len(got.LaunchTemplates))
	}
	a.clock.Step(time.Second)
	if in := a.describe(t, id); in.State.Name != "shutting-down" || nameOf(in) != "x" {
		t.Errorf("5 s after: state %s, name %q", in.State.Name, nameOf(in))
	}
	_, err = a.ec2.DescribeLaunchTemplates(
		ctx,
		&ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"lt-a"}},
	)
	wantCode(t, err, "InvalidLaunchTemplateName.NotFoundException")
}

func TestSignaturesMustBeThereAndFit(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ask := func(authorization string) string {
		r, err := http.NewRequestWithContext(
			t.Context(),
			http.MethodPost,
			a.URL(),
			strings.NewReader("Action=DescribeVpcs&Version=2016-11-15"),
		)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", authorization)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		calls := a.Calls()
		return calls[len(calls)-1].Code
	}
	const scope = "AWS4-HMAC-SHA256 Credential=AKIA/20261121/us-east-1/"
	for authorization, want := range map[string]string{
		"": "MissingAuthenticationToken",
		scope + "ec2/aws4_request, SignedHeaders=host, Signature=00": "",
		scope + "ec2/aws4_request, SignedHeaders=host":               "IncompleteSignature",
		scope + "sqs/aws4_request, SignedHeaders=host, Signature=00": "AuthFailure",
	} {
		if got := ask(authorization); got != want {
			t.Errorf("Authorization %q was answered with %q, want %q", authorization, got, want)
		}
	}
}

func TestMalformedIDs(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	ctx := t.Context()
	_, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{"subnet-xyz"}})
	wantCode(t, err, "InvalidSubnetId.Malformed")
	_, err = a.ec2.DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{GroupIds: []string{"sg-1"}})
	wantCode(t, err, "InvalidGroupId.Malformed")
	_, err = a.ec2.DescribeImages(ctx, &ec2.DescribeImagesInput{ImageIds: []string{"ami-nope"}})
	wantCode(t, err, "InvalidAMIID.Malformed")
	_, err = a.ec2.DescribeLaunchTemplates(
		ctx,
		&ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{"lt-nope"}},
	)
	wantCode(t, err, "InvalidLaunchTemplateId.Malformed")
	_, err = a.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{"i-nope"}})
	wantCode(t, err, "InvalidInstanceID.Malformed")
	_, err = a.ec2.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{"i-nope"}})
	wantCode(t, err, "InvalidInstanceID.Malformed")
	_, err = a.ec2.DescribeCapacityReservations(
		ctx,
		&ec2.DescribeCapacityReservationsInput{CapacityReservationIds: []string{"cr-nope"}},
	)
	wantCode(t, err, "InvalidCapacityReservationId.Malformed")
}

func TestSubnetsRunOutOfAddresses(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	subnet := a.subnets(t)["us-east-1a"]
	if err := control.New(a.URL()).SetSubnet(t.Context(), control.Subnet{ID: subnet, Free: 20}); err != nil {
		t.Fatal(err)
	}
	free := func() int32 {
		out := must[*ec2.DescribeSubnetsOutput](
			t,
		)(
			a.ec2.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{subnet}}),
		)
		return *out.Subnets[0].AvailableIpAddressCount
	}
	a.template(
		t,
		"lt-prefix",
		func(d *ec2types.RequestLaunchTemplateData) { d.NetworkInterfaces[0].Ipv4PrefixCount = aws.Int32(1) },
	)
	id := a.one(t, "lt-prefix", false)
	if got := free(); got != 3 {
		t.Errorf("%d addresses left after one with a prefix of 16, want 3 of 20", got)
	}
	out := a.launch(
		t,
		fleet{
			template: "lt-prefix",
			types:    []ec2types.InstanceType{"m5.large"},
			zones:    []string{"us-east-1a"},
			count:    1,
		},
	)
	if len(out.Errors) != 1 || aws.ToString(out.Errors[0].ErrorCode) != "InsufficientFreeAddressesInSubnet" {
		t.Errorf("a launch into a full subnet: %+v", out)
	}
	must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}),
	)
	a.clock.Step(time.Minute)
	if got := free(); got != 20 {
		t.Errorf("%d addresses left after termination, want all 20", got)
	}
}
