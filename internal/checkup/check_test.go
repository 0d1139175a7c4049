package checkup_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/internal/checkup"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
)

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// well is a cluster without a fault.
const well = `
apiVersion: karpenter.k8s.aws/v1
kind: EC2NodeClass
metadata: {name: default}
spec: {role: node, amiSelectorTerms: [{alias: al2023@latest}], subnetSelectorTerms: [{tags: {a: b}}], securityGroupSelectorTerms: [{tags: {a: b}}]}
---
apiVersion: karpenter.sh/v1
kind: NodePool
metadata: {name: web}
spec:
  limits: {cpu: 100}
  template:
    spec:
      nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}
      requirements:
      - {key: karpenter.k8s.aws/instance-family, operator: In, values: [m6i]}
  disruption: {consolidateAfter: 5m, budgets: [{nodes: 10%}]}
---
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {karpenter.sh/nodepool: web, topology.kubernetes.io/zone: us-east-1a}}
status: {allocatable: {cpu: 4, memory: 8Gi, pods: 50}}
---
apiVersion: v1
kind: Pod
metadata: {name: a-1, labels: {app: a}}
spec: {nodeName: n1, containers: [{name: main, image: i, resources: {requests: {cpu: 100m}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: a-2, labels: {app: a}}
spec: {nodeName: n1, containers: [{name: main, image: i, resources: {requests: {cpu: 100m}}}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: a}
spec: {minAvailable: 1, selector: {matchLabels: {app: a}}}
`

const claimed = `
---
apiVersion: karpenter.sh/v1
kind: NodeClaim
metadata: {name: c, creationTimestamp: "2026-11-30T10:00:00Z", labels: {karpenter.sh/nodepool: web}%s}
spec: {nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: default}, requirements: [{key: kubernetes.io/arch, operator: Exists}]}
status: {conditions: [{type: Initialized, status: '%s', reason: r, message: 'the node has not registered', lastTransitionTime: '2026-11-30T10:00:00Z'}]}
`

// served are the definitions of this version, as a server has them.
func served() (out []unstructured.Unstructured) {
	for _, d := range crd.All() {
		var versions []any
		var stored []any
		for _, v := range d.Spec.Versions {
			versions = append(versions, map[string]any{"name": v.Name, "served": v.Served})
			stored = append(stored, v.Name)
		}
		out = append(
			out,
			unstructured.Unstructured{
				Object: map[string]any{
					"metadata": map[string]any{"name": d.Name},
					"spec":     map[string]any{"versions": versions},
					"status":   map[string]any{"storedVersions": stored},
				},
			},
		)
	}
	return out
}

func held(namespace string) coordinationv1.Lease {
	holder, at := "pod-"+namespace, metav1.NewMicroTime(now.Add(-time.Second))
	return coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "karpenter-leader-election", Namespace: namespace},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, RenewTime: &at},
	}
}

// Each fault trips its own check and no other, and each check has a fault that trips it.
func TestEachFaultTripsItsCheck(t *testing.T) {
	t.Parallel()
	edit := func(pairs ...string) string {
		out := strings.NewReplacer(pairs...).Replace(well)
		if out == well {
			t.Fatalf("nothing is replaced: %q", pairs)
		}
		return out
	}
	condition := func(kind string) string {
		return fmt.Sprintf(
			"kind: %s\nstatus: {conditions: [{type: Ready, status: 'False', reason: Why, message: because, "+
				"lastTransitionTime: '2026-11-30T10:00:00Z'}]}\n",
			kind,
		)
	}
	type input = checkup.Input
	faults := map[string]struct {
		text   string
		change func(*input)
	}{
		"":      {well, nil},
		"DT101": {edit("kind: EC2NodeClass, name: default", "kind: EC2NodeClass, name: other"), nil},
		"DT102": {edit("values: [m6i]", "values: [m99]"), nil},
		"DT103": {edit("cpu: 100}", "cpu: 0}"), nil},
		"DT104": {
			edit(
				"requirements:\n",
				"taints: [{key: a, effect: NoSchedule}, {key: a, effect: NoSchedule}]\n      requirements:\n      - "+
					"{key: kubernetes.io/hostname, operator: In, values: [x]}\n",
			),
			nil,
		},
		"DT105": {edit("kind: NodePool\n", condition("NodePool")), nil},
		"DT111": {edit("kind: EC2NodeClass\nmetadata", condition("EC2NodeClass")+"metadata"), nil},
		"DT201": {edit("minAvailable: 1", "maxUnavailable: 0"), nil},
		"DT202": {
			well + "---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: " +
				"{maxUnavailable: 1, selector: {matchLabels: {app: a}}}\n",
			nil,
		},
		"DT301": {edit("nodes: 10%", "nodes: '0'"), nil},
		"DT302": {edit("{nodes: 10%}", "{nodes: '1', schedule: '0 0 30 2 *', duration: 1h}"), nil},
		"DT401": {edit("resources: {requests: {cpu: 100m}}", ""), nil},
		"DT402": {well + fmt.Sprintf(claimed, "", "False"), nil},
		"DT403": {
			well + fmt.Sprintf(claimed, ", deletionTimestamp: '2026-11-30T10:30:00Z', finalizers: [a/b]", "True"),
			nil,
		},
		"DT501": {well, func(in *input) { in.Missing = []string{"Nodes, which you may not list"} }},
		"DT502": {well, func(in *input) { in.Server.Definitions = in.Server.Definitions[1:] }},
		"DT503": {well, func(in *input) {
			in.Server.Definitions[0].Object["status"] = map[string]any{"storedVersions": []any{"v1alpha5", "v1"}}
		}},
		"DT601": {
			well,
			func(in *input) { in.Server.Leases = []coordinationv1.Lease{held("karpenter"), held("kube-system")} },
		},
		"DT602": {
			well,
			func(in *input) { in.Server.Leases, in.Before = []coordinationv1.Lease{held("karpenter")}, true },
		},
		"DT603": {well, func(in *input) { in.Server.Clock = now.Add(-3 * time.Minute) }},
	}
	for _, c := range checkup.Codes() {
		if _, ok := faults[c[0]]; !ok {
			t.Errorf("no fault trips %s, %s", c[0], c[1])
		}
	}
	for code, fault := range faults {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			set, err := manifest.Read([]string{"-"}, strings.NewReader(fault.text))
			if err != nil && code == "DT104" {
				set, err = lenient(fault.text)
			}
			if err != nil {
				t.Fatal(err)
			}
			in := input{
				Input:  simulate.Input{Set: set, Now: now, Policy: engine.DefaultPolicy()},
				Server: &checkup.Server{Definitions: served(), Clock: now},
			}
			if fault.change != nil {
				fault.change(&in)
			}
			out, err := checkup.Run(in)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range out.Findings {
				if !slices.Contains(got, f.Code) {
					got = append(got, f.Code)
				}
				if f.Fix == "" || f.Object == "" || f.Message == "" {
					t.Errorf("half a finding: %+v", f)
				}
			}
			if strings.Join(got, " ") != code {
				t.Errorf("got %v: %+v", got, out.Findings)
			}
		})
	}
}

// lenient is a set with what only a server of another version would have taken.
func lenient(string) (*manifest.Set, error) {
	set, err := manifest.Read([]string{"-"}, strings.NewReader(well))
	if err == nil {
		np := set.NodePools[0]
		np.Spec.Template.Spec.Requirements[0].Key = "kubernetes.io/hostname"
	}
	return set, err
}

// Codes and pages are the same, both ways, and so are their titles.
func TestEachCheckHasItsPage(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../docs/checks/DT*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		title, _, _ := strings.Cut(string(text), "\n")
		pages[strings.TrimSuffix(filepath.Base(f), ".md")] = title
	}
	for _, c := range checkup.Codes() {
		if want := "# " + c[0] + ": " + c[1]; pages[c[0]] != want {
			t.Errorf("page of %s begins with %q, want %q", c[0], pages[c[0]], want)
		}
		delete(pages, c[0])
	}
	if len(pages) > 0 {
		t.Errorf("pages without a check: %v", pages)
	}
}
