package awssim_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/awssim"
)

func TestMachineJoinsByItsUserData(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	a.clock.Step(10 * time.Second)
	name, _ := strings.CutPrefix(a.nodes.next(t), "registered ")
	node := a.nodes.get(name)
	if want := aws.ToString(
		a.describe(t, id).PrivateDnsName,
	); name != want ||
		!strings.HasSuffix(name, ".ec2.internal") {
		t.Errorf("the node is called %s, want the machine's DNS name %s", name, want)
	}
	if want := "aws:///us-east-1a/" + id; node.Spec.ProviderID != want {
		t.Errorf("provider id %s, want %s", node.Spec.ProviderID, want)
	}
	for key, want := range map[string]string{
		"team": "blue", "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
		"node.kubernetes.io/instance-type": "m5.large", "topology.kubernetes.io/zone": "us-east-1a",
		"topology.kubernetes.io/region": "us-east-1", "topology.k8s.aws/zone-id": "use1-az1",
	} {
		if got := node.Labels[key]; got != want {
			t.Errorf("label %s is %q, want %q", key, got, want)
		}
	}
	wantTaints := []corev1.Taint{{Key: "karpenter.sh/unregistered", Effect: corev1.TaintEffectNoExecute}}
	if diff := cmp.Diff(wantTaints, node.Spec.Taints); diff != "" {
		t.Errorf("taints: -want +got\n%s", diff)
	}
	if cpu, pods := node.Status.Allocatable.Cpu().
		MilliValue(),
		node.Status.Allocatable.Pods().
			Value(); cpu != 1930 ||
		pods != 29 {
		t.Errorf("allocatable: %d millicores and %d pods, want 1930 and 29", cpu, pods)
	}
	if mib := node.Status.Capacity.Memory().Value() >> 20; mib <= 8192*925/1000 || mib >= 8192 {
		t.Errorf(
			"capacity: %d MiB, want a little under the nominal 8192 and above what 7.5 %% of overhead would leave",
			mib,
		)
	}
	if disk := node.Status.Capacity.StorageEphemeral().Value() >> 30; disk != 20 {
		t.Errorf("ephemeral storage is %d GiB, want the template's 20", disk)
	}
}

func TestMachinesThatNeverJoin(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	userData := func(old, replacement string) func(*ec2types.RequestLaunchTemplateData) {
		return func(d *ec2types.RequestLaunchTemplateData) {
			text := strings.Replace(nodeadmData("team=blue"), old, replacement, 1)
			if text == nodeadmData("team=blue") {
				t.Fatalf("user data has no %q", old)
			}
			d.UserData = aws.String(b64(text))
		}
	}
	cases := map[string]struct {
		change func(*ec2types.RequestLaunchTemplateData)
		want   string // in the reason
	}{
		"OtherCluster":  {userData("name: demo", "name: other"), `the cluster "other"`},
		"OtherEndpoint": {userData(endpoint, "https://10.9.9.9"), "https://10.9.9.9"},
		"OtherCA":       {userData(b64(clusterCA), b64("another")), "unknown authority"},
		"MissingCIDR":   {userData("cidr: 10.100.0.0/16", ""), "spec.cluster.cidr"},
		"ForbiddenLabel": {
			userData("team=blue", "node-restriction.kubernetes.io/team=blue"),
			"node-restriction.kubernetes.io/team",
		},
		"NoUserData": {func(d *ec2types.RequestLaunchTemplateData) { d.UserData = nil }, "user data is empty"},
		"OnlyAScript": {
			func(d *ec2types.RequestLaunchTemplateData) { d.UserData = aws.String(b64("#!/bin/sh\ntrue\n")) },
			"NodeConfig",
		},
		"NoProfile": {
			func(d *ec2types.RequestLaunchTemplateData) { d.IamInstanceProfile = nil },
			"has no role",
		},
		"RoleNotForNodes": {
			func(d *ec2types.RequestLaunchTemplateData) { d.IamInstanceProfile.Name = aws.String(a.emptyProfile(t)) },
			"has no role",
		},
	}
	ids := map[string]string{}
	for name, tc := range cases {
		a.template(t, "lt-"+name, tc.change)
		ids[name] = a.one(t, "lt-"+name, false)
	}
	a.template(t, "good")
	a.one(t, "good", false)
	a.clock.Step(10 * time.Second)
	// The good machine was launched last and joins last.
	if change := a.nodes.next(t); !strings.HasPrefix(change, "registered") {
		t.Fatalf("first change of the cluster: %s", change)
	}
	reasons := a.waitForFailures(t, len(cases))
	for name, tc := range cases {
		if got := reasons[ids[name]]; !strings.Contains(got, tc.want) {
			t.Errorf("%s: the machine did not join because %q, want a reason that says %q", name, got, tc.want)
		}
	}
}

// waitForFailures polls the account until so many machines have failed to
// boot; they fail beside the test, in no order.
func (a *account) waitForFailures(t *testing.T, want int) map[string]string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		reasons := map[string]string{}
		for _, in := range a.Status().Instances {
			if in.BootFailure != "" {
				reasons[in.ID] = in.BootFailure
			}
		}
		if len(reasons) == want {
			return reasons
		}
	}
	t.Fatalf("not all of %d machines failed: %+v", want, a.Status().Instances)
	return nil
}

func TestAL2AndBottlerocketJoin(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ parameter, userData string }{
		"AL2Mime": {"/aws/service/eks/optimized-ami/1.31/amazon-linux-2/recommended/image_id", `MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="//"

--//
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash
echo "the user's own"
--//
Content-Type: text/x-shellscript; charset="us-ascii"

#!/bin/bash -xe
exec > >(tee /var/log/user-data.log|logger -t user-data -s 2>/dev/console) 2>&1
/etc/eks/bootstrap.sh 'demo' --apiserver-endpoint '` + endpoint + `' --b64-cluster-ca '` + b64(clusterCA) + `' \
--dns-cluster-ip '10.100.0.10' \
--use-max-pods false \
--kubelet-extra-args '--node-labels="team=blue,karpenter.sh/nodepool=default" --register-with-taints="karpenter.sh/unregistered:NoExecute" --max-pods=29'
--//--
`},
		"AL2PlainScript": {"/aws/service/eks/optimized-ami/1.31/amazon-linux-2/recommended/image_id", `#!/bin/bash
CLUSTER=demo
/etc/eks/bootstrap.sh "$CLUSTER" --kubelet-extra-args "--node-labels=team=blue --register-with-taints=karpenter.sh/unregistered:NoExecute"
`},
		"Bottlerocket": {"/aws/service/bottlerocket/aws-k8s-1.36/x86_64/latest/image_id", `[settings.kubernetes]
api-server = "` + endpoint + `"
cluster-certificate = "` + b64(clusterCA) + `"
cluster-name = "demo"
max-pods = 29

[settings.kubernetes.node-labels]
team = "blue"

[settings.kubernetes.node-taints]
"karpenter.sh/unregistered" = [":NoExecute"]
`},
		"Windows": {
			"/aws/service/ami-windows-latest/Windows_Server-2022-English-Core-EKS_Optimized-1.36/image_id",
			`<powershell>
[string]$EKSBootstrapScriptFile = "$env:ProgramFiles\Amazon\EKS\Start-EKSBootstrap.ps1"
& $EKSBootstrapScriptFile -EKSClusterName 'demo' -APIServerEndpoint '` + endpoint + `' -Base64ClusterCA '` + b64(clusterCA) + `' -KubeletExtraArgs '--node-labels="team=blue" --register-with-taints="karpenter.sh/unregistered:NoExecute" --max-pods=29'
</powershell>`,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newAccount(t)
			a.template(t, "lt-a", func(d *ec2types.RequestLaunchTemplateData) {
				d.ImageId, d.UserData = aws.String(a.image(t, tc.parameter)), aws.String(b64(tc.userData))
			})
			a.one(t, "lt-a", true)
			a.clock.Step(10 * time.Second)
			node := a.nodes.get(strings.TrimPrefix(a.nodes.next(t), "registered "))
			if node.Labels["team"] != "blue" || len(node.Spec.Taints) != 1 ||
				node.Status.Allocatable.Pods().Value() != 29 {
				t.Errorf(
					"labels %v, taints %v, %d pods",
					node.Labels,
					node.Spec.Taints,
					node.Status.Allocatable.Pods().Value(),
				)
			}
		})
	}
}

func TestTerminatedMachineLosesItsNode(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", false)
	a.clock.Step(10 * time.Second)
	name := strings.TrimPrefix(a.nodes.next(t), "registered ")
	a.waitForNode(t, id)
	must[*ec2.TerminateInstancesOutput](
		t,
	)(
		a.ec2.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{id}}),
	)
	a.clock.Step(4 * time.Second)
	if got := a.nodes.next(t); got != "silenced "+name {
		t.Errorf("when the machine is gone: %s, want its heartbeats to stop", got)
	}
	a.clock.Step(10 * time.Second)
	if got := a.nodes.next(t); got != "deleted "+name {
		t.Errorf("some seconds later: %s, want the cloud's node controller to delete the Node", got)
	}
}

// waitForNode waits until the account knows that a machine joined.
func (a *account) waitForNode(t *testing.T, id string) string {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for _, in := range a.Status().Instances {
			if in.ID == id && in.Node != "" {
				return in.Node
			}
		}
	}
	t.Fatalf("machine %s did not join", id)
	return ""
}

func TestSpotInterruption(t *testing.T) {
	t.Parallel()
	a := newAccount(t)
	a.template(t, "lt-a")
	id := a.one(t, "lt-a", true)
	a.clock.Step(10 * time.Second)
	a.waitForNode(t, id)
	queue := sqs.NewFromConfig(a.cfg)
	url := must[*sqs.GetQueueUrlOutput](
		t,
	)(
		queue.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String(clusterName)}),
	).QueueUrl
	must[*sqs.PurgeQueueOutput](t)(queue.PurgeQueue(t.Context(), &sqs.PurgeQueueInput{QueueUrl: url}))

	if err := a.Interrupt(awssim.Target{Instance: id}); err != nil {
		t.Fatal(err)
	}
	body := a.receive(t, queue, url)
	var event struct {
		Version    string
		Source     string
		DetailType string `json:"detail-type"`
		Resources  []string
		Detail     map[string]string
	}
	if err := json.Unmarshal([]byte(body), &event); err != nil {
		t.Fatal(err)
	}
	if event.Version != "0" || event.Source != "aws.ec2" || event.DetailType != "EC2 Spot Instance Interruption Warning" ||
		event.Detail["instance-id"] != id ||
		event.Detail["instance-action"] != "terminate" ||
		len(event.Resources) != 1 {
		t.Errorf("event %s", body)
	}
	a.clock.Step(time.Minute)
	if got := a.describe(t, id).State.Name; got != ec2types.InstanceStateNameRunning {
		t.Errorf("a minute after the notice the instance is %s, want running", got)
	}
	a.clock.Step(time.Minute)
	if got := a.describe(
		t,
		id,
	); got.State.Name != ec2types.InstanceStateNameShuttingDown ||
		aws.ToString(got.StateReason.Code) != "Server.SpotInstanceTermination" {
		t.Errorf("two minutes after the notice: %s, %+v", got.State.Name, got.StateReason)
	}
	if err := a.Interrupt(awssim.Target{Node: "nobody"}); err == nil || !strings.Contains(err.Error(), `"nobody"`) {
		t.Errorf("interrupting an unknown node: %v, want an error that names it", err)
	}
}

// receive takes the one message that is in a queue.
func (a *account) receive(t *testing.T, queue *sqs.Client, url *string) string {
	t.Helper()
	out := must[*sqs.ReceiveMessageOutput](t)(queue.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{
		QueueUrl:            url,
		MaxNumberOfMessages: 10,
		WaitTimeSeconds:     20,
		MessageSystemAttributeNames: []sqstypes.MessageSystemAttributeName{
			sqstypes.MessageSystemAttributeNameSentTimestamp,
		},
	}))
	if len(out.Messages) != 1 {
		t.Fatalf("received %d messages, want 1", len(out.Messages))
	}
	if out.Messages[0].Attributes["SentTimestamp"] == "" {
		t.Error("the message does not say when it was sent")
	}
	must[*sqs.DeleteMessageOutput](
		t,
	)(
		queue.DeleteMessage(
			t.Context(),
			&sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: out.Messages[0].ReceiptHandle},
		),
	)
	return aws.ToString(out.Messages[0].Body)
}
