package awssim_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// cli runs the AWS command line against an account. It is the second client:
// another language, another implementation of each protocol.
type cli struct {
	path    string
	account *account
	home    string
}

func newCLI(t *testing.T, a *account) *cli {
	t.Helper()
	if testing.Short() {
		t.Skip("each command starts Python: left out with -short")
	}
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("aws is not on PATH: install awscli (apt-get install awscli) to test with a second client")
	}
	return &cli{path, a, t.TempDir()}
}

// run returns what the command prints, with the error it reports.
func (c *cli) run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	args = append(args, "--endpoint-url", c.account.URL(), "--region", "us-east-1", "--output", "json")
	cmd := exec.CommandContext(t.Context(), c.path, args...)
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "AWS_ACCESS_KEY_ID=AKIATEST", "AWS_SECRET_ACCESS_KEY=secret",
		"AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "AWS_MAX_ATTEMPTS=1",
	}
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return complaint.String(), err
	}
	return string(out), nil
}

// query runs a command and decodes what its JMESPath query selects.
func query[T any](t *testing.T, c *cli, path string, args ...string) T {
	t.Helper()
	text, err := c.run(t, append(args, "--query", path)...)
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, text)
	}
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("aws %s printed %q: %v", strings.Join(args, " "), text, err)
	}
	return out
}

func TestCommandLineLaunchesAndTerminates(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	c := newCLI(t, a)
	// As the tutorials do: the image by SSM, then a template and a fleet.
	image := query[string](t, c, "Parameter.Value", "ssm", "get-parameter", "--name",
		"/aws/service/eks/optimized-ami/1.31/amazon-linux-2-arm64/recommended/image_id")
	if got := query[string](
		t,
		c,
		"Images[0].Architecture",
		"ec2",
		"describe-images",
		"--image-ids",
		image,
	); got != "arm64" {
		t.Errorf("the recommended arm64 image is for %s", got)
	}
	subnet := query[string](
		t,
		c,
		"Subnets[?AvailabilityZone=='us-east-1a'].SubnetId | [0]",
		"ec2",
		"describe-subnets",
		"--filters",
		"Name=tag:karpenter.sh/discovery,Values="+clusterName,
	)
	template := query[string](
		t,
		c,
		"LaunchTemplate.LaunchTemplateId",
		"ec2",
		"create-launch-template",
		"--launch-template-name",
		"cli",
		"--launch-template-data",
		`{"ImageId":"`+image+`","UserData":"`+b64(
			"#!/bin/sh\n",
		)+`","TagSpecifications":[{"ResourceType":"instance","Tags":[{"Key":"Name","Value":"cli"}]}]}`,
		"--tag-specifications",
		"ResourceType=launch-template,Tags=[{Key=a,Value=b}]",
	)
	id := query[string](
		t,
		c,
		"Instances[0].InstanceIds[0]",
		"ec2",
		"create-fleet",
		"--type",
		"instant",
		"--target-capacity-specification",
		"TotalTargetCapacity=1,DefaultTargetCapacityType=spot",
		"--spot-options",
		"AllocationStrategy=price-capacity-optimized",
		"--launch-template-configs",
		`[{"LaunchTemplateSpecification":{"LaunchTemplateId":"`+template+`","Version":"$Latest"},`+
			`"Overrides":[{"InstanceType":"m6g.large","SubnetId":"`+subnet+`"},{"InstanceType":"t4g.large","SubnetId":"`+subnet+`"}]}]`,
	)
	a.clock.Step(2 * time.Second)
	got := query[map[string]any](
		t,
		c,
		"Reservations[0].Instances[0].{State:State.Name,Life:InstanceLifecycle,Name:Tags[?Key=='Name'].Value|[0]}",
		"ec2",
		"describe-instances",
		"--instance-ids",
		id,
	)
	if got["State"] != "running" || got["Life"] != "spot" || got["Name"] != "cli" {
		t.Errorf("instance %v", got)
	}
	if text, err := c.run(t, "ec2", "create-tags", "--resources", id, "--tags", "Key=team,Value=blue"); err != nil {
		t.Errorf("create-tags: %v\n%s", err, text)
	}
	if n := query[int](
		t,
		c,
		"length(Tags)",
		"ec2",
		"describe-tags",
		"--filters",
		"Name=resource-id,Values="+id,
		"Name=key,Values=team",
	); n != 1 {
		t.Errorf("%d tags named team, want 1", n)
	}
	state := query[string](
		t,
		c,
		"TerminatingInstances[0].CurrentState.Name",
		"ec2",
		"terminate-instances",
		"--instance-ids",
		id,
	)
	if state != "shutting-down" {
		t.Errorf("terminated instance is %s", state)
	}
	if text, err := c.run(
		t,
		"ec2",
		"describe-instances",
		"--instance-ids",
		"i-00000000000000000",
	); err == nil ||
		!strings.Contains(text, "InvalidInstanceID.NotFound") {
		t.Errorf("describing an instance that never was: %v, %s", err, text)
	}
}

func TestCommandLineReadsTheAccount(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	c := newCLI(t, a)
	if n := query[int](
		t,
		c,
		"length(InstanceTypes)",
		"ec2",
		"describe-instance-types",
		"--filters",
		"Name=processor-info.supported-architecture,Values=arm64",
	); n < 200 {
		t.Errorf("%d arm64 types over all pages, want at least 200", n)
	}
	if n := query[int](
		t,
		c,
		"length(InstanceTypeOfferings)",
		"ec2",
		"describe-instance-type-offerings",
		"--location-type",
		"availability-zone",
		"--filters",
		"Name=instance-type,Values=m5.large",
	); n != 5 {
		t.Errorf("m5.large is offered in %d zones, want 5", n)
	}
	if n := query[int](
		t,
		c,
		"length(SpotPriceHistory)",
		"ec2",
		"describe-spot-price-history",
		"--instance-types",
		"m5.large",
		"--product-descriptions",
		"Linux/UNIX",
		"--start-time",
		noon.Format(time.RFC3339),
	); n != 5 {
		t.Errorf("%d spot prices of m5.large, want 5", n)
	}
	if got := query[string](
		t,
		c,
		"cluster.endpoint",
		"eks",
		"describe-cluster",
		"--name",
		clusterName,
	); got != endpoint {
		t.Errorf("cluster endpoint %s", got)
	}
	if got := query[string](t, c, "Account", "sts", "get-caller-identity"); got != "111122223333" {
		t.Errorf("account %s", got)
	}
	price := query[string](
		t,
		c,
		"PriceList[0]",
		"pricing",
		"get-products",
		"--service-code",
		"AmazonEC2",
		"--filters",
		"Type=TERM_MATCH,Field=instanceType,Value=m5.large",
		"Type=TERM_MATCH,Field=regionCode,Value=us-east-1",
	)
	if !strings.Contains(price, `"USD":"0.0960000000"`) {
		t.Errorf("product %s", price)
	}
	if got := query[string](
		t,
		c,
		"InstanceProfile.InstanceProfileName",
		"iam",
		"create-instance-profile",
		"--instance-profile-name",
		"cli",
		"--tags",
		"Key=a,Value=b",
	); got != "cli" {
		t.Errorf("profile %s", got)
	}
	if text, err := c.run(
		t,
		"iam",
		"add-role-to-instance-profile",
		"--instance-profile-name",
		"cli",
		"--role-name",
		"KarpenterNodeRole-demo",
	); err != nil {
		t.Errorf("add-role-to-instance-profile: %v\n%s", err, text)
	}
	if got := query[string](
		t,
		c,
		"InstanceProfile.Roles[0].RoleName",
		"iam",
		"get-instance-profile",
		"--instance-profile-name",
		"cli",
	); got != "KarpenterNodeRole-demo" {
		t.Errorf("role %s", got)
	}
}

func TestCommandLineUsesTheQueue(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	c := newCLI(t, a)
	url := query[string](
		t,
		c,
		"QueueUrl",
		"sqs",
		"create-queue",
		"--queue-name",
		"mine",
		"--attributes",
		"MessageRetentionPeriod=300",
	)
	if got := query[string](t, c, "QueueUrl", "sqs", "get-queue-url", "--queue-name", "mine"); got != url {
		t.Errorf("the queue's URL is %s, was %s", got, url)
	}
	query[string](t, c, "MessageId", "sqs", "send-message", "--queue-url", url, "--message-body", "hello <&> world")
	got := query[map[string]any](t, c, "Messages[0].{Body:Body,Receipt:ReceiptHandle,Sent:Attributes.SentTimestamp}",
		"sqs", "receive-message", "--queue-url", url, "--attribute-names", "All", "--wait-time-seconds", "20")
	if got["Body"] != "hello <&> world" || got["Sent"] == nil {
		t.Fatalf("message %v", got)
	}
	if text, err := c.run(
		t,
		"sqs",
		"delete-message",
		"--queue-url",
		url,
		"--receipt-handle",
		got["Receipt"].(string),
	); err != nil {
		t.Errorf("delete-message: %v\n%s", err, text)
	}
	left := query[map[string]string](
		t,
		c,
		"Attributes",
		"sqs",
		"get-queue-attributes",
		"--queue-url",
		url,
		"--attribute-names",
		"All",
	)
	if left["ApproximateNumberOfMessages"] != "0" || left["MessageRetentionPeriod"] != "300" {
		t.Errorf("attributes %v", left)
	}
	if text, err := c.run(
		t,
		"sqs",
		"get-queue-url",
		"--queue-name",
		"missing",
	); err == nil ||
		!strings.Contains(text, "NonExistentQueue") {
		t.Errorf("a queue that never was: %v, %s", err, text)
	}
}

func TestCommandLineDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	c := newCLI(t, a)
	a.template(t, "lt-a")
	a.launch(
		t,
		fleet{template: "lt-a", types: []ec2types.InstanceType{"m5.large"}, zones: []string{"us-east-1a"}, count: 1},
	)
	if text, err := c.run(
		t,
		"ec2",
		"terminate-instances",
		"--dry-run",
		"--instance-ids",
		a.Status().Instances[0].ID,
	); err == nil ||
		!strings.Contains(text, "DryRunOperation") {
		t.Errorf("a dry run: %v, %s", err, text)
	}
	if got := a.Status().Instances[0].State; got != "pending" {
		t.Errorf("after a dry run the instance is %s", got)
	}
}
