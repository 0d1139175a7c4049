package aws

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/condition"
	"github.com/dovetail-sh/dovetail/engine/shape"
)

// withKubelet is a class named formula with a kubelet configuration.
func withKubelet(t *testing.T, text string, change ...func(*awsv1.EC2NodeClass)) *awsv1.EC2NodeClass {
	t.Helper()
	return nodeClass("formula", append(change, func(c *awsv1.EC2NodeClass) {
		if err := yaml.Unmarshal([]byte(text), &c.Spec.Kubelet); err != nil {
			t.Fatal(err)
		}
	})...)
}

func expressive() Settings {
	return Settings{ClusterName: clusterName, VMMemoryOverheadPercent: 0.075, KubeletExpressions: true}
}

func TestAClassIsHeldAgainstItsKubeletConfiguration(t *testing.T) {
	t.Parallel()
	off := Settings{ClusterName: clusterName}
	cases := map[string]struct {
		why            string
		settings       Settings
		kubelet        string
		change         func(*awsv1.EC2NodeClass)
		reason, says   string // reason empty for True
		alsoLeavesSome bool
	}{
		"Invalid": {
			why: "no kubelet starts with it", settings: off, kubelet: `{imageGCHighThresholdPercent: 101}`,
			reason: awsv1.ReasonInvalidKubeletConfiguration, says: "must be between 0 and 100",
		},
		"Off": {
			why: "the gate is off", settings: off, kubelet: `{maxPods: "min(110, vcpus * 20)"}`,
			reason: awsv1.ReasonKubeletExpressionsDisabled, says: "NodeClassCEL",
		},
		"Syntax": {
			why: "it is no expression", settings: expressive(), kubelet: `{kubeReserved: {cpu: "vcpus *"}}`,
			reason: awsv1.ReasonKubeletExpressionInvalid, says: "does not compile",
		},
		"EveryType": {
			why: "no type has a good value", settings: expressive(),
			kubelet: `{systemReserved: {memory: 1048576 / (vcpus - vcpus)}}`,
			reason:  awsv1.ReasonKubeletExpressionEvaluationFailed, says: "division by zero",
		},
		"Family": {
			why: "Bottlerocket is told few fields", settings: off, kubelet: `{cpuManagerPolicy: static}`,
			change: func(c *awsv1.EC2NodeClass) { c.Spec.AMISelectorTerms[0].Alias = "bottlerocket@latest" },
			reason: awsv1.ReasonUnsupportedKubeletConfiguration, says: "cpuManagerPolicy",
		},
		"Static": {
			why: "plain values need no gate", settings: off,
			kubelet: `{maxPods: 58, kubeReserved: {cpu: 100m}, cpuManagerPolicy: static}`,
		},
		"Expression": {
			why: "the gate is on", settings: expressive(),
			kubelet: `{maxPods: "min(110, vcpus * 20)", systemReserved: {memory: max_pods * 11}}`,
		},
		"SomeTypes": {
			why: "a type that the formula was not made for stays out, and stops no other", settings: expressive(),
			kubelet: `{maxPods: "110 / (vcpus - 2)"}`, says: "are left out", alsoLeavesSome: true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			change := tc.change
			if change == nil {
				change = func(*awsv1.EC2NodeClass) {}
			}
			b := newBenchWith(t, tc.settings, withKubelet(t, tc.kubelet, change))
			class := b.classNamed(t, "formula")
			got := condition.Get(class, awsv1.ConditionValidationSucceeded)
			want := metav1.ConditionFalse
			if tc.reason == "" {
				want = metav1.ConditionTrue
			}
			if got.Status != want || tc.reason != "" && got.Reason != tc.reason || !strings.Contains(
				got.Message, tc.says,
			) {
				t.Fatalf("%s: ValidationSucceeded is %s, %s: %s", tc.why, got.Status, got.Reason, got.Message)
			}
			if tc.reason != "" {
				return
			}
			types, err := b.InstanceTypes(t.Context(), ref("formula"))
			if err != nil {
				t.Fatal(err)
			}
			has := func(name string) bool {
				return slices.ContainsFunc(types, func(t *shape.InstanceType) bool { return t.Name == name })
			}
			if !has("m5.xlarge") || has("m5.large") == tc.alsoLeavesSome {
				t.Errorf("%s: offers m5.xlarge %t, m5.large %t", tc.why, has("m5.xlarge"), has("m5.large"))
			}
		})
	}
}

// What a node is told is what it was planned with, and types with different values do not share a launch template.
func TestNodesAreToldWhatTheExpressionsGiveForTheirType(t *testing.T) {
	t.Parallel()
	b := newBenchWith(
		t, expressive(),
		withKubelet(
			t, `{maxPods: "vcpus * 10", kubeReserved: {memory: "11 * max_pods + 255"}, cpuManagerPolicy: static}`,
		),
	)
	tr := b.withTrouble(t)
	order := b.orderFor(
		t,
		claim(
			"general-1", "formula",
			append(slices.Clone(onDemandAMD64), oneOf(shape.LabelInstanceType, "m5.large", "m5.xlarge"))...,
		),
	)
	m, err := b.Launch(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if pods := m.Capacity.Pods().Value(); m.InstanceType != "m5.large" || pods != 20 {
		t.Errorf("launched %s for %d pods, want m5.large for 20", m.InstanceType, pods)
	}
	told := map[string]bool{}
	for _, form := range tr.asked["CreateLaunchTemplate"] {
		text, err := base64.StdEncoding.DecodeString(form.Get("LaunchTemplateData.UserData"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"maxPods: 20", "memory: 480Mi", "maxPods: 40", "memory: 704Mi", "cpuManagerPolicy: static",
		} {
			told[line] = told[line] || strings.Contains(string(text), line)
		}
		if strings.Contains(
			string(text), "max_pods",
		) || strings.Contains(string(text), "maxPods: 20") == strings.Contains(string(text), "maxPods: 40") {
			t.Errorf("a node is told\n%s", text)
		}
	}
	if len(told) != 5 || slices.Contains(
		[]bool{
			told["maxPods: 20"], told["memory: 480Mi"], told["maxPods: 40"], told["memory: 704Mi"],
			told["cpuManagerPolicy: static"],
		},
		false,
	) {
		t.Errorf("templates say %v", told)
	}
}

// What AWS documents: virtual Nitro machines of four processors or more, but the burstable ones.
func TestClassesWithEnclavesLaunchTypesThatHaveThem(t *testing.T) {
	t.Parallel()
	b := newBench(t,
		nodeClass("on", func(c *awsv1.EC2NodeClass) { c.Spec.EnclaveOptions = &awsv1.EnclaveOptions{Enabled: true} }),
		nodeClass("off", func(c *awsv1.EC2NodeClass) { c.Spec.EnclaveOptions = &awsv1.EnclaveOptions{} }),
	)
	for class, want := range map[string]string{"on": "m5.2xlarge", "off": "m5.large"} {
		tr := b.withTrouble(t)
		of := claim(
			"general-"+class, class,
			append(
				slices.Clone(onDemandAMD64),
				oneOf(shape.LabelInstanceType, "m5.large", "m5.2xlarge", "t3.2xlarge", "m4.2xlarge"),
			)...,
		)
		m, err := b.Launch(t.Context(), b.orderFor(t, of))
		if err != nil || m.InstanceType != want && class == "on" {
			t.Errorf("%s: launched %q, %v; want %s", class, m.InstanceType, err, want)
		}
		for _, form := range tr.asked["CreateLaunchTemplate"] {
			if got := form.Get("LaunchTemplateData.EnclaveOptions.Enabled") == "true"; got != (class == "on") {
				t.Errorf("%s: the launch template has enclaves: %t", class, got)
			}
		}
	}
}
