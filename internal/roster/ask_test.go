package roster_test

import (
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/roster"
	"github.com/dovetail-sh/dovetail/internal/simulate"
)

const pending = `---
apiVersion: v1
kind: Pod
metadata: {name: waits}
spec: {containers: [{name: main, image: i, resources: {requests: {cpu: 500m}}}]}
status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable}]}
`

// asked is what explain says of a pod and of a node.
func asked(t *testing.T, text, pod, node string) (ofPod, ofNode string) {
	t.Helper()
	set, err := manifest.Read([]string{"-"}, strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	in := roster.Input{Input: simulate.Input{Set: set, Policy: engine.DefaultPolicy(), Now: now, Lenient: true}}
	seen, err := roster.Look(in)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := seen.Plan()
	if err != nil {
		t.Fatal(err)
	}
	var p, n strings.Builder
	a, err := seen.Pod(plan, pod)
	if err != nil {
		t.Fatal(err)
	}
	b, err := seen.Node(plan, node)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Text(&p); err != nil {
		t.Fatal(err)
	}
	if err := b.Text(&n); err != nil {
		t.Fatal(err)
	}
	return p.String(), n.String()
}

// A pod whose machine the cloud refuses waits, whatever room the claim promises, and nobody knows what it costs.
func TestARefusedLaunchIsNoRoom(t *testing.T) {
	t.Parallel()
	refused := strings.Replace(claim("web-1", "", ""), "conditions: []",
		"conditions: [{type: Launched, status: Unknown, reason: Unauthorized, "+
			"message: The role lacks ec2:CreateFleet., lastTransitionTime: '2026-11-30T11:59:15Z'}]", 1)
	refused = strings.ReplaceAll(refused, ", node.kubernetes.io/instance-type: m6i.large", "")
	pod, node := asked(t, pool+refused+pending, "default/waits", "web-1")
	const want = "default/waits waits for NodeClaim web-1, which is launching for 2h " +
		"(Unauthorized: The role lacks ec2:CreateFleet)\n"
	if !strings.Contains(pod, want) || strings.Contains(pod, "has room") {
		t.Errorf("no %q in\n%s", want, pod)
	}
	if !strings.HasPrefix(node, "NodeClaim web-1 is launching for 2h (Unauthorized") || strings.Contains(node,
		"0.0000") ||
		strings.Contains(node, " free of ") || strings.Contains(node, "in , ,") {
		t.Error(node)
	}
}

// A node that is being drained has no room, and the pods that it still has are on it.
func TestADrainingNodeHasNoRoom(t *testing.T) {
	t.Parallel()
	ready := []string{"Launched", "Registered", "Initialized"}
	deleted := "  deletionTimestamp: '2026-11-30T11:48:00Z'\n  finalizers: [karpenter.sh/termination]"
	text := pool + claim("c", deleted, "  providerID: p\n  nodeName: node-n", ready...) + node("node-n", "p", "",
		"True") + `---
apiVersion: v1
kind: Pod
metadata:
  name: carts-1
  labels: {app: carts}
  ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: carts, uid: c, controller: true}]
spec: {nodeName: node-n, containers: [{name: main, image: i, resources: {requests: {cpu: 1}}}]}
status: {phase: Running}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: carts}
spec: {minAvailable: 1, selector: {matchLabels: {app: carts}}}
status: {disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1}
`
	pod, node := asked(t, text, "default/carts-1", "node-n")
	for _, want := range []string{
		"node node-n is draining for 12m: it is being deleted; " +
			"PodDisruptionBudget default/carts allows no eviction of pod carts-1\n",
		"cpu: 2, nothing of it for new pods\n", "running (1): default/carts-1\n",
	} {
		if !strings.Contains(node, want) || strings.Contains(node, " free of ") {
			t.Errorf("no %q in\n%s", want, node)
		}
	}
	if !strings.Contains(pod, "until then it is on node node-n, which is draining for 12m") {
		t.Error(pod)
	}
}
