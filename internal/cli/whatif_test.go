package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/internal/view"
)

// written puts text into a file.
func written(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// answer runs simulate on manifests and reads what it prints.
func answer[T any](t *testing.T, manifests string, args ...string) T {
	t.Helper()
	var out T
	code, stdout, stderr := run(
		t,
		append([]string{"simulate", "-o", "json", "-f", written(t, "cluster.yaml", manifests)}, args...)...)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		t.Fatalf("%v in\n%s", err, stdout)
	}
	return out
}

// ec2Pool is a NodePool of one instance type, with further lines for its spec and its requirements.
func ec2Pool(name, instanceType, spec string, requirements ...string) string {
	list := append(
		[]string{fmt.Sprintf("{key: node.kubernetes.io/instance-type, operator: In, values: [%s]}", instanceType)},
		requirements...)
	return fmt.Sprintf(`
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: %s}
spec:
  template: {spec: {nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}, requirements: [%s]}}
%s`, name, strings.Join(list, ", "), spec)
}

const onDemand = "{key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}"

func deployment(name string, replicas int, cpu, more string) string {
	return fmt.Sprintf(`
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: %[1]s}
spec:
  replicas: %[2]d
  selector: {matchLabels: {app: %[1]s}}
  template:
    metadata: {labels: {app: %[1]s}}
    spec: {containers: [{name: main, image: i, resources: {requests: {cpu: %[3]s}}}]%[4]s}
`, name, replicas, cpu, more)
}

// summary counts new nodes by pool, type, zone and capacity type, and pods without a place.
func summary(p view.Plan) []string {
	counts := map[string]int{}
	for _, n := range p.Nodes {
		counts[strings.Join([]string{n.Pool, n.InstanceType, n.Zone, n.CapacityType}, " ")]++
	}
	var out []string
	for what, n := range counts {
		out = append(out, fmt.Sprintf("%d %s", n, what))
	}
	slices.Sort(out)
	if len(p.Unplaced) > 0 {
		out = append(out, fmt.Sprintf("%d wait", len(p.Unplaced)))
	}
	return out
}

const selectsReservations = `
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: default}
spec:
  amiSelectorTerms: [{alias: al2023@latest}]
  role: nodes
  subnetSelectorTerms: [{tags: {of: us}}]
  securityGroupSelectorTerms: [{tags: {of: us}}]
  capacityReservationSelectorTerms: [%s]
`

const describedReservations = `{"CapacityReservations": [
 {"CapacityReservationId": "cr-0aa", "OwnerId": "111111111111", "InstanceType": "m6i.2xlarge", "AvailabilityZone": "us-east-1b", "AvailableInstanceCount": 2,
  "TotalInstanceCount": 5, "State": "active", "InstanceMatchCriteria": "targeted", "InstancePlatform": "Linux/UNIX", "Tags": [{"Key": "team", "Value": "pay"}]},
 {"CapacityReservationId": "cr-0bb", "OwnerId": "222222222222", "InstanceType": "m6i.2xlarge", "AvailabilityZone": "us-east-1a", "AvailableInstanceCount": 1,
  "State": "active", "InstanceMatchCriteria": "open", "InstancePlatform": "Linux/UNIX"},
 {"CapacityReservationId": "cr-0cc", "OwnerId": "111111111111", "InstanceType": "m6i.2xlarge", "AvailabilityZone": "us-east-1c", "AvailableInstanceCount": 9,
  "State": "expired", "InstanceMatchCriteria": "open"},
 {"CapacityReservationId": "cr-0dd", "OwnerId": "111111111111", "InstanceType": "m6i.2xlarge", "AvailabilityZone": "us-east-1c", "AvailableInstanceCount": 9,
  "State": "active", "InstanceMatchCriteria": "open", "InstancePlatform": "Windows"},
 {"CapacityReservationId": "cr-0ee", "OwnerId": "111111111111", "InstanceType": "m6i.2xlarge", "AvailabilityZone": "us-east-1d", "AvailableInstanceCount": 9,
  "State": "active", "InstanceMatchCriteria": "targeted", "ReservationType": "capacity-block", "EndDate": "2026-12-01T12:00:00+00:00", "Tags": [{"Key": "team", "Value": "ml"}]}
]}`

func TestReservationsAreUsedUpAndNoFurther(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		why   string
		terms string
		only  bool // reserved is the pool's only capacity type
		at    string
		want  []string
	}{
		"ByID": {
			"As many as are left, at next to no price; the rest is bought.",
			"{id: cr-0aa}",
			false,
			"",
			[]string{"2 p m6i.2xlarge us-east-1a on-demand", "2 p m6i.2xlarge us-east-1b reserved"},
		},
		"OnlyReserved": {
			"Nothing else may be bought.",
			"{id: cr-0aa}",
			true,
			"",
			[]string{"2 p m6i.2xlarge us-east-1b reserved", "2 wait"},
		},
		"ByTag": {
			"Tags select.",
			"{tags: {team: pay}}",
			true,
			"",
			[]string{"2 p m6i.2xlarge us-east-1b reserved", "2 wait"},
		},
		"ByOwner": {
			"So does the owner, and two terms add up.",
			"{tags: {team: '*'}, ownerID: \"111111111111\"}, {instanceMatchCriteria: open, ownerID: \"222222222222\"}",
			true,
			"2026-12-01T11:50:00Z",
			[]string{"1 p m6i.2xlarge us-east-1a reserved", "2 p m6i.2xlarge us-east-1b reserved", "1 wait"},
		},
		"Block": {
			"A capacity block counts until shortly before its end.",
			"{tags: {team: ml}}",
			true,
			"2026-12-01T08:00:00Z",
			[]string{"4 p m6i.2xlarge us-east-1d reserved"},
		},
		"BlockEnds": {
			"And then no longer.",
			"{tags: {team: ml}}",
			true,
			"2026-12-01T11:50:00Z",
			[]string{"4 wait"},
		},
		"Other": {
			"What is expired or for Windows is nothing to Linux.",
			"{instanceMatchCriteria: open}",
			true,
			"",
			[]string{"1 p m6i.2xlarge us-east-1a reserved", "3 wait"},
		},
		"NoneSelected": {
			"Selecting nothing reserves nothing.",
			"{id: cr-0ff}",
			false,
			"",
			[]string{"4 p m6i.2xlarge us-east-1a on-demand"},
		},
		"NotSoSelected": {"A value must match.", "{tags: {team: pa}}", true, "", []string{"4 wait"}},
	}
	file := written(t, "reservations.json", describedReservations)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			types := "{key: karpenter.sh/capacity-type, operator: In, values: [reserved, on-demand]}"
			if tc.only {
				types = "{key: karpenter.sh/capacity-type, operator: In, values: [reserved]}"
			}
			args := []string{"--reservations", file}
			if tc.at != "" {
				args = append(args, "--now", tc.at)
			}
			got := answer[view.Plan](
				t,
				fmt.Sprintf(
					selectsReservations,
					tc.terms,
				)+ec2Pool(
					"p",
					"m6i.2xlarge",
					"",
					types,
				)+deployment(
					"pay",
					4,
					"6",
					"",
				),
				args...)
			if diff := cmp.Diff(tc.want, summary(got)); diff != "" {
				t.Errorf("%s\n-want +got\n%s\n%v", tc.why, diff, got.Notes)
			}
		})
	}
}

// Who does not say what is reserved, or how much of it is left, is told what was taken for granted.
func TestReservationsThatAreNotKnownAreNoted(t *testing.T) {
	t.Parallel()
	class := fmt.Sprintf(selectsReservations, "{id: cr-0aa}")
	rest := ec2Pool(
		"p",
		"m6i.2xlarge",
		"",
		"{key: karpenter.sh/capacity-type, operator: In, values: [reserved, on-demand]}",
	) + deployment(
		"pay",
		4,
		"6",
		"",
	)
	status := "status: {capacityReservations: [{id: cr-0aa, availabilityZone: us-east-1b, instanceMatchCriteria: targeted, instanceType: m6i.2xlarge, ownerID: \"111111111111\"}]}\n"
	scarce := strings.ReplaceAll(
		status,
		"m6i.2xlarge",
		"p5.48xlarge",
	) + ec2Pool(
		"p",
		"p5.48xlarge",
		"",
		"{key: karpenter.sh/capacity-type, operator: In, values: [reserved]}",
	) + deployment(
		"pay",
		1,
		"6",
		"",
	)
	for text, want := range map[string][2]string{
		class + strings.ReplaceAll(scarce, "us-east-1b", "eu-west-1b"):                                                       {"1 p p5.48xlarge eu-west-1b reserved", "cr-0aa count without a limit"}, // where the catalogue has none
		strings.ReplaceAll(class+status, "instanceType: m6i", "endTime: \"2026-01-01T00:00:00Z\", instanceType: m6i") + rest: {"4 p m6i.2xlarge us-east-1a on-demand", "cr-0aa is left out: it has ended"},
		class + rest:          {"4 p m6i.2xlarge us-east-1a on-demand", "which capacity reservations it selects is not known"},
		class + status + rest: {"4 p m6i.2xlarge us-east-1b reserved", "cr-0aa count without a limit"},
	} {
		got := answer[view.Plan](t, text)
		if diff := cmp.Diff(
			[]string{want[0]},
			summary(got),
		); diff != "" ||
			!strings.Contains(strings.Join(got.Notes, "\n"), want[1]) {
			t.Errorf("no %q in the notes %q, or -want +got\n%s", want[1], got.Notes, diff)
		}
	}
	for text, want := range map[string]string{
		"[]": "this is not what", "{}": "there is no CapacityReservations list", `{"CapacityReservations": [{"InstanceType": "m5.large", "AvailabilityZone": "a"}]}`: "capacity reservation 1 of the list has no CapacityReservationId",
	} {
		code, _, stderr := run(
			t,
			"simulate",
			"-f",
			written(t, "cluster.yaml", class+rest),
			"--reservations",
			written(t, "r.json", text),
		)
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d, no %q in %s", code, want, stderr)
		}
	}
}

// A pool with spec.replicas has its nodes whatever pods there are, and no more of them.
func TestStaticPoolsHaveTheirNumberOfNodes(t *testing.T) {
	t.Parallel()
	node := `
---
apiVersion: v1
kind: Node
metadata: {name: fixed-1, labels: {karpenter.sh/nodepool: fixed, topology.kubernetes.io/region: us-east-1, topology.kubernetes.io/zone: us-east-1a, node.kubernetes.io/instance-type: m6i.xlarge}}
spec: {providerID: "aws:///us-east-1a/i-1"}
status: {allocatable: {cpu: 3900m, memory: 14Gi, pods: "58"}}
`
	cases := map[string]struct {
		why      string
		text     string
		nodes    int
		unplaced int
		note     string
	}{
		"AllBought": {
			"Three nodes, the pods on them.",
			ec2Pool("fixed", "m6i.xlarge", "  replicas: 3", onDemand) + deployment("web", 3, "3", ""),
			3,
			0,
			"",
		},
		"NoPods": {
			"Nodes without pods, too.",
			ec2Pool("fixed", "m6i.xlarge", "  replicas: 2", onDemand),
			2,
			0,
			"",
		},
		"AtMost": {
			"Pods do not have more of them bought.",
			ec2Pool("fixed", "m6i.xlarge", "  replicas: 1", onDemand) + deployment("web", 3, "3", ""),
			1,
			2,
			"",
		},
		"None": {
			"Its number may be 0.",
			ec2Pool("fixed", "m6i.xlarge", "  replicas: 0", onDemand) + deployment("web", 1, "1", ""),
			0,
			1,
			"",
		},
		"Limited": {
			"A limit of nodes holds.",
			ec2Pool(
				"fixed",
				"m6i.xlarge",
				"  replicas: 3\n  limits: {nodes: 2}",
				onDemand,
			) + deployment(
				"web",
				3,
				"3",
				"",
			),
			2,
			1,
			"NodePool fixed keeps 3 nodes (spec.replicas), and its limit of nodes lets it have 1 fewer",
		},
		"OneIsThere": {
			"Those that are there count, by label.",
			ec2Pool("fixed", "m6i.xlarge", "  replicas: 3", onDemand) + node,
			2,
			0,
			"",
		},
		"NothingFits": {
			"What cannot be bought is told.",
			ec2Pool("fixed", "m6i.nothing", "  replicas: 2", onDemand),
			0,
			0,
			"NodePool fixed keeps 2 nodes (spec.replicas), and nothing is sold for 2 of them",
		},
		"BesideOthers": {
			"Pods that find no room there go to other pools.",
			ec2Pool(
				"fixed",
				"m6i.xlarge",
				"  replicas: 1",
				onDemand,
			) + ec2Pool(
				"more",
				"m6i.large",
				"",
				onDemand,
			) + deployment(
				"web",
				3,
				"1900m",
				"",
			),
			2,
			0,
			"",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := answer[view.Plan](t, tc.text)
			if len(got.Nodes) != tc.nodes || len(got.Unplaced) != tc.unplaced ||
				!strings.Contains(strings.Join(got.Notes, "\n"), tc.note) {
				t.Errorf(
					"%s\n%d nodes and %d pods wait, want %d and %d; notes %q, want %q",
					tc.why,
					len(got.Nodes),
					len(got.Unplaced),
					tc.nodes,
					tc.unplaced,
					got.Notes,
					tc.note,
				)
			}
			var sum float64
			for _, n := range got.Nodes {
				sum += n.Price
			}
			if d := got.PricePerHour - sum; d > 1e-9 || d < -1e-9 {
				t.Errorf("%s\nthe price is %g, and its nodes cost %g", tc.why, got.PricePerHour, sum)
			}
		})
	}
}

func TestAStaticNodeIsExplained(t *testing.T) {
	t.Parallel()
	file := written(
		t,
		"cluster.yaml",
		ec2Pool("fixed", "m6i.xlarge", "  replicas: 1", onDemand)+deployment("web", 2, "3", ""),
	)
	_, node, _ := run(t, "explain", "node", "fixed-1", "-f", file)
	_, pod, _ := run(t, "explain", "pod", "web-0", "-f", file)
	if !strings.Contains(node, "web-0") || !strings.Contains(pod, "fixed-1") {
		t.Errorf("of the node is said\n%s\nof the pod\n%s", node, pod)
	}
}

func TestCapacityBuffersKeepRoom(t *testing.T) {
	t.Parallel()
	pool := ec2Pool("p", "m6i.xlarge", "", onDemand)
	template := `
---
apiVersion: v1
kind: PodTemplate
metadata: {name: small}
template: {spec: {containers: [{name: main, image: i, resources: {requests: {cpu: 3}}}]}}
`
	buffer := func(spec string) string {
		return "\n---\napiVersion: autoscaling.x-k8s.io/v1beta1\nkind: CapacityBuffer\nmetadata: {name: room}\nspec: {" + spec + "}\n"
	}
	cases := map[string]struct {
		why    string
		text   string
		nodes  int
		note   string
		failed string
	}{
		"Template": {
			"Room for two pods.",
			template + buffer("podTemplateRef: {name: small}, replicas: 2"),
			2,
			"with 2 pods that stand in for them",
			"",
		},
		"Limits": {
			"Limits say for how many.",
			template + buffer("podTemplateRef: {name: small}, limits: {cpu: 10}"),
			3,
			"with 3 pods",
			"",
		},
		"Share": {
			"A share of a workload rounds up: two nodes for the workload and one for the buffer.",
			deployment(
				"web",
				2,
				"3",
				"",
			) + buffer(
				"scalableRef: {apiGroup: apps, kind: Deployment, name: web}, percentage: 20",
			),
			3,
			"with 1 pods",
			"",
		},
		"Both": {
			"The smaller number counts.",
			deployment(
				"web",
				4,
				"3",
				"",
			) + buffer(
				"scalableRef: {apiGroup: apps, kind: Deployment, name: web}, percentage: 100, replicas: 1",
			),
			5,
			"with 1 pods",
			"",
		},
		"Strategy": {
			"Another strategy is somebody else's.",
			template + buffer("podTemplateRef: {name: small}, replicas: 2, provisioningStrategy: other.example/way"),
			0,
			"CapacityBuffer default/room is left out: its provisioningStrategy is not known here",
			"",
		},
		"NoTemplate": {
			"What it names must be there.",
			buffer("podTemplateRef: {name: small}, replicas: 2"),
			0,
			"",
			"CapacityBuffer default/room: PodTemplate small does not exist in namespace default",
		},
		"NoWorkload": {
			"Workloads too.",
			buffer("scalableRef: {apiGroup: apps, kind: StatefulSet, name: db}, percentage: 50"),
			0,
			"",
			"CapacityBuffer default/room: StatefulSet db does not exist in namespace default",
		},
		"NoSuchScale": {
			"Only some can be scaled.",
			buffer("scalableRef: {apiGroup: batch, kind: Job, name: db}, replicas: 1"),
			0,
			"",
			"CapacityBuffer default/room: scalableRef names a Job",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.failed != "" {
				code, _, stderr := run(t, "simulate", "-f", written(t, "cluster.yaml", pool+tc.text))
				if code != 2 || !strings.Contains(stderr, tc.failed) {
					t.Errorf("%s\nexit code %d: %s, want %q", tc.why, code, stderr, tc.failed)
				}
				return
			}
			got := answer[view.Plan](t, pool+tc.text)
			if len(got.Nodes) != tc.nodes || len(got.Unplaced) > 0 ||
				!strings.Contains(strings.Join(got.Notes, "\n"), tc.note) {
				t.Errorf(
					"%s\n%d nodes, want %d; %d wait; notes %q, want %q",
					tc.why,
					len(got.Nodes),
					tc.nodes,
					len(got.Unplaced),
					got.Notes,
					tc.note,
				)
			}
		})
	}
}

// Each pool is planned where its zones are.
func TestPoolsMayBeInSeveralRegions(t *testing.T) {
	t.Parallel()
	in := func(zones string) string {
		return "{key: topology.kubernetes.io/zone, operator: In, values: [" + zones + "]}"
	}
	here := ec2Pool("here", "m6i.xlarge", "", onDemand, in("us-west-2a"))
	there := ec2Pool("there", "m6i.xlarge", "", onDemand, in("eu-west-1b, eu-west-1c"))
	web := deployment("web", 1, "3", "")
	pinned := deployment("pin", 1, "3", ", nodeSelector: {topology.kubernetes.io/zone: eu-west-1c}")
	volume := "\n---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: v}\nspec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], csi: {driver: d, volumeHandle: h}," +
		" nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [ap-south-1b]}]}]}}}\n"
	cases := map[string]struct {
		why    string
		text   string
		args   []string
		want   []string
		failed string
	}{
		"Two": {
			"Two pools in two regions.",
			here + there + web + pinned,
			nil,
			[]string{"1 here m6i.xlarge us-west-2a on-demand", "1 there m6i.xlarge eu-west-1c on-demand"},
			"",
		},
		"ZoneID": {
			"A zone's ID says it as well.",
			ec2Pool(
				"ids",
				"m6i.xlarge",
				"",
				onDemand,
				"{key: topology.k8s.aws/zone-id, operator: In, values: [euw1-az1]}",
			) + web,
			nil,
			[]string{"1 ids m6i.xlarge eu-west-1a on-demand"},
			"",
		},
		"Region": {
			"So does the region.",
			ec2Pool(
				"all",
				"m6i.xlarge",
				"",
				onDemand,
				"{key: topology.kubernetes.io/region, operator: In, values: [eu-west-1]}",
			) + web,
			nil,
			[]string{"1 all m6i.xlarge eu-west-1a on-demand"},
			"",
		},
		"Requested": {
			"--requirement narrows before it is looked.",
			ec2Pool("all", "m6i.xlarge", "", onDemand) + web,
			[]string{"--requirement", "topology.kubernetes.io/zone In eu-west-1c"},
			[]string{"1 all m6i.xlarge eu-west-1c on-demand"},
			"",
		},
		"Pod": {
			"A pod's own zone tells where the cluster is.",
			ec2Pool("all", "m6i.xlarge", "", onDemand) + pinned,
			nil,
			[]string{"1 all m6i.xlarge eu-west-1c on-demand"},
			"",
		},
		"Volume": {
			"A volume's, too.",
			ec2Pool("all", "m6i.xlarge", "", onDemand) + web + volume,
			nil,
			[]string{"1 all m6i.xlarge ap-south-1a on-demand"},
			"",
		},
		"Flag": {
			"--region is for pools that do not say.",
			ec2Pool("all", "m6i.xlarge", "", onDemand) + web + volume,
			[]string{"--region", "eu-central-1"},
			[]string{"1 all m6i.xlarge eu-central-1a on-demand"},
			"",
		},
		"Against": {
			"It does not move pools that do.",
			there + web,
			[]string{"--region", "us-east-1"},
			nil,
			"NodePool there: its requirements name zones of eu-west-1, and --region is us-east-1",
		},
		"Both": {
			"One pool buys in one region.",
			ec2Pool("both", "m6i.xlarge", "", in("us-west-2a, eu-west-1a")) + web,
			nil,
			nil,
			"NodePool both: its requirements name zones of eu-west-1 and us-west-2",
		},
		"Nowhere": {
			"A zone must be somewhere.",
			ec2Pool("lost", "m6i.xlarge", "", in("mars-1a")) + web,
			nil,
			nil,
			"NodePool lost: its requirements name mars-1a, which is in no region of the catalogue",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.failed != "" {
				code, _, stderr := run(
					t,
					append([]string{"simulate", "-f", written(t, "cluster.yaml", tc.text)}, tc.args...)...)
				if code != 2 || !strings.Contains(stderr, tc.failed) {
					t.Errorf("%s\nexit code %d: %s, want %q", tc.why, code, stderr, tc.failed)
				}
				return
			}
			got := answer[view.Plan](t, tc.text, tc.args...)
			if diff := cmp.Diff(tc.want, summary(got)); diff != "" {
				t.Errorf("%s\n-want +got\n%s", tc.why, diff)
			}
		})
	}
}

// The VPC CNI among the manifests says how many pods a machine takes.
func TestPrefixDelegationIsSeen(t *testing.T) {
	t.Parallel()
	pods := ec2Pool("p", "m5.large", "", onDemand) + deployment("tiny", 60, "10m", "")
	cni := func(on string) string {
		return "\n---\napiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: aws-node, namespace: kube-system}\nspec: {selector: {matchLabels: {k: cni}}, template: {metadata: {labels: {k: cni}}," +
			" spec: {containers: [{name: aws-node, image: i, env: [{name: ENABLE_PREFIX_DELEGATION, value: \"" + on + "\"}]}]}}}\n"
	}
	for on, want := range map[string]int{"true": 1, "false": 3} {
		if got := answer[view.Plan](t, pods+cni(on)); len(got.Nodes) != want {
			t.Errorf("with prefixes %s there are %d nodes, want %d", on, len(got.Nodes), want)
		}
	}
}
