package roster_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/internal/view"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

const pool = `
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: web}
spec:
  limits: {cpu: 100}
  template:
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      requirements:
      - {key: karpenter.sh/capacity-type, operator: In, values: [on-demand]}
      - {key: karpenter.k8s.aws/instance-family, operator: In, values: [m6i]}
  disruption: {consolidateAfter: 5m, budgets: [{nodes: "2"}, {nodes: "0", reasons: [Drifted]}]}
`

// placed are the labels of a machine.
const placed = "karpenter.sh/nodepool: web, karpenter.sh/capacity-type: on-demand, topology.kubernetes.io/zone: " +
	"us-east-1a, " +
	"topology.kubernetes.io/region: us-east-1, node.kubernetes.io/instance-type: m6i.large, kubernetes.io/arch: amd64"

// claim is a NodeClaim of that pool with conditions that are true since an hour ago, and more of its YAML.
func claim(name, metadata, status string, conditions ...string) string {
	var list []string
	for _, c := range conditions {
		list = append(
			list,
			fmt.Sprintf(
				"{type: %s, status: 'True', reason: %s, message: '', lastTransitionTime: '2026-11-30T11:00:00Z'}",
				c,
				c,
			),
		)
	}
	return fmt.Sprintf(`---
apiVersion: karpenter.sh/v1
kind: NodeClaim
metadata:
  name: %s
  creationTimestamp: "2026-11-30T10:00:00Z"
  labels: {`+placed+`}
%s
spec:
  nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
  requirements: [{key: node.kubernetes.io/instance-type, operator: In, values: [m6i.large]}]
status:
  conditions: [%s]
%s
`, name, metadata, strings.Join(list, ", "), status)
}

func node(name, id, spec, ready string) string {
	return fmt.Sprintf(`---
apiVersion: v1
kind: Node
metadata: {name: %s, labels: {karpenter.sh/registered: "true", karpenter.sh/initialized: "true", `+placed+`}}
spec: {providerID: %q, %s}
status:
  allocatable: {cpu: "2", memory: 8Gi, pods: "58"}
  conditions: [{type: Ready, status: '%s', reason: r, lastTransitionTime: '2026-11-30T11:00:00Z'}]
`, name, id, spec, ready)
}

func look(t *testing.T, text string) view.Fleet {
	t.Helper()
	set, err := manifest.Read([]string{"-"}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	seen, err := roster.Look(
		roster.Input{Input: simulate.Input{Set: set, Policy: engine.DefaultPolicy(), Now: now, Lenient: true}},
	)
	if err != nil {
		t.Fatal(err)
	}
	thoughts, err := seen.Think()
	if err != nil {
		t.Fatal(err)
	}
	return seen.Fleet(thoughts)
}

// Each state of a machine's life has its own row, with what it waits for by name.
func TestTheWholeLifeOfAMachineIsSeen(t *testing.T) {
	t.Parallel()
	const launched, registered, initialized = "Launched", "Registered", "Initialized"
	ready := []string{launched, registered, initialized}
	deleted := "  deletionTimestamp: '2026-11-30T11:58:00Z'\n  finalizers: [karpenter.sh/termination]"
	pods := `---
apiVersion: v1
kind: Pod
metadata: {name: carts-1, labels: {app: carts}, ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: carts, uid: c, controller: true}]}
spec: {nodeName: node-n, containers: [{name: main, image: i, resources: {requests: {cpu: 1}}}]}
status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: carts}
spec: {minAvailable: 1, selector: {matchLabels: {app: carts}}}
status: {disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1}
`
	going := "- {type: DisruptionReason, status: 'True', reason: Drifted, message: The node is to go because it has " +
		"drifted., lastTransitionTime: '2026-11-30T11:59:00Z'}"
	block := func(text, more string) string { // conditions as a list of lines
		i := strings.Index(text, "  conditions: [{type: Launched")
		rest := text[i+len("  conditions: ["):]
		j := strings.Index(rest, "]")
		return text[:i] + "  conditions:\n  - " + strings.ReplaceAll(
			rest[:j],
			"}, {",
			"}\n  - {",
		) + "\n  " + more + rest[j+1:]
	}
	for name, tc := range map[string]struct {
		text  string
		name  string
		phase view.Phase
		why   string
	}{
		"nothing but a claim": {claim("c", "", ""), "c", view.Launching, "for pods that wait"},
		"a machine": {claim("c", "", "  providerID: aws:///us-east-1a/i-1", launched), "c",
			view.Launched, "for pods that wait"},
		"a node": {claim("c", "", "  providerID: p\n  nodeName: node-n", launched, registered) +
			node("node-n", "p", "", "True"), "node-n", view.Registered, "for pods that wait"},
		"ready": {claim("c", "", "  providerID: p\n  nodeName: node-n", ready...) + node("node-n",
			"p", "", "True"), "node-n", view.Ready, "it may go"},
		"not ready": {claim("c", "", "  providerID: p\n  nodeName: node-n", ready...) + node("node-n",
			"p", "", "Unknown"), "node-n", view.Broken, "its kubelet"},
		"cordoned": {claim("c", "", "  providerID: p\n  nodeName: node-n", ready...) + node("node-n",
			"p", "unschedulable: true", "True"), "node-n", view.Cordoned, ""},
		"chosen, says the node": {claim("c", "", "  providerID: p\n  nodeName: node-n", ready...) + node("node-n",
			"p", "taints: [{key: karpenter.sh/disrupted, effect: NoSchedule}]", "True"), "node-n", view.Disrupting,
			"it is being deleted"},
		"chosen, says the claim": {block(claim("c", "", "  providerID: p\n  nodeName: node-n", ready...), going) +
			node("node-n", "p", "", "True"), "node-n", view.Disrupting,
			"The node is to go because it has drifted"},
		"draining": {claim("c", deleted, "  providerID: p\n  nodeName: node-n", ready...) + node("node-n", "p", "",
			"True") + pods, "node-n", view.Draining,
			"PodDisruptionBudget default/carts allows no eviction of pod carts-1"},
		"drained": {claim("c", deleted, "  providerID: p\n  nodeName: node-n",
			append(ready, "InstanceTerminating")...) + node("node-n", "p", "", "True"), "node-n", view.Terminating,
			"it is being deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := look(t, pool+tc.text)
			if len(f.Nodes) != 1 {
				t.Fatalf("%d machines: %+v", len(f.Nodes), f.Nodes)
			}
			m := f.Nodes[0]
			if m.Name != tc.name || m.Phase != tc.phase || !strings.Contains(m.Why, tc.why) {
				t.Errorf("got %s, %s, %q; want %s, %s, %q", m.Name, m.Phase, m.Why, tc.name, tc.phase, tc.why)
			}
			if m.Price.Dollars() != "$0.0960" || m.PriceFrom != "pool" {
				t.Errorf("it costs %s from %q", m.Price.Dollars(), m.PriceFrom)
			}
		})
	}
}

// A price that nobody knows is unknown, and the total says so; no region is guessed.
func TestPricesAreHonest(t *testing.T) {
	t.Parallel()
	bare := func(name, labels string) string {
		return "---\napiVersion: v1\nkind: Node\nmetadata: {name: " + name + ", labels: {" + labels +
			"}}\nstatus: {allocatable: {cpu: 2}}\n"
	}
	f := look(
		t,
		pool+bare("known", "node.kubernetes.io/instance-type: m6i.large, topology.kubernetes.io/zone: us-east-1a")+
			bare(
				"elsewhere",
				"node.kubernetes.io/instance-type: m6i.large, topology.kubernetes.io/region: eu-west-1, "+
					"topology.kubernetes.io/zone: eu-west-1a",
			)+
			bare("nowhere", "node.kubernetes.io/instance-type: m6i.large")+
			bare("strange", "node.kubernetes.io/instance-type: q1.huge, topology.kubernetes.io/zone: us-east-1a")+
			bare("fargate", "eks.amazonaws.com/compute-type: fargate, topology.kubernetes.io/zone: us-east-1a")+
			bare("agreed", "eks-node-viewer/instance-price: '0.05'"),
	)
	got := map[string]string{}
	for i := range f.Nodes {
		got[f.Nodes[i].Name] = f.Nodes[i].PriceText() + " " + f.Nodes[i].PriceFrom
	}
	for name, want := range map[string]string{"known": "0.0960 catalogue", "elsewhere": "0.1070 catalogue",
		"nowhere": "unknown ", "strange": "unknown ",
		"fargate": "unknown ", "agreed": "0.0500 label"} {
		if got[name] != want {
			t.Errorf("%s: %q, want %q", name, got[name], want)
		}
	}
	if line := f.Line(); !strings.Contains(line, "≥ $0.2530/h") ||
		!strings.Contains(line, "3 without a known price") {
		t.Error(line)
	}
	if missing := strings.Join(
		f.Missing,
		"; ",
	); !strings.Contains(
		missing,
		"prices of 1 of an unknown type, 1 of m6i.large, 1 of q1.huge",
	) {
		t.Error(missing)
	}
}

// Two pods of one name are two, and who is not planned is told why.
func TestEveryPodThatWaitsHasAnAnswer(t *testing.T) {
	t.Parallel()
	pod := func(namespace, name, more string) string {
		return fmt.Sprintf(
			"---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: %s}\nspec: {%s containers: [{name: m, "+
				"image: i, resources: {requests: {cpu: 1}}}]}\n",
			name,
			namespace,
			more,
		)
	}
	f := look(
		t,
		pool+pod(
			"a",
			"p",
			"",
		)+pod(
			"b",
			"p",
			"nodeSelector: {disk: fast},",
		)+pod(
			"c",
			"gated",
			"schedulingGates: [{name: quota}],",
		),
	)
	got := map[string]view.Waiting{}
	for _, w := range f.Pending {
		got[w.Pod] = w
	}
	if len(got) != 3 || got["a/p"].Verdict != view.NewNode || got["b/p"].Verdict != view.NoPlace ||
		got["c/gated"].Verdict != view.NotPlanned {
		t.Fatalf("%+v", got)
	}
	if !strings.Contains(got["b/p"].Why, "disk In fast") || !strings.Contains(got["c/gated"].Why, "quota") ||
		!strings.Contains(got["a/p"].Why, "m6i.large") {
		t.Errorf("%+v", got)
	}
}

func TestPoolsTellWhatBudgetsAndLimitsLeave(t *testing.T) {
	t.Parallel()
	f := look(
		t,
		pool+claim(
			"c",
			"",
			"  providerID: p\n  nodeName: node-n",
			"Launched",
			"Registered",
			"Initialized",
		)+node(
			"node-n",
			"p",
			"",
			"True",
		),
	)
	p := f.Pools[0]
	if got := p.LimitText() + "; " + p.BudgetText(); got != "cpu 2 of 100; 2 now, Drifted 0" {
		t.Error(got)
	}
	if f.Money.Bound != 0 || f.Money.Saving != view.PerHour(96_000) {
		t.Errorf("an empty node: %s", f.Line())
	}
}
