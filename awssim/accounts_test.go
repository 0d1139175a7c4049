package awssim_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/awssim"
)

func TestLaunchTemplates(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()
	id := a.template(t, "lt-a")
	_, err := a.ec2.CreateLaunchTemplate(ctx, &ec2.CreateLaunchTemplateInput{
		LaunchTemplateName: aws.String(
			"lt-a",
		),
		LaunchTemplateData: &ec2types.RequestLaunchTemplateData{KeyName: aws.String("k")},
	})
	wantCode(t, err, "InvalidLaunchTemplateName.AlreadyExistsException")
	listed := must[*ec2.DescribeLaunchTemplatesOutput](
		t,
	)(
		a.ec2.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{
			Filters: []ec2types.Filter{filterBy("tag:eks:eks-cluster-name", clusterName)}, MaxResults: aws.Int32(200),
		}),
	).LaunchTemplates
	if len(listed) != 1 || *listed[0].LaunchTemplateId != id || *listed[0].LatestVersionNumber != 1 {
		t.Errorf("templates by tag: %+v", listed)
	}
	must[*ec2.CreateLaunchTemplateVersionOutput](
		t,
	)(
		a.ec2.CreateLaunchTemplateVersion(ctx, &ec2.CreateLaunchTemplateVersionInput{
			LaunchTemplateId: aws.String(
				id,
			),
			LaunchTemplateData: &ec2types.RequestLaunchTemplateData{InstanceType: "m5.large"},
		}),
	)
	versions := must[*ec2.DescribeLaunchTemplateVersionsOutput](
		t,
	)(
		a.ec2.DescribeLaunchTemplateVersions(ctx, &ec2.DescribeLaunchTemplateVersionsInput{
			LaunchTemplateName: aws.String("lt-a"), Versions: []string{"$Default", "$Latest"},
		}),
	).LaunchTemplateVersions
	if len(versions) != 2 || *versions[0].VersionNumber != 1 || !*versions[0].DefaultVersion ||
		versions[1].LaunchTemplateData.InstanceType != "m5.large" {
		t.Fatalf("versions %+v", versions)
	}
	data := versions[0].LaunchTemplateData
	if aws.ToString(data.UserData) != b64(nodeadmData("team=blue")) ||
		*data.BlockDeviceMappings[0].Ebs.VolumeSize != 20 ||
		len(data.NetworkInterfaces[0].Groups) != 1 ||
		data.MetadataOptions.HttpTokens != "required" ||
		*data.IamInstanceProfile.Name != nodeProfile ||
		*data.TagSpecifications[0].Tags[0].Key != "a" {
		t.Errorf("a template did not come back as it was put in: %+v", data)
	}
	must[*ec2.DeleteLaunchTemplateOutput](
		t,
	)(
		a.ec2.DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateName: aws.String("lt-a")}),
	)
	_, err = a.ec2.DescribeLaunchTemplates(
		ctx,
		&ec2.DescribeLaunchTemplatesInput{LaunchTemplateNames: []string{"lt-a"}},
	)
	wantCode(t, err, "InvalidLaunchTemplateName.NotFoundException")
	_, err = a.ec2.DescribeLaunchTemplates(ctx, &ec2.DescribeLaunchTemplatesInput{LaunchTemplateIds: []string{id}})
	wantCode(t, err, "InvalidLaunchTemplateId.NotFound")
}

func TestTags(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	tags := func() map[string]string {
		out := must[*ec2.DescribeTagsOutput](t)(a.ec2.DescribeTags(ctx, &ec2.DescribeTagsInput{
			Filters: []ec2types.Filter{filterBy("resource-id", id), filterBy("resource-type", "instance")},
		}))
		got := map[string]string{}
		for _, tag := range out.Tags {
			if !strings.HasPrefix(*tag.Key, "aws:") {
				got[*tag.Key] = *tag.Value
			}
		}
		return got
	}
	tag := func(key, value string) []ec2types.Tag {
		return []ec2types.Tag{{Key: aws.String(key), Value: aws.String(value)}}
	}
	must[*ec2.CreateTagsOutput](
		t,
	)(
		a.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: tag("Name", "one")}),
	)
	must[*ec2.CreateTagsOutput](
		t,
	)(
		a.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: tag("Name", "two")}),
	)
	if diff := cmp.Diff(map[string]string{"Name": "two", "karpenter.sh/nodepool": "default"}, tags()); diff != "" {
		t.Errorf("after tagging twice: -want +got\n%s", diff)
	}
	must[*ec2.DeleteTagsOutput](
		t,
	)(
		a.ec2.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: tag("Name", "other value")}),
	)
	must[*ec2.DeleteTagsOutput](
		t,
	)(
		a.ec2.DeleteTags(
			ctx,
			&ec2.DeleteTagsInput{
				Resources: []string{id},
				Tags:      []ec2types.Tag{{Key: aws.String("karpenter.sh/nodepool")}},
			},
		),
	)
	if diff := cmp.Diff(map[string]string{"Name": "two"}, tags()); diff != "" {
		t.Errorf("after deleting: -want +got\n%s", diff)
	}
	_, err := a.ec2.CreateTags(
		ctx,
		&ec2.CreateTagsInput{Resources: []string{"i-00000000000000000"}, Tags: tag("a", "b")},
	)
	wantCode(t, err, "InvalidInstanceID.NotFound")
	_, err = a.ec2.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: tag("aws:mine", "b")})
	wantCode(t, err, "InvalidParameterValue")
}

func TestIdentityClusterAndParameters(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	ctx := t.Context()
	me := must[*sts.GetCallerIdentityOutput](
		t,
	)(
		sts.NewFromConfig(a.cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}),
	)
	if *me.Account != "111122223333" {
		t.Errorf("account %s", *me.Account)
	}
	role := must[*sts.AssumeRoleWithWebIdentityOutput](
		t,
	)(
		sts.NewFromConfig(a.cfg).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{
			RoleArn: aws.String(
				"arn:aws:iam::111122223333:role/controller",
			),
			RoleSessionName:  aws.String("s"),
			WebIdentityToken: aws.String("token"),
		}),
	)
	if aws.ToString(role.Credentials.AccessKeyId) == "" || !role.Credentials.Expiration.After(noon) {
		t.Errorf("credentials %+v", role.Credentials)
	}
	clusters := eks.NewFromConfig(a.cfg)
	got := must[*eks.DescribeClusterOutput](
		t,
	)(
		clusters.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(clusterName)}),
	).Cluster
	ca, _ := base64.StdEncoding.DecodeString(*got.CertificateAuthority.Data)
	if *got.Endpoint != endpoint || string(ca) != clusterCA || *got.Version != "1.36" ||
		*got.KubernetesNetworkConfig.ServiceIpv4Cidr != "10.100.0.0/16" {
		t.Errorf("cluster %+v", got)
	}
	_, err := clusters.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("other")})
	wantCode(t, err, "ResourceNotFoundException")
	_, err = ssm.NewFromConfig(a.cfg).GetParameter(ctx, &ssm.GetParameterInput{
		Name: aws.String("/aws/service/eks/optimized-ami/1.33/amazon-linux-2/recommended/image_id"), // AWS has none
	})
	wantCode(t, err, "ParameterNotFound")
	if one, other := a.image(t, "/aws/service/bottlerocket/aws-k8s-1.36/arm64/latest/image_id"),
		a.image(t, "/aws/service/bottlerocket/aws-k8s-1.36/arm64/1.51.0/image_id"); one == other {
		t.Errorf("the latest Bottlerocket and the one before are the same image %s", one)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	client, ctx := sqs.NewFromConfig(a.cfg), t.Context()
	_, err := client.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: aws.String("missing")})
	var missing *sqstypes.QueueDoesNotExist
	if !errors.As(err, &missing) {
		t.Fatalf("got %v, want QueueDoesNotExist", err)
	}
	url := must[*sqs.CreateQueueOutput](t)(client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName: aws.String("mine"), Attributes: map[string]string{"MessageRetentionPeriod": "300"},
	})).QueueUrl
	for _, body := range []string{"one", "two", "three"} {
		must[*sqs.SendMessageOutput](
			t,
		)(
			client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(body)}),
		)
	}
	got := must[*sqs.ReceiveMessageOutput](t)(client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{
		QueueUrl: url, MaxNumberOfMessages: 2, VisibilityTimeout: 20, WaitTimeSeconds: 20,
	})).Messages
	if len(got) != 2 {
		t.Fatalf("received %d messages, want 2", len(got))
	}
	counts := func() []string {
		out := must[*sqs.GetQueueAttributesOutput](t)(client.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
			QueueUrl: url,
			AttributeNames: []sqstypes.QueueAttributeName{
				"ApproximateNumberOfMessages",
				"ApproximateNumberOfMessagesNotVisible",
			},
		})).Attributes
		return []string{out["ApproximateNumberOfMessages"], out["ApproximateNumberOfMessagesNotVisible"]}
	}
	if diff := cmp.Diff([]string{"1", "2"}, counts()); diff != "" {
		t.Errorf("ready and hidden: -want +got\n%s", diff)
	}
	batch := must[*sqs.DeleteMessageBatchOutput](
		t,
	)(
		client.DeleteMessageBatch(
			ctx,
			&sqs.DeleteMessageBatchInput{QueueUrl: url, Entries: []sqstypes.DeleteMessageBatchRequestEntry{
				{
					Id:            aws.String("a"),
					ReceiptHandle: got[0].ReceiptHandle,
				},
				{Id: aws.String("b"), ReceiptHandle: aws.String("rubbish")},
			}},
		),
	)
	if len(batch.Successful) != 1 || len(batch.Failed) != 1 || *batch.Failed[0].Id != "b" {
		t.Errorf("batch %+v", batch)
	}
	a.clock.Step(21e9)
	again := must[*sqs.ReceiveMessageOutput](
		t,
	)(
		client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10}),
	).Messages
	if len(again) != 2 || *again[0].Body != "two" {
		t.Errorf("after the visibility timeout: %d messages, want the two that were not deleted", len(again))
	}
	a.clock.Step(300e9)
	if diff := cmp.Diff([]string{"0", "0"}, counts()); diff != "" {
		t.Errorf("after the retention: -want +got\n%s", diff)
	}
}

func TestLongPollEndsWhenAMessageComes(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	client, ctx := sqs.NewFromConfig(a.cfg), t.Context()
	url := must[*sqs.CreateQueueOutput](
		t,
	)(
		client.CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: aws.String("mine")}),
	).QueueUrl
	type result struct {
		out *sqs.ReceiveMessageOutput
		err error
	}
	received := make(chan result, 1)
	go func() {
		out, err := client.ReceiveMessage(ctx, &sqs.ReceiveMessageInput{QueueUrl: url, WaitTimeSeconds: 20})
		received <- result{out, err}
	}()
	// The clock does not move, so only the message can end the poll.
	must[*sqs.SendMessageOutput](
		t,
	)(
		client.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("hello")}),
	)
	if got := <-received; got.err != nil || len(got.out.Messages) != 1 {
		t.Errorf("the poll gave %+v, %v; want the message", got.out, got.err)
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	t.Parallel()
	a := newAccount(t, func(o *awssim.Options) { o.AccessKeys = []string{"AKIAKNOWN"} })
	_, err := a.ec2.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{})
	wantCode(t, err, "AuthFailure")
	_, err = sts.NewFromConfig(a.cfg).GetCallerIdentity(t.Context(), &sts.GetCallerIdentityInput{})
	wantCode(t, err, "InvalidClientTokenId")
	_, err = sqs.NewFromConfig(a.cfg).ListQueues(t.Context(), &sqs.ListQueuesInput{})
	wantCode(t, err, "UnrecognizedClientException")
	a.cfg.Credentials = credentials.NewStaticCredentialsProvider("AKIAKNOWN", "secret", "")
	must[*ec2.DescribeInstancesOutput](
		t,
	)(
		ec2.NewFromConfig(a.cfg).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{}),
	)

	var codes []string
	for _, call := range a.Calls() {
		codes = append(codes, call.Service+"."+call.Action+" "+call.Code)
	}
	want := []string{
		"ec2.DescribeInstances AuthFailure", "sts.GetCallerIdentity InvalidClientTokenId",
		"sqs.ListQueues UnrecognizedClientException", "ec2.DescribeInstances ",
	}
	if diff := cmp.Diff(want, codes); diff != "" {
		t.Errorf("call log: -want +got\n%s", diff)
	}
}

func TestAdminAPI(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	do := func(method, path, body string) (int, string) {
		req, err := http.NewRequestWithContext(
			t.Context(),
			method,
			a.URL()+awssim.AdminPath+path,
			strings.NewReader(body),
		)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	_, text := do("GET", "status", "")
	var status awssim.Status
	if err := json.Unmarshal([]byte(text), &status); err != nil {
		t.Fatal(err)
	}
	if len(status.Instances) != 1 || status.Instances[0].ID != id || status.Instances[0].Price != 96_000 {
		t.Errorf("status %+v, want %s at 96000 micro-dollars", status, id)
	}
	if code, text := do(
		"POST",
		"capacity",
		`{"type":"*","zone":"us-east-1a","capacityType":"on-demand","available":0}`,
	); code != 200 {
		t.Errorf("setting capacity: %d %s", code, text)
	}
	out := a.launch(
		t,
		fleet{template: "lt-a", types: []ec2types.InstanceType{"c5.large"}, zones: []string{"us-east-1a"}, count: 1},
	)
	if len(out.Errors) != 1 || *out.Errors[0].ErrorCode != "InsufficientInstanceCapacity" {
		t.Errorf("a zone without capacity gave %+v, %+v", out.Instances, out.Errors)
	}
	for body, want := range map[string]string{
		`{"instance":"` + id + `"}`: "on demand", `{"instance":"i-0"}`: "i-0", `{"machine":"x"}`: "unknown field",
	} {
		if code, text := do("POST", "interrupt", body); code != 400 || !strings.Contains(text, want) {
			t.Errorf("interrupt %s: %d %s, want 400 and %q", body, code, text, want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	if _, err := awssim.New(
		awssim.Options{Region: "mars-north-1"},
	); err == nil ||
		!strings.Contains(err.Error(), "mars-north-1") {
		t.Errorf("an unknown region: %v, want an error that names it", err)
	}
}
