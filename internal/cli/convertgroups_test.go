package cli

import (
	"strings"
	"testing"
)

const nodegroup = `{"nodegroup": {
  "nodegroupName": "web_blue", "clusterName": "shop",
  "nodegroupArn": "arn:aws:eks:us-east-1:1:nodegroup/shop/web_blue/x",
  "scalingConfig": {"minSize": 2, "maxSize": 6, "desiredSize": 3}, "instanceTypes": ["m6i.xlarge"],
  "subnets": ["subnet-0aaaaaaaaaaaaaaa1"], "amiType": "AL2023_x86_64_STANDARD",
  "nodeRole": "arn:aws:iam::1:role/node-role", "labels": {"team": "a"},
  "taints": [{"key": "web", "value": "yes", "effect": "NO_SCHEDULE"}], "diskSize": 40, "capacityType": "ON_DEMAND",
  "tags": {"cost": "shop"}}}`

const groupCluster = `
apiVersion: v1
kind: Node
metadata:
  name: web-1
  labels: {eks.amazonaws.com/nodegroup: web_blue, eks.amazonaws.com/capacityType: ON_DEMAND, team: a,
    node.kubernetes.io/instance-type: m6i.xlarge, topology.kubernetes.io/region: us-east-1,
    topology.kubernetes.io/zone: us-east-1a}
status: {allocatable: {cpu: 3920m, memory: 14Gi, pods: "58"}, capacity: {cpu: "4", memory: 16Gi, pods: "58"}}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  nodeName: web-1
  tolerations: [{operator: Exists}]
  containers: [{name: main, image: i, resources: {requests: {cpu: "1"}}}]
status: {phase: Running}
`

// A managed group becomes a NodePool with the same machines, labels and taints, and is priced.
func TestAManagedGroupBecomesANodePool(t *testing.T) {
	t.Parallel()
	file := written(t, "group.json", nodegroup)
	code, out, said := run(t, "convert", "--from-asg", file, "--against", written(t, "cluster.yaml", groupCluster))
	if code != 0 {
		t.Fatal(said)
	}
	for _, want := range []string{
		"kind: NodePool\nmetadata:\n  name: web-blue\n", "kind: EC2NodeClass\nmetadata:\n  name: web-blue\n",
		"cpu: \"24\"", "team: a",
		"key: web", "effect: NoSchedule", "alias: al2023@latest", "role: node-role",
		"id: subnet-0aaaaaaaaaaaaaaa1", "volumeSize: 40Gi",
		"aws:eks:cluster-name: shop", "cost: shop", "- m6i.xlarge",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, want := range []string{
		"group web_blue: 3 nodes of m6i.xlarge, $0.5760/h", "its minimum of 2 nodes is not kept",
		"the pods of 1 nodes of groups that cost $0.1920/h would go onto 1 nodes for $0.1920/h, +0.0 %",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in\n%s", want, said)
		}
	}
	// What comes of it is what simulate takes.
	if code, _, stderr := run(t, "simulate", "-f", written(t, "made.yaml", out)); code != 0 {
		t.Error(stderr)
	}
}

// Auto Scaling groups say by tags what their nodes are like; what they do not say is asked for.
func TestAnAutoScalingGroupBecomesANodePool(t *testing.T) {
	t.Parallel()
	asg := written(t, "asg.json",
		`{"AutoScalingGroups": [{"AutoScalingGroupName": "spot",
  "MinSize": 0, "MaxSize": 4, "DesiredCapacity": 1,
  "AvailabilityZones": ["us-east-1a", "us-east-1b"],
  "VPCZoneIdentifier": "subnet-0aaaaaaaaaaaaaaa1,subnet-0aaaaaaaaaaaaaaa2",
  "Tags": [{"Key": "k8s.io/cluster-autoscaler/node-template/label/tier", "Value": "batch"},
    {"Key": "k8s.io/cluster-autoscaler/node-template/taint/batch", "Value": "yes:NoExecute"},
    {"Key": "kubernetes.io/cluster/shop", "Value": "owned"}],
  "MixedInstancesPolicy": {"InstancesDistribution": {"OnDemandPercentageAboveBaseCapacity": 0},
    "LaunchTemplate": {"Overrides": [{"InstanceType": "m5.large"}, {"InstanceType": "m6i.large"}]}}}]}`)
	code, out, said := run(t, "convert", "--from-asg", asg)
	if code != 2 || out != "" || !strings.Contains(said, "give it with --ami-alias") || !strings.Contains(said,
		"give it with --role") {
		t.Errorf("exit code %d\n%s%s", code, out, said)
	}
	code, out, said = run(t, "convert", "--from-asg", asg, "--role", "nodes", "--ami-alias", "bottlerocket@latest")
	if code != 0 {
		t.Fatal(said)
	}
	for _, want := range []string{"- spot\n", "- m5.large\n", "- m6i.large\n", "tier: batch", "effect: NoExecute",
		"role: nodes", "- us-east-1b"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

func TestAFileOfEksctlBecomesNodePools(t *testing.T) {
	t.Parallel()
	code, out, said := run(t, "convert", "--role", "nodes", "--from-eksctl", written(t, "cluster.yaml", `
apiVersion: eksctl.io/v1alpha5
kind: ClusterConfig
metadata: {name: shop, region: eu-west-1}
managedNodeGroups:
- {name: web, instanceType: m6i.large, minSize: 1, maxSize: 3, desiredCapacity: 2, volumeSize: 80,
  amiFamily: Bottlerocket, spot: true}
nodeGroups:
- {name: old, instanceTypes: [c5.large, c5a.large], maxSize: 2, taints: {a: "b:NoSchedule"},
  preBootstrapCommands: [date]}
`))
	if code != 0 {
		t.Fatal(said)
	}
	for _, want := range []string{"name: web", "name: old", "alias: bottlerocket@latest", "deviceName: /dev/xvdb",
		"- c5a.large", "value: b", "alpha.eksctl.io/cluster-name: shop"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if !strings.Contains(said, "preBootstrapCommands is not taken over") || !strings.Contains(said, "a month") {
		t.Error(said)
	}
}

func TestGroupsThatCannotBeAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"not JSON": {[]string{"--from-asg", written(t, "a", "x")},
			"this is not what `aws autoscaling describe-auto-scaling-groups"},
		"no groups": {[]string{"--from-asg", written(t, "a", "{}")}, "there is no group of nodes in it"},
		"other kind": {[]string{"--from-eksctl", written(t, "a", "kind: Pod")},
			`kind is "Pod"; want a ClusterConfig of eksctl`},
		"no type": {[]string{"--from-asg", written(t, "a", strings.Replace(nodegroup, "m6i.xlarge", "m6i.huge", 1))},
			"instance type m6i.huge is not in the catalogue"},
		"no groups given": {[]string{"-f", "x", "--against", "y"}, "--against are about groups"},
		"absent":          {[]string{"--from-asg", "absent"}, "absent"},
	} {
		code, out, said := run(t, append([]string{"convert"}, tc.args...)...)
		if code != 2 || out != "" || !strings.Contains(said, tc.want) {
			t.Errorf("%s: exit code %d, %s%s; want %q", name, code, out, said, tc.want)
		}
	}
}
