package awssim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

// ask sends a signed request of a service that the tests have no client of.
func (a *account) ask(t *testing.T, service, method, path, kind, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, a.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set(
		"Authorization",
		"AWS4-HMAC-SHA256 Credential=AKIATEST/20261121/us-east-1/"+service+"/aws4_request, SignedHeaders=host, Signature=00",
	)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// stack calls CloudFormation.
func (a *account) stack(t *testing.T, action string, parameters ...string) (int, string) {
	t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-15"}}
	for i := 0; i+1 < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	return a.ask(t, "cloudformation", http.MethodPost, "/", "application/x-www-form-urlencoded", form.Encode())
}

// ourStack is the template that docs/aws.md has one deploy.
func ourStack(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../deploy/cloudformation/dovetail.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The template of the installation makes its roles, queue and rules, changes in place, and leaves nothing behind.
func TestTheInstallationsStackComesAndGoes(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	body := ourStack(t)
	if code, text := a.stack(
		t,
		"CreateStack",
		"StackName",
		"dovetail",
		"TemplateBody",
		body,
		"Parameters.member.1.ParameterKey",
		"ClusterName",
		"Parameters.member.1.ParameterValue",
		clusterName,
	); code != 400 ||
		!strings.Contains(text, "InsufficientCapabilities") {
		t.Errorf("without the capability: %d %s", code, text)
	}
	with := []string{
		"StackName", "dovetail", "TemplateBody", body, "Capabilities.member.1", "CAPABILITY_NAMED_IAM",
		"Parameters.member.1.ParameterKey", "ClusterName", "Parameters.member.1.ParameterValue", clusterName,
	}
	if code, text := a.stack(t, "CreateStack", with...); code != 200 {
		t.Fatalf("CreateStack: %d %s", code, text)
	}
	_, text := a.stack(t, "DescribeStacks", "StackName", "dovetail")
	for _, want := range []string{"<StackStatus>CREATE_COMPLETE<", "<OutputKey>ControllerRoleArn<", "role/KarpenterControllerRole-" + clusterName} {
		if !strings.Contains(text, want) {
			t.Errorf("the stack lacks %s:\n%s", want, text)
		}
	}
	roles := iam.NewFromConfig(a.cfg)
	attached := must[*iam.ListAttachedRolePoliciesOutput](
		t,
	)(
		roles.ListAttachedRolePolicies(
			t.Context(),
			&iam.ListAttachedRolePoliciesInput{RoleName: aws.String("KarpenterControllerRole-" + clusterName)},
		),
	)
	if n := len(attached.AttachedPolicies); n != 7 {
		t.Errorf("the controller's role has %d policies, want 7", n)
	}
	if code, text := a.stack(
		t,
		"UpdateStack",
		with...); code != 400 ||
		!strings.Contains(text, "No updates are to be performed") {
		t.Errorf("the same again: %d %s", code, text)
	}
	if code, text := a.stack(
		t,
		"UpdateStack",
		append(
			with,
			"Parameters.member.2.ParameterKey",
			"ServiceAccount",
			"Parameters.member.2.ParameterValue",
			"other",
		)...); code != 200 {
		t.Errorf("another service account: %d %s", code, text)
	}
	if code, text := a.stack(t, "DeleteStack", "StackName", "dovetail"); code != 200 {
		t.Errorf("DeleteStack: %d %s", code, text)
	}
	if code, text := a.stack(
		t,
		"DescribeStacks",
		"StackName",
		"dovetail",
	); code != 400 ||
		!strings.Contains(text, "does not exist") {
		t.Errorf("after its deletion: %d %s", code, text)
	}
	if left := must[*iam.ListRolesOutput](
		t,
	)(
		roles.ListRoles(t.Context(), &iam.ListRolesInput{}),
	).Roles; len(
		left,
	) != 0 {
		t.Errorf("%d roles are left, the first is %s", len(left), *left[0].RoleName)
	}
}

// A stack with something that is not simulated fails, says so, and takes back what it made.
func TestAStackThatCannotBeMadeIsRolledBack(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	body := "Resources:\n  A:\n    Type: AWS::SQS::Queue\n    Properties: {QueueName: mine}\n" +
		"  B:\n    Type: AWS::Lambda::Function\n    Properties: {Role: !GetAtt A.Arn}\n"
	a.stack(t, "CreateStack", "StackName", "bad", "TemplateBody", body)
	_, text := a.stack(t, "DescribeStacks", "StackName", "bad")
	if !strings.Contains(text, "ROLLBACK_COMPLETE") ||
		!strings.Contains(text, "AWS::Lambda::Function is not simulated") {
		t.Errorf("the stack says\n%s", text)
	}
	queues := must[*sqs.ListQueuesOutput](t)(sqs.NewFromConfig(a.cfg).ListQueues(t.Context(), &sqs.ListQueuesInput{}))
	if len(queues.QueueUrls) != 1 {
		t.Errorf("queues %v, want the account's own alone", queues.QueueUrls)
	}
}

// An experiment gives spot instances their notice, in the cluster's queue and in those that rules of the account name.
func TestAnExperimentInterruptsSpotInstances(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	body := `
Resources:
  Mine: {Type: AWS::SQS::Queue, Properties: {QueueName: mine}}
  Rule:
    Type: AWS::Events::Rule
    Properties:
      EventPattern: {source: [aws.ec2], detail-type: [EC2 Spot Instance Interruption Warning]}
      Targets: [{Id: a, Arn: !GetAtt Mine.Arn}]
  Spot:
    Type: AWS::FIS::ExperimentTemplate
    Properties:
      Description: interrupt one
      Targets:
        One: {ResourceType: "aws:ec2:spot-instance", SelectionMode: COUNT(1), ResourceTags: {Name: spare}, Filters: [{Path: State.Name, Values: [running]}]}
      Actions:
        interrupt:
          ActionId: aws:ec2:send-spot-instance-interruptions
          Parameters: {durationBeforeInterruption: PT2M}
          Targets: {SpotInstances: One}
      StopConditions: [{Source: none}]
      RoleArn: arn:aws:iam::111122223333:role/any
      Tags: {}
Outputs:
  ID: {Value: !GetAtt Spot.Id}
`
	a.stack(t, "CreateStack", "StackName", "fis", "TemplateBody", body)
	_, text := a.stack(t, "DescribeStacks", "StackName", "fis")
	_, rest, found := strings.Cut(text, "<OutputValue>")
	id, _, _ := strings.Cut(rest, "<")
	if !found {
		t.Fatalf("the stack has no output:\n%s", text)
	}
	start := func() string {
		_, text := a.ask(
			t,
			"fis",
			http.MethodPost,
			"/experiments",
			"application/json",
			fmt.Sprintf(`{"experimentTemplateId": %q, "clientToken": "x"}`, id),
		)
		var started struct{ Experiment struct{ ID string } }
		if err := json.Unmarshal([]byte(text), &started); err != nil {
			t.Fatalf("starting the experiment: %v: %s", err, text)
		}
		_, text = a.ask(t, "fis", http.MethodGet, "/experiments/"+started.Experiment.ID, "", "")
		return text
	}
	if text := start(); !strings.Contains(text, `"failed"`) {
		t.Errorf("an experiment on nobody says %s", text)
	}
	a.template(t, "lt-a", func(d *ec2types.RequestLaunchTemplateData) {
		d.TagSpecifications = []ec2types.LaunchTemplateTagSpecificationRequest{
			{ResourceType: "instance", Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: aws.String("spare")}}},
		}
	})
	in := a.one(t, "lt-a", true)
	a.clock.Step(2 * time.Second)
	inbox := a.mailbox(t)
	if text := start(); !strings.Contains(text, `"completed"`) {
		t.Errorf("the experiment says %s", text)
	}
	if e := inbox.of(t, "EC2 Spot Instance Interruption Warning"); e.Detail["instance-id"] != in {
		t.Errorf("notice %s, want one for %s", e.body, in)
	}
	mine := must[*sqs.ReceiveMessageOutput](
		t,
	)(
		sqs.NewFromConfig(a.cfg).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
			QueueUrl: aws.String(a.URL() + "/111122223333/mine"), WaitTimeSeconds: 0,
		}),
	)
	if len(mine.Messages) != 1 || !strings.Contains(*mine.Messages[0].Body, in) {
		t.Errorf("the rule's own queue got %d messages, want the notice alone", len(mine.Messages))
	}
	a.clock.Step(2 * time.Minute)
	if got := a.describe(t, in).State.Name; got != "shutting-down" {
		t.Errorf("two minutes later the instance is %s", got)
	}
}
