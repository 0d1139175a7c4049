package cli

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// machine is a node of pool p in us-east-1a with pods of so many cores each, one after the other.
type machine struct {
	name, size  string
	cores       int
	pods        []int
	node, claim string // further metadata; a claim is written down if this is not empty
	spec        string // of the claim
	pod         string // further metadata of its pods
}

func (m machine) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, `
---
apiVersion: v1
kind: Node
metadata: {name: %[1]s, labels: {karpenter.sh/nodepool: p, karpenter.sh/capacity-type: on-demand, kubernetes.io/hostname: %[1]s, topology.kubernetes.io/zone: us-east-1a,
  topology.kubernetes.io/region: us-east-1, node.kubernetes.io/instance-type: m6i.%[2]s, kubernetes.io/arch: amd64, kubernetes.io/os: linux}%[4]s}
spec: {providerID: "aws:///us-east-1a/%[1]s"}
status: {capacity: {cpu: %[3]d, memory: 64Gi, pods: 58}, allocatable: {cpu: %[3]d, memory: 60Gi, pods: 58}}
`, m.name, m.size, m.cores, m.node)
	if m.claim != "" {
		fmt.Fprintf(&b, `
---
apiVersion: karpenter.sh/v1
kind: NodeClaim
metadata: {name: %[1]s, labels: {karpenter.sh/nodepool: p, karpenter.sh/capacity-type: on-demand, topology.kubernetes.io/zone: us-east-1a, node.kubernetes.io/instance-type: m6i.%[2]s}%[3]s}
spec: {nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}, requirements: [{key: karpenter.sh/capacity-type, operator: Exists}]%[4]s}
status: {providerID: "aws:///us-east-1a/%[1]s", nodeName: %[1]s}
`, m.name, m.size, m.claim, m.spec)
	}
	for i, cores := range m.pods {
		fmt.Fprintf(&b, `
---
apiVersion: v1
kind: Pod
metadata: {name: %[1]s-%[2]d, labels: {on: %[1]s}%[4]s, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: r, uid: u, controller: true}]}
spec: {nodeName: %[1]s, containers: [{name: main, image: i, resources: {requests: {cpu: %[3]d}}}]}
`, m.name, i, cores, m.pod)
	}
	return b.String()
}

func fleet(disruption string, machines ...machine) string {
	out := ec2Pool("p", "m6i.large, m6i.xlarge, m6i.2xlarge", "  disruption: {"+disruption+"}", onDemand)
	for _, m := range machines {
		out += m.text()
	}
	return out
}

// said are the moves in order, and then what is said of the nodes that stay.
func said(m view.Moves) []string {
	var out []string
	for _, move := range m.Moves {
		text := move.Reason + " " + strings.Join(move.GiveUp, " ")
		if len(move.Later) > 0 {
			text += ", later " + strings.Join(move.Later, " ")
		}
		for _, n := range move.Open {
			text += ", open " + n.InstanceType
		}
		out = append(out, text)
	}
	for _, s := range m.Stay {
		if s.Kind == string(refit.SavesTooLittle) {
			s.Why = s.Kind // its numbers are the planner's to improve
		}
		out = append(out, s.Node+": "+s.Why)
	}
	return out
}

func TestConsolidateOffline(t *testing.T) {
	t.Parallel()
	half := func(name string, change ...func(*machine)) machine {
		m := machine{name: name, size: "xlarge", cores: 4, pods: []int{2}}
		for _, c := range change {
			c(&m)
		}
		return m
	}
	empty := func(m *machine) { m.pods = nil }
	age := func(at string) func(*machine) {
		return func(m *machine) { m.claim = `, creationTimestamp: "` + at + `"` }
	}
	const all = "consolidateAfter: 0s, budgets: [{nodes: \"100%\"}]"
	const keep = "annotations: {karpenter.sh/do-not-disrupt: \"true\"}"
	pdb := func(spec string) string {
		return "\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: guard}\nspec: {" + spec + ", selector: {matchLabels: {on: a}}}\n"
	}
	cases := map[string]struct {
		why  string
		text string
		want []string
	}{
		"FitsElsewhere": {
			"Two half-full nodes: one goes.",
			fleet(all, half("a"), half("b")),
			[]string{"Underutilized a", "b: it takes pods of nodes that go"},
		},
		"Cheaper": {
			"A machine twice as large as its pods goes for a smaller one.",
			fleet(all, machine{name: "a", size: "2xlarge", cores: 8, pods: []int{3}}),
			[]string{"Underutilized a, open m6i.xlarge"},
		},
		"Full": {
			"A full node stays, and says what would be saved.",
			fleet(all, machine{name: "a", size: "xlarge", cores: 4, pods: []int{3}}),
			[]string{"a: SavesTooLittle"},
		},
		"Empty": {
			"An empty node goes.",
			fleet(
				all,
				machine{name: "a", size: "large", cores: 2},
				machine{name: "b", size: "xlarge", cores: 4, pods: []int{3}},
			),
			[]string{"Empty a", "b: SavesTooLittle"},
		},
		"WhenEmpty": {
			"A pool may give up empty nodes only.",
			fleet(all+", consolidationPolicy: WhenEmpty", half("a"), half("b"), half("c", empty)),
			[]string{"Empty c", "a: NodePool p gives up empty nodes only", "b: NodePool p gives up empty nodes only"},
		},
		"Never": {
			"Or none.",
			fleet("consolidateAfter: Never, budgets: [{nodes: \"100%\"}]", half("a"), half("b")),
			[]string{"a: consolidateAfter of NodePool p is Never", "b: consolidateAfter of NodePool p is Never"},
		},
		"Settling": {
			"A node that is young waits.",
			fleet(
				"consolidateAfter: 1h, budgets: [{nodes: \"100%\"}]",
				half("a", age("2026-11-30T11:30:00Z")),
				half("b", age("2026-11-30T01:00:00Z")),
			),
			[]string{
				"Underutilized b",
				"a: its consolidateAfter of 1h is over in 30m0s: pods came or went, or it started, less than that ago",
			},
		},
		"NoneAllowed": {
			"A budget of none.",
			fleet("consolidateAfter: 0s, budgets: [{nodes: \"0\"}]", half("a"), half("b", empty)),
			[]string{
				"a: the budgets of NodePool p let no further node go now",
				"b: the budgets of NodePool p let no further node go now",
			},
		},
		"OneAllowed": {
			"A budget of one.",
			fleet("consolidateAfter: 0s, budgets: [{nodes: \"1\"}]", half("a", empty), half("b", empty)),
			[]string{"Empty a", "b: the budgets of NodePool p let no further node go now"},
		},
		"ForOneReason": {
			"A budget for a reason.",
			fleet(
				"consolidateAfter: 0s, budgets: [{nodes: \"0\", reasons: [Empty]}, {nodes: \"100%\"}]",
				machine{name: "a", size: "large", cores: 2},
				machine{name: "b", size: "xlarge", cores: 4, pods: []int{3}},
			),
			[]string{"a: the budgets of NodePool p let no further node go now", "b: SavesTooLittle"},
		},
		"InTheWindow": {
			"At noon the window of the budget is open.",
			fleet(
				"consolidateAfter: 0s, budgets: [{nodes: \"0\", schedule: \"0 9 * * *\", duration: 8h}]",
				half("a", empty),
			),
			[]string{"a: the budgets of NodePool p let no further node go now"},
		},
		"PastTheWindow": {
			"Later it is not.",
			fleet(
				"consolidateAfter: 0s, budgets: [{nodes: \"0\", schedule: \"0 9 * * *\", duration: 2h}]",
				half("a", empty),
			),
			[]string{"Empty a"},
		},
		"NodeKept": {
			"A node may ask to be left alone.",
			fleet(all, half("a", empty, func(m *machine) { m.node = ", " + keep })),
			[]string{"a: the node carries the annotation karpenter.sh/do-not-disrupt"},
		},
		"ClaimKept": {
			"So may its claim.",
			fleet(all, half("a", empty, func(m *machine) { m.claim = ", " + keep })),
			[]string{"a: the NodeClaim has annotation karpenter.sh/do-not-disrupt"},
		},
		"PodKept": {
			"And a pod.",
			fleet(
				all,
				half("a", func(m *machine) { m.pod = ", " + keep }),
				half("b", func(m *machine) { m.pod = ", " + keep }),
			),
			[]string{
				"a: pod default/a-0 must not be disrupted (karpenter.sh/do-not-disrupt)",
				"b: pod default/b-0 must not be disrupted (karpenter.sh/do-not-disrupt)",
			},
		},
		"Guarded": {
			"A PodDisruptionBudget holds its pods, though nobody has written a status.",
			fleet(all, half("a"), half("b")) + pdb("minAvailable: 1"),
			[]string{"Underutilized b", "a: PodDisruptionBudget default/guard allows no eviction of pod a-0"},
		},
		"GuardedAll": {
			"However it says so.",
			fleet(all, half("a"), half("b")) + pdb("maxUnavailable: 0%"),
			[]string{"Underutilized b", "a: PodDisruptionBudget default/guard allows no eviction of pod a-0"},
		},
		"GuardedSome": {
			"One of two may go.",
			fleet(all, machine{name: "a", size: "2xlarge", cores: 8, pods: []int{1, 1}}) + pdb("minAvailable: 50%"),
			[]string{"Underutilized a, open m6i.xlarge"},
		},
		"GuardedSomeThatAreSaidToRun": {
			"A pod of which somebody wrote down that it runs is ready too.",
			strings.ReplaceAll(
				fleet(all, machine{name: "a", size: "2xlarge", cores: 8, pods: []int{1, 1}})+pdb("minAvailable: 50%"),
				"\nspec: {nodeName", "\nstatus: {phase: Running}\nspec: {nodeName",
			),
			[]string{"Underutilized a, open m6i.xlarge"},
		},
		"Expired": {
			"A node past its expireAfter goes whatever budgets say.",
			fleet(
				"consolidateAfter: Never, budgets: [{nodes: \"0\"}]",
				half("a", age("2026-11-30T01:00:00Z"), func(m *machine) { m.spec = ", expireAfter: 10h" }),
				half("b", age("2026-11-30T01:00:00Z")),
			),
			[]string{"Expired a", "b: consolidateAfter of NodePool p is Never"},
		},
		"Drifted": {
			"A node that its pool no longer wants is replaced.",
			fleet(
				all,
				machine{
					name:  "a",
					size:  "4xlarge",
					cores: 16,
					pods:  []int{3},
					claim: ", creationTimestamp: \"2026-11-30T01:00:00Z\"",
				},
			),
			[]string{"Drifted a, open m6i.xlarge"},
		},
		"DriftHeld": {
			"Not while a pod forbids it.",
			fleet(
				all,
				machine{
					name:  "a",
					size:  "4xlarge",
					cores: 16,
					pods:  []int{3},
					claim: ", creationTimestamp: \"2026-11-30T01:00:00Z\"",
					pod:   ", " + keep,
				},
			),
			[]string{"a: pod default/a-0 must not be disrupted (karpenter.sh/do-not-disrupt)"},
		},
		"DriftBounded": {
			"Unless terminationGracePeriod bounds the drain.",
			fleet(
				all,
				machine{
					name:  "a",
					size:  "4xlarge",
					cores: 16,
					pods:  []int{3},
					claim: ", creationTimestamp: \"2026-11-30T01:00:00Z\"",
					spec:  ", terminationGracePeriod: 1h",
					pod:   ", " + keep,
				},
			),
			[]string{"Drifted a, open m6i.xlarge"},
		},
		"Static": {
			"A static pool keeps its nodes.",
			ec2Pool(
				"p",
				"m6i.xlarge",
				"  replicas: 2\n  disruption: {consolidateAfter: 0s}",
				onDemand,
			) + half(
				"a",
				empty,
			).text() +
				half(
					"b",
				).text(),
			[]string{
				"a: its NodePool keeps 2 nodes (spec.replicas)",
				"b: its NodePool keeps 2 nodes (spec.replicas)",
			},
		},
		"NotOurs": {
			"Nodes of nobody stay.",
			strings.ReplaceAll(fleet(all, half("a", empty)), "karpenter.sh/nodepool: p", "team: x"),
			[]string{"a: it is of no NodePool"},
		},
		"PoolGone": {
			"So do those of a pool that is not given.",
			strings.ReplaceAll(
				fleet(all, half("a", empty, func(m *machine) { m.claim = ", annotations: {}" })),
				"karpenter.sh/nodepool: p",
				"karpenter.sh/nodepool: q",
			),
			[]string{"a: its NodePool is not given"},
		},
		"Waiting": {
			"A pod that waits gets its room first.",
			fleet(all, half("a", empty)) + deployment("web", 1, "3", ""),
			[]string{"a: pod default/web-0 is expected on it"},
		},
		"Buffered": {
			"Room that a CapacityBuffer asks for is in use, and moves without an eviction.",
			fleet(
				all,
				half("a", empty),
			) + "\n---\napiVersion: v1\nkind: PodTemplate\nmetadata: {name: t}\ntemplate: {spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 3}}}]}}\n" +
				"---\napiVersion: autoscaling.x-k8s.io/v1beta1\nkind: CapacityBuffer\nmetadata: {name: room}\nspec: {podTemplateRef: {name: t}, replicas: 1}\n",
			[]string{"a: SavesTooLittle"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := answer[view.Moves](t, tc.text, "--consolidate", "--now", "2026-11-30T12:00:00Z")
			if diff := cmp.Diff(tc.want, said(got)); diff != "" {
				t.Errorf("%s\n-want +got\n%s\n%q", tc.why, diff, got.Notes)
			}
		})
	}
}

func TestConsolidateSaysWhatIsSavedAndWhatWasAssumed(t *testing.T) {
	t.Parallel()
	text := fleet(
		"consolidateAfter: 0s, budgets: [{nodes: \"100%\"}]",
		machine{name: "a", size: "2xlarge", cores: 8, pods: []int{3}},
		machine{name: "b", size: "xlarge", cores: 4},
	)
	file := written(t, "cluster.yaml", text)
	code, stdout, stderr := run(t, "simulate", "--consolidate", "-f", file)
	for _, want := range []string{"Underutilized", "0.3840", "price $0.5760/h becomes $0.1920/h",
		"2 nodes carry a NodePool's label and have no NodeClaim", "do not say since when they exist"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit code %d %s, no %q in\n%s", code, stderr, want, stdout)
		}
	}
	for want, args := range map[int][]string{3: {"--exit-code", "-f", file}, 0: {"--exit-code", "-f", written(t, "none.yaml", fleet("consolidateAfter: Never", machine{name: "a", size: "xlarge", cores: 4}))}} {
		if code, _, stderr := run(
			t,
			append([]string{"simulate", "--consolidate"}, args...)...); code != want ||
			stderr != "" {
			t.Errorf("exit code %d, want %d: %s", code, want, stderr)
		}
	}
}

// A cluster that its server wrote down is looked at as of then.
func TestConsolidateLooksAtTheTimeOfTheRecording(t *testing.T) {
	t.Parallel()
	text := strings.ReplaceAll(
		fleet(
			"consolidateAfter: 0s, budgets: [{nodes: \"0\", schedule: \"0 9 * * *\", duration: 1h}]",
			machine{name: "a", size: "xlarge", cores: 4},
		),
		"status: {capacity: {cpu: 4,",
		"status: {conditions: [{type: Ready, status: \"True\", lastHeartbeatTime: \"2026-11-30T09:30:00Z\"}], capacity: {cpu: 4,",
	)
	text = strings.ReplaceAll(
		text,
		"karpenter.sh/nodepool: p,",
		"karpenter.sh/nodepool: p, karpenter.sh/registered: \"true\", karpenter.sh/initialized: \"true\",",
	)
	got := answer[view.Moves](t, text, "--consolidate")
	if !slices.ContainsFunc(
		got.Notes,
		func(n string) bool { return strings.Contains(n, "as of 2026-11-30T09:30:00Z") },
	) ||
		len(got.Moves) > 0 {
		t.Errorf("%+v", got)
	}
	if later := answer[view.Moves](t, text, "--consolidate", "--now", "2026-11-30T11:00:00Z"); len(later.Moves) != 1 {
		t.Errorf("after the window the node goes: %+v", later)
	}
}

// Round by round budgets hold, and what is left in the end is what the last price says.
func TestConsolidateRoundByRound(t *testing.T) {
	t.Parallel()
	var machines []machine
	for _, name := range []string{"a", "b", "c", "d"} {
		machines = append(machines, machine{name: name, size: "xlarge", cores: 4, pods: []int{2}})
	}
	machines = append(
		machines,
		machine{
			name:  "e",
			size:  "2xlarge",
			cores: 8,
			pods:  []int{1, 1},
			pod:   ", annotations: {karpenter.sh/do-not-disrupt: \"true\"}",
		},
		machine{
			name:  "f",
			size:  "4xlarge",
			cores: 16,
			pods:  []int{3, 2},
			claim: `, creationTimestamp: "2026-11-30T01:00:00Z"`,
		},
	)
	text := fleet("consolidateAfter: 5m, budgets: [{nodes: \"1\"}]", machines...)
	one := answer[view.Moves](t, text, "--consolidate", "--now", "2026-11-30T12:00:00Z")
	all := answer[view.Moves](t, text, "--consolidate", "--now", "2026-11-30T12:00:00Z", "--rounds", "20")
	if len(one.Moves) != 1 || one.Moves[0].Round != 1 || len(all.Moves) < 3 {
		t.Fatalf("one round has %d moves, all of them %d", len(one.Moves), len(all.Moves))
	}
	gone, opened := map[string]bool{}, 0
	for i, m := range all.Moves {
		if m.Round != i+1 || len(m.GiveUp) != 1 || gone[m.GiveUp[0]] {
			t.Errorf("move %d is %+v: a budget of one lets one node go in a round, and each only once", i, m)
		}
		gone[m.GiveUp[0]] = true
		opened += len(m.Open)
	}
	if len(all.Stay) != len(machines)-len(gone)+opened || gone["e"] || !gone["f"] {
		t.Errorf("%d nodes stay, %v are gone and %d opened: %+v", len(all.Stay), gone, opened, all.Stay)
	}
	if saved := all.Before - all.After - all.Together.Saving; saved > 1e-9 || saved < -1e-9 {
		t.Errorf("from %g to %g, and %g are said to be saved", all.Before, all.After, all.Together.Saving)
	}
	for _, bad := range [][]string{{"--rounds", "0", "--consolidate"}, {"--rounds", "3"}, {"--spot-to-spot"}} {
		if code, _, _ := run(
			t,
			append([]string{"simulate", "-f", written(t, "c.yaml", text)}, bad...)...); code != 2 {
			t.Errorf("%v: exit code %d", bad, code)
		}
	}
}
