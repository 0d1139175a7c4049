package awssim_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/pricing"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/awssim/control"
	"github.com/dovetail-sh/dovetail/awssim/fault"
)

// impatient makes an account's clients try each call once.
func impatient(a *account) *account {
	a.cfg.Retryer = func() aws.Retryer { return aws.NopRetryer{} }
	a.ec2 = ec2.NewFromConfig(a.cfg)
	return a
}

func (a *account) fault(t *testing.T, r fault.Rule) fault.Rule {
	t.Helper()
	return must[fault.Rule](t)(control.New(a.URL()).AddFault(t.Context(), r))
}

// oneOfEach makes one call of every service.
func oneOfEach(a *account) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"ec2": func(ctx context.Context) error {
			_, err := a.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
			return err
		},
		"iam": func(ctx context.Context) error {
			_, err := iam.NewFromConfig(a.cfg).ListInstanceProfiles(ctx, &iam.ListInstanceProfilesInput{})
			return err
		},
		"sts": func(ctx context.Context) error {
			_, err := sts.NewFromConfig(a.cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			return err
		},
		"sqs": func(ctx context.Context) error {
			_, err := sqs.NewFromConfig(a.cfg).
				GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String(clusterName)})
			return err
		},
		"ssm": func(ctx context.Context) error {
			_, err := ssm.NewFromConfig(a.cfg).GetParameters(ctx, &ssm.GetParametersInput{Names: []string{"/none"}})
			return err
		},
		"pricing": func(ctx context.Context) error {
			_, err := pricing.NewFromConfig(a.cfg).
				GetProducts(ctx, &pricing.GetProductsInput{ServiceCode: aws.String("AmazonEC2"), MaxResults: aws.Int32(1)})
			return err
		},
		"eks": func(ctx context.Context) error {
			_, err := eks.NewFromConfig(a.cfg).
				DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(clusterName)})
			return err
		},
	}
}

func TestRefusalsInEachServicesWords(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	want := map[fault.Kind]map[string]string{
		fault.Throttle: {
			"ec2": "RequestLimitExceeded", "iam": "Throttling", "sts": "Throttling", "sqs": "RequestThrottled",
			"ssm": "ThrottlingException", "pricing": "ThrottlingException", "eks": "ThrottlingException",
		},
		fault.ServerError: {
			"ec2": "InternalError", "iam": "ServiceFailure", "sts": "InternalFailure", "sqs": "InternalError",
			"ssm": "InternalServerError", "pricing": "InternalErrorException", "eks": "ServerException",
		},
		fault.AccessDenied: {
			"ec2": "UnauthorizedOperation", "iam": "AccessDenied", "sts": "AccessDenied", "sqs": "AccessDenied",
			"ssm": "AccessDeniedException", "pricing": "AccessDeniedException", "eks": "AccessDeniedException",
		},
	}
	for kind, codes := range want {
		for service, call := range oneOfEach(a) {
			a.fault(t, fault.Rule{Kind: kind, Service: service, Count: 1})
			wantCode(t, call(t.Context()), codes[service])
			if err := call(t.Context()); err != nil {
				t.Errorf("%s: the call after the one that was to go wrong: %v", service, err)
			}
		}
	}
}

func TestAnswersThatDoNotCome(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	for service, call := range oneOfEach(a) {
		for _, kind := range []fault.Kind{fault.Reset, fault.Lost, fault.Malformed} {
			a.fault(t, fault.Rule{Kind: kind, Service: service, Count: 1})
			err := call(t.Context())
			var api smithy.APIError
			if err == nil || errors.As(err, &api) && kind != fault.Malformed {
				t.Errorf("%s after %s: %v, want an error that AWS did not word", service, kind, err)
			}
		}
		a.fault(t, fault.Rule{Kind: fault.Timeout, Service: service, Count: 1})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v, want silence until the client's own deadline", service, err)
		}
		cancel()
		if err := call(t.Context()); err != nil {
			t.Errorf("%s afterwards: %v", service, err)
		}
	}
}

func TestHoldBoundsTheSilence(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	a.fault(t, fault.Rule{Kind: fault.Timeout, Count: 1, Hold: fault.Duration(20 * time.Millisecond)})
	if err := oneOfEach(a)["ec2"](t.Context()); err == nil {
		t.Error("the call succeeded, want the connection reset after 20 ms")
	}
}

func TestSuccessThatWasLost(t *testing.T) {
	t.Parallel()
	for kind, launched := range map[fault.Kind]int{fault.Lost: 1, fault.Malformed: 1, fault.Reset: 0, fault.Throttle: 0} {
		a := impatient(newAccount(t))
		a.template(t, "lt-a")
		f := fleet{
			template: "lt-a",
			types:    []ec2types.InstanceType{"m5.large"},
			zones:    []string{"us-east-1a"},
			count:    1,
			token:    "claim-1",
		}
		in := a.input(t, f)
		a.fault(t, fault.Rule{Kind: kind, Action: "CreateFleet", Count: 1})
		if _, err := a.ec2.CreateFleet(t.Context(), in); err == nil {
			t.Fatalf("%s: the call succeeded", kind)
		}
		if got := len(a.Status().Instances); got != launched {
			t.Errorf("%s: %d instances were launched, want %d", kind, got, launched)
		}
		if again := a.launch(t, f); len(again.Instances) != 1 || len(a.Status().Instances) != 1 {
			t.Errorf(
				"%s: the same token again gave %+v, and %d instances in all; want one",
				kind,
				again.Instances,
				len(a.Status().Instances),
			)
		}
	}
}

func TestEmptyPoolsByFault(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	a.fault(t, fault.Rule{Kind: fault.NoCapacity, Action: "*", Count: 2})
	f := fleet{
		template: "lt-a",
		types:    []ec2types.InstanceType{"m5.large", "c5.large"},
		zones:    []string{"us-east-1a"},
		count:    1,
	}
	out := a.launch(t, f)
	if len(out.Instances) != 0 || len(out.Errors) != 2 ||
		aws.ToString(out.Errors[0].ErrorCode) != "InsufficientInstanceCapacity" {
		t.Errorf("instances %+v, errors %+v; want two empty pools", out.Instances, out.Errors)
	}
	_, err := impatient(a).ec2.RunInstances(t.Context(), &ec2.RunInstancesInput{
		MinCount: aws.Int32(
			1,
		),
		MaxCount:       aws.Int32(1),
		InstanceType:   "m5.large",
		SubnetId:       aws.String(a.subnets(t)["us-east-1a"]),
		LaunchTemplate: &ec2types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("lt-a")},
	})
	wantCode(t, err, "InsufficientInstanceCapacity")
}

func TestPartialSuccess(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	a.template(t, "lt-a")
	a.fault(t, fault.Rule{Kind: fault.Partial, Action: "CreateFleet", Count: 1})
	out := a.launch(
		t,
		fleet{
			template: "lt-a",
			types:    []ec2types.InstanceType{"m5.large", "c5.large"},
			zones:    []string{"us-east-1a"},
			count:    4,
		},
	)
	if len(out.Instances) != 1 || len(out.Instances[0].InstanceIds) != 2 || len(out.Errors) != 2 {
		t.Fatalf(
			"instances %+v, errors %+v; want 2 of 4 from the second-best pool, and both pools' errors",
			out.Instances,
			out.Errors,
		)
	}
	ids := out.Instances[0].InstanceIds

	a.fault(t, fault.Rule{Kind: fault.Partial, Action: "CreateTags", Count: 1})
	_, err := a.ec2.CreateTags(
		t.Context(),
		&ec2.CreateTagsInput{Resources: ids, Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("x")}}},
	)
	wantCode(t, err, "InternalError")
	if first, second := nameOf(a.describe(t, ids[0])), nameOf(a.describe(t, ids[1])); first != "x" || second != "" {
		t.Errorf("names %q and %q, want only the first instance tagged", first, second)
	}

	a.fault(t, fault.Rule{Kind: fault.Partial, Action: "DescribeInstances", Count: 1})
	pages := ec2.NewDescribeInstancesPaginator(a.ec2, &ec2.DescribeInstancesInput{})
	var perPage []int
	for pages.HasMorePages() {
		page := must[*ec2.DescribeInstancesOutput](t)(pages.NextPage(t.Context()))
		perPage = append(perPage, len(page.Reservations[0].Instances))
	}
	if diff := cmp.Diff([]int{1, 1}, perPage); diff != "" {
		t.Errorf("instances on each page: -want +got\n%s", diff)
	}

	a.fault(t, fault.Rule{Kind: fault.Partial, Action: "TerminateInstances", Count: 1})
	_, err = a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: ids})
	wantCode(t, err, "InternalError")
	if first, second := a.describe(
		t,
		ids[0],
	).State.Name, a.describe(
		t,
		ids[1],
	).State.Name; first != "shutting-down" ||
		second != "pending" {
		t.Errorf("states %s and %s, want only the first shutting down", first, second)
	}
}

func nameOf(in ec2types.Instance) string {
	for _, tag := range in.Tags {
		if aws.ToString(tag.Key) == "Name" {
			return aws.ToString(tag.Value)
		}
	}
	return ""
}

func TestPartialBatchDelete(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	queues := sqs.NewFromConfig(a.cfg)
	url := must[*sqs.GetQueueUrlOutput](
		t,
	)(
		queues.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(clusterName)}),
	).QueueUrl
	for range 2 {
		must[*sqs.SendMessageOutput](
			t,
		)(
			queues.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x")}),
		)
	}
	got := must[*sqs.ReceiveMessageOutput](
		t,
	)(
		queues.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10}),
	)
	var entries []sqstypes.DeleteMessageBatchRequestEntry
	for i, m := range got.Messages {
		entries = append(
			entries,
			sqstypes.DeleteMessageBatchRequestEntry{Id: aws.String(fmt.Sprint(i)), ReceiptHandle: m.ReceiptHandle},
		)
	}
	a.fault(t, fault.Rule{Kind: fault.Partial, Service: "sqs", Count: 1})
	out := must[*sqs.DeleteMessageBatchOutput](
		t,
	)(
		queues.DeleteMessageBatch(t.Context(), &sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: entries}),
	)
	if len(out.Successful) != 1 || len(out.Failed) != 1 || aws.ToString(out.Failed[0].Code) != "InternalError" ||
		out.Failed[0].SenderFault {
		t.Errorf("deleted %+v, failed %+v; want one of each, through the service's fault", out.Successful, out.Failed)
	}
}

func TestFaultsPickTheirCalls(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	subnets := a.subnets(t)
	describe := func(id string) error {
		_, err := a.ec2.DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{id}})
		return err
	}
	a.fault(
		t,
		fault.Rule{
			Kind:   fault.ServerError,
			Action: "Describe*",
			Params: map[string]string{"SubnetId.*": subnets["us-east-1b"]},
			Code:   "Unavailable",
		},
	)
	if err := describe(subnets["us-east-1a"]); err != nil {
		t.Errorf("a call with another parameter: %v", err)
	}
	wantCode(t, describe(subnets["us-east-1b"]), "Unavailable")

	in := &ssm.GetParametersInput{Names: []string{"/a", "/b"}}
	a.fault(t, fault.Rule{Kind: fault.Throttle, Service: "ssm", Params: map[string]string{"Names.2": "/b"}, Count: 1})
	_, err := ssm.NewFromConfig(a.cfg).GetParameters(t.Context(), in)
	wantCode(t, err, "ThrottlingException")
	a.fault(
		t,
		fault.Rule{
			Kind:    fault.Throttle,
			Service: "eks",
			Params:  map[string]string{"name": clusterName},
			Skip:    1,
			Count:   1,
		},
	)
	cluster := oneOfEach(a)["eks"]
	if err := cluster(t.Context()); err != nil {
		t.Errorf("the call that was to be skipped: %v", err)
	}
	wantCode(t, cluster(t.Context()), "ThrottlingException")
}

func TestFaultsOverTheAdminAPI(t *testing.T) {
	t.Parallel()
	a := impatient(newAccount(t))
	admin, ctx := control.New(a.URL()), t.Context()
	first := a.fault(t, fault.Rule{Kind: fault.Throttle, Service: "ec2"})
	a.fault(t, fault.Rule{Kind: fault.Reset, Service: "iam", Rate: 0.5})
	wantCode(t, oneOfEach(a)["ec2"](ctx), "RequestLimitExceeded")
	want := []fault.Rule{
		{ID: "1", Kind: fault.Throttle, Service: "ec2", Seen: 1, Hits: 1},
		{ID: "2", Kind: fault.Reset, Service: "iam", Rate: 0.5},
	}
	if diff := cmp.Diff(want, must[[]fault.Rule](t)(admin.Faults(ctx))); diff != "" {
		t.Errorf("rules: -want +got\n%s", diff)
	}
	calls := must[[]control.Call](t)(admin.Calls(ctx))
	if last := calls[len(calls)-1]; last.Fault != fault.Throttle || last.Code != "RequestLimitExceeded" {
		t.Errorf("the log of calls ends with %+v, want it to tell of the fault", last)
	}
	if err := admin.ClearFaults(ctx, first.ID); err != nil {
		t.Fatal(err)
	}
	if err := oneOfEach(a)["ec2"](ctx); err != nil {
		t.Errorf("after its fault was cleared: %v", err)
	}
	if err := admin.ClearFaults(ctx, "9"); err == nil || !strings.Contains(err.Error(), `"9"`) {
		t.Errorf("clearing what is not there: %v, want it named", err)
	}
	if err := admin.ClearFaults(ctx); err != nil || len(a.Faults().List()) != 0 {
		t.Errorf("clearing all: %v, %d rules left", err, len(a.Faults().List()))
	}
	_, err := admin.AddFault(ctx, fault.Rule{Kind: "flood"})
	if err == nil || !strings.Contains(err.Error(), "flood") || !strings.Contains(err.Error(), "throttle") {
		t.Errorf("a kind that does not exist: %v, want it and those that do", err)
	}
}
