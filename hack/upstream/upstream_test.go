package main

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// older and newer are modules as small as they can be, with one thing of each kind.
func older() fstest.MapFS {
	return fstest.MapFS{
		"pkg/apis/crds/things.yaml": {Data: []byte(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
spec:
  names: {kind: Thing}
  versions:
  - name: v1
    additionalPrinterColumns: [{name: Size, jsonPath: .spec.size, type: string}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [size]
            properties:
              size: {type: string, enum: [small, large], description: How large it is.}
              parts: {type: array, items: {type: object, properties: {name: {type: string}}}}
              tags: {type: object, additionalProperties: {type: string}}
`)},
		"pkg/apis/v1/labels.go": {Data: []byte(`package v1

const (
	Group              = "karpenter.sh"
	PoolKey            = Group + "/nodepool"
	ConditionTypeReady = "Ready"
)
`)},
		"pkg/options/options.go": {Data: []byte(`package options

type FeatureGates struct {
	Repair bool
	input  string
}

func add(fs *flags) {
	fs.IntVar(&o.Port, "metrics-port", env.WithDefaultInt("METRICS_PORT", 8080), "the port")
	fs.BoolVarWithEnv(&o.Quick, "quick", "QUICK", false, "quick")
}
`)},
		"pkg/metrics/metrics.go": {Data: []byte(`package metrics

const Namespace, reason = "karpenter", "reason"

var Pool = label{Name: "nodepool"}

var Total = opmetrics.NewPrometheusCounter(registry, prometheus.CounterOpts{
	Namespace: Namespace, Subsystem: "nodes", Name: "total", Help: "all",
}, []string{reason, Pool})
`)},
		"pkg/controllers/tell.go": {Data: []byte(`package controllers

import karpv1 "x/v1"

func tell(claim *NodeClaim) {
	claim.StatusConditions().SetFalse(karpv1.ConditionTypeReady, "NotYet", "wait")
	recorder.Publish(events.Event{
		InvolvedObject: claim, Type: corev1.EventTypeWarning, Reason: "Blocked", Message: fmt.Sprintf("Cannot %s", why),
	})
}
`)},
		"charts/karpenter/Chart.yaml":  {Data: []byte("name: karpenter\n")},
		"charts/karpenter/values.yaml": {Data: []byte("settings:\n  quick: false\n  gates: {repair: false}\n")},
		"charts/karpenter/templates/clusterrole.yaml": {Data: []byte(`rules:
  - apiGroups: [""]
    resources: ["pods", "nodes"]
    verbs: ["get"]
`)},
		"pkg/cloud/cloud.go": {Data: []byte("package cloud\n\n// It needs ec2:RunInstances.\n")},
		"test/suites/drift/suite_test.go": {Data: []byte(`package drift_test

var _ = Describe("Drift", func() {
	Context("of images", func() {
		It("should drift", func() {})
		DescribeTable("all", func(string) {}, Entry("a field", "x"))
	})
})
`)},
	}
}

// changed is a module with some text of some files replaced.
func changed(of fstest.MapFS, file, old, by string) fstest.MapFS {
	out := maps.Clone(of)
	out[file] = &fstest.MapFile{Data: []byte(strings.Replace(string(of[file].Data), old, by, 1))}
	return out
}

func TestDifferences(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		file, old, by string
		want          []Difference
	}{
		"Nothing": {"pkg/cloud/cloud.go", "needs", "wants", nil},
		"Wording": {"pkg/apis/crds/things.yaml", "How large it is.", "Its size.", nil},
		"FieldNew": {
			"pkg/apis/crds/things.yaml", "              tags:",
			"              color: {type: string}\n              tags:",
			[]Difference{{Kind: Field, Name: "Thing/v1.spec.color", After: `{"type":"string"}`, New: true}},
		},
		"FieldInAList": {
			"pkg/apis/crds/things.yaml", "{name: {type: string}}", "{title: {type: string}}",
			[]Difference{
				{Kind: Field, Name: "Thing/v1.spec.parts[].name", Before: `{"type":"string"}`, Gone: true},
				{Kind: Field, Name: "Thing/v1.spec.parts[].title", After: `{"type":"string"}`, New: true},
			},
		},
		"FieldOfAMap": {
			"pkg/apis/crds/things.yaml", "additionalProperties: {type: string}",
			"additionalProperties: {type: integer}",
			[]Difference{{
				Kind: Field, Name: "Thing/v1.spec.tags.{}", Before: `{"type":"string"}`, After: `{"type":"integer"}`,
			}},
		},
		"FieldOptional": {
			"pkg/apis/crds/things.yaml", "            required: [size]\n", "",
			[]Difference{{
				Kind: Field, Name: "Thing/v1.spec", Before: `{"type":"object","required":["size"]}`,
				After: `{"type":"object"}`,
			}},
		},
		"OrderOfAnEnum": {"pkg/apis/crds/things.yaml", "[small, large]", "[large, small]", nil},
		"Enum": {
			"pkg/apis/crds/things.yaml", "[small, large]", "[small]",
			[]Difference{{
				Kind: Field, Name: "Thing/v1.spec.size", Before: `{"type":"string","enum":["large","small"]}`,
				After: `{"type":"string","enum":["small"]}`,
			}},
		},
		"Column": {
			"pkg/apis/crds/things.yaml", "name: Size", "name: Extent",
			[]Difference{
				{Kind: Field, Name: "Thing/v1 column Extent", After: ".spec.size", New: true},
				{Kind: Field, Name: "Thing/v1 column Size", Before: ".spec.size", Gone: true},
			},
		},
		"Default": {
			"pkg/options/options.go", "8080", "9090",
			[]Difference{
				{Kind: Flag, Name: "--metrics-port", Before: "8080", After: "9090"},
				{Kind: Variable, Name: "METRICS_PORT", Before: "8080", After: "9090"},
			},
		},
		"FlagGone": {
			"pkg/options/options.go", "\tfs.BoolVarWithEnv(&o.Quick, \"quick\", \"QUICK\", false, \"quick\")\n", "",
			[]Difference{
				{Kind: Flag, Name: "--quick", Before: "false", Gone: true},
				{Kind: Variable, Name: "QUICK", Before: "false", Gone: true},
			},
		},
		"Gate": {
			"pkg/options/options.go", "Repair bool", "Repair, First bool",
			[]Difference{{Kind: Gate, Name: "First", New: true}},
		},
		"Metric": {
			"pkg/metrics/metrics.go", "reason, Pool}", "reason}",
			[]Difference{{
				Kind: Metric, Name: "karpenter_nodes_total", Before: "{nodepool, reason}", After: "{reason}",
			}},
		},
		"LabelOfAMetric": {
			"pkg/metrics/metrics.go", `"nodepool"`, `"pool"`,
			[]Difference{{
				Kind: Metric, Name: "karpenter_nodes_total", Before: "{nodepool, reason}", After: "{pool, reason}",
			}},
		},
		"Event": {
			"pkg/controllers/tell.go", "Cannot", "Will not",
			[]Difference{{Kind: Event, Name: "Blocked", Before: "Warning Cannot %s", After: "Warning Will not %s"}},
		},
		"Reason": {
			"pkg/controllers/tell.go", `"NotYet"`, `"Waiting"`,
			[]Difference{
				{Kind: Condition, Name: "Ready NotYet", Gone: true},
				{Kind: Condition, Name: "Ready Waiting", New: true},
			},
		},
		"Label": {
			"pkg/apis/v1/labels.go", `Group + "/nodepool"`, `Group + "/pool"`,
			[]Difference{
				{Kind: Label, Name: "karpenter.sh/nodepool", Gone: true},
				{Kind: Label, Name: "karpenter.sh/pool", New: true},
			},
		},
		"Value": {
			"charts/karpenter/values.yaml", "repair: false", "repair: true",
			[]Difference{{Kind: ChartValue, Name: "karpenter.settings.gates.repair", Before: "false", After: "true"}},
		},
		"Right": {
			"charts/karpenter/templates/clusterrole.yaml", `["get"]`, `["get", "list"]`,
			[]Difference{
				{Kind: ChartRight, Name: "clusterrole.yaml: list core/nodes", New: true},
				{Kind: ChartRight, Name: "clusterrole.yaml: list core/pods", New: true},
			},
		},
		"Action": {
			"pkg/cloud/cloud.go", "ec2:RunInstances", "ec2:RebootInstances",
			[]Difference{
				{Kind: IAM, Name: "ec2:RebootInstances", New: true}, {Kind: IAM, Name: "ec2:RunInstances", Gone: true},
			},
		},
		"Spec": {
			"test/suites/drift/suite_test.go", `"should drift"`, `"should stay"`,
			[]Difference{
				{Kind: Spec, Name: "test/suites/drift/suite_test.go: Drift: of images: should drift", Gone: true},
				{Kind: Spec, Name: "test/suites/drift/suite_test.go: Drift: of images: should stay", New: true},
			},
		},
		"Entry": {
			"test/suites/drift/suite_test.go", `Entry("a field", "x")`, ``,
			[]Difference{{
				Kind: Spec, Name: "test/suites/drift/suite_test.go: Drift: of images: all: a field", Gone: true,
			}},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, err := Collect(older())
			if err != nil {
				t.Fatal(err)
			}
			after, err := Collect(changed(older(), tc.file, tc.old, tc.by))
			if err != nil {
				t.Fatal(err)
			}
			if got := Differences(before, after); !slices.Equal(got, tc.want) {
				t.Errorf("got\n%+v\nwant\n%+v", got, tc.want)
			}
		})
	}
}

func TestWrite(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	err := Write(&out, "example.com/m", [2]string{"v1.0.0", "v1.1.0"}, []Difference{
		{Kind: Flag, Name: "--new", After: "a|b", New: true}, {Kind: Gate, Name: "Old", Gone: true},
	})
	want := "# example.com/m: v1.0.0 to v1.1.0\n\n- Flag: 1 new, 0 gone, 0 changed\n" +
		"- Feature gate: 0 new, 1 gone, 0 changed\n" +
		"\n| Kind | Name | Before | After |\n|---|---|---|---|\n" +
		"| Flag | --new | – | a\\|b |\n| Feature gate | Old | yes | – |\n"
	if err != nil || out.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
	}
}

func TestSomethingElseIsNoModuleOfKarpenter(t *testing.T) {
	t.Parallel()
	if _, err := Collect(fstest.MapFS{"main.go": {Data: []byte("package main\n")}}); err == nil {
		t.Error("a module without kinds was read as one of Karpenter's")
	}
}

// What 1.15 brought, of each kind: the real modules, so that a collector that no longer fits their code is noticed.
func TestWhatKarpenter115Brought(t *testing.T) {
	t.Parallel()
	for module, tc := range map[string]struct {
		to   string
		want []string
	}{
		"core": {"v1.15.0", []string{
			"Field NodePool/v1.spec.disruption.consolidateAfter",
			"Field NodePool/v1.spec.disruption.budgets[].reasons[]",
			"Flag --legacy-node-repair", "Environment LEGACY_NODE_REPAIR", "Flag --scheduler-config",
			"Feature gate TerminateFirstDrift", "Feature gate TerminateFirstRepair",
			"Feature gate PodDeletionCostManagement",
			"Metric karpenter_nodeclaims_disrupted_total", "Metric karpenter_nodeclaims_unhealthy_disrupted_total",
			"Metric karpenter_pods_disruption_initiated_total",
			"Metric karpenter_voluntary_disruption_terminate_first_decisions_total",
			"Metric karpenter_nodes_reboots_total", "Metric karpenter_nodes_reboot_duration_seconds",
			"Metric karpenter_cloudprovider_errors_total", "Metric karpenter_pods_bound_duration_seconds",
			"Metric karpenter_pod_deletion_cost_pod_annotation_writes_total",
			"Event RebootObserved", "Event RebootFailed", "Condition Rebooting", "Condition RebootSucceeded",
			"Condition Initialized Rebooting",
			"Label, annotation or taint karpenter.sh/do-not-repair",
			"Label, annotation or taint karpenter.sh/disruption-cost",
			"Label, annotation or taint karpenter.sh/rebooting",
			"Label, annotation or taint compatibility.karpenter.sh/provider",
		}},
		"aws": {"v1.15.2", []string{
			"Field EC2NodeClass/v1.spec.kubelet", "Field EC2NodeClass/v1.spec.kubelet.maxPods",
			"Field EC2NodeClass/v1.spec.enclaveOptions.enabled",
			"Flag --aws-feature-gates", "Environment SECURITY_GROUP_REFRESH_INTERVAL", "Feature gate NodeClassCEL",
			"Feature gate RebootForRepair",
			"Condition InvalidKubeletConfiguration", "Condition KubeletExpressionsDisabled",
			"Label, annotation or taint karpenter.k8s.aws/nvidia-consumable-capacity",
			"Chart value karpenter.settings.awsFeatureGates.nodeClassCEL",
			"Chart value karpenter.settings.legacyNodeRepair",
			"Chart right clusterrole-core.yaml: list resource.k8s.io/resourceslices",
			"IAM action ec2:RebootInstances",
		}},
	} {
		t.Run(module, func(t *testing.T) {
			t.Parallel()
			before, after := downloaded(t, module, "v1.14.1"), downloaded(t, module, tc.to)
			found := map[string]bool{}
			for _, d := range Differences(before, after) {
				found[string(d.Kind)+" "+d.Name] = true
			}
			for _, want := range tc.want {
				if !found[want] {
					t.Errorf("does not find %s", want)
				}
			}
			if t.Failed() {
				t.Logf("found %d differences", len(found))
			}
		})
	}
}

// downloaded reads a version of a module, or skips the test where the go command cannot get it.
func downloaded(t *testing.T, module, version string) Facts {
	t.Helper()
	facts, err := Collect(moduleFiles(t, modules[module], version))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}
