package deploy_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/provider"
	"github.com/dovetail-sh/dovetail/provider/aws/notices"
)

// stack is a CloudFormation template, as far as the tests look at it.
type stack struct {
	Resources map[string]struct {
		Type       string
		Properties struct {
			QueueName         map[string]string
			RoleName          map[string]string
			ManagedPolicyArns []map[string]string
			PolicyDocument    json.RawMessage
			EventPattern      pattern
		}
	}
}

// pattern is which events a rule takes.
type pattern struct {
	Source     []string            `json:"source"`
	DetailType []string            `json:"detail-type"`
	Detail     map[string][]string `json:"detail,omitempty"`
}

func cloudFormation(t *testing.T) stack {
	t.Helper()
	text, err := os.ReadFile("cloudformation/dovetail.yaml")
	must(t, err)
	var s stack
	must(t, yaml.Unmarshal(text, &s))
	return s
}

func events(t *testing.T) map[string]pattern {
	t.Helper()
	text, err := os.ReadFile("events.json")
	must(t, err)
	var out map[string]pattern
	must(t, json.Unmarshal(text, &out))
	return out
}

func TestCloudFormationHasThePoliciesOfTheFiles(t *testing.T) {
	t.Parallel()
	own := map[string]string{
		"AWS::Partition": names["partition"],
		"AWS::Region":    names["region"],
		"AWS::AccountId": names["account"],
		"ClusterName":    names["cluster"],
	}
	var got, attached []document
	s := cloudFormation(t)
	for _, ref := range s.Resources["ControllerRole"].Properties.ManagedPolicyArns {
		var sub map[string]string
		must(t, json.Unmarshal(s.Resources[ref["Ref"]].Properties.PolicyDocument, &sub))
		got = append(got, parse(t, fill(sub["Fn::Sub"], own)))
	}
	for _, d := range policies(t) {
		attached = append(attached, d)
	}
	byFirst := func(a, b document) int { return strings.Compare(a.Statement[0].Sid, b.Statement[0].Sid) }
	slices.SortFunc(got, byFirst)
	slices.SortFunc(attached, byFirst)
	if diff := cmp.Diff(attached, got); diff != "" {
		t.Errorf("iam/ and cloudformation/dovetail.yaml differ: -iam +cloudformation\n%s", diff)
	}
	if role := s.Resources["KarpenterNodeRole"].Properties.RoleName["Fn::Sub"]; role != "KarpenterNodeRole-${ClusterName}" {
		t.Errorf("the node role is %q; the policies allow to pass KarpenterNodeRole-${ClusterName}", role)
	}
	if queue := s.Resources["InterruptionQueue"].Properties.QueueName["Ref"]; queue != "ClusterName" {
		t.Errorf("the queue is named after %q; the policies allow to read one that is named as the cluster", queue)
	}
}

func TestCloudFormationHasTheRulesOfTheFile(t *testing.T) {
	t.Parallel()
	got := map[string]pattern{}
	for name, r := range cloudFormation(t).Resources {
		if r.Type == "AWS::Events::Rule" {
			got[strings.TrimSuffix(name, "Rule")] = r.Properties.EventPattern
		}
	}
	if diff := cmp.Diff(events(t), got); diff != "" {
		t.Errorf("events.json and cloudformation/dovetail.yaml differ: -events +cloudformation\n%s", diff)
	}
}

// Terraform reads the same files. What its templates must be given is what the policies leave open.
func TestTerraformReadsThePoliciesOfTheFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("terraform/main.tf")
	must(t, err)
	main := string(text)
	for _, want := range []string{`templatefile("${path.module}/../iam/${each.key}.json", local.names)`, `jsondecode(file("${path.module}/../events.json"))`} {
		if !strings.Contains(main, want) {
			t.Errorf("terraform/main.tf does not read %s", want)
		}
	}
	for name := range policies(t) {
		if !strings.Contains(main, `"`+name+`"`) {
			t.Errorf("terraform/main.tf does not list policy %s", name)
		}
	}
	paths, err := filepath.Glob("iam/*.json")
	must(t, err)
	for _, path := range paths {
		policy, err := os.ReadFile(path)
		must(t, err)
		for _, rest := range strings.Split(string(policy), "${")[1:] {
			name, _, _ := strings.Cut(rest, "}")
			if _, ok := names[name]; !ok || !strings.Contains(main, "    "+name+" ") {
				t.Errorf("%s leaves %s open, which terraform/main.tf does not fill in", path, name)
			}
		}
	}
}

// Every event that a rule lets through is one that the controller acts upon or is meant to tell of.
func TestEveryRuleIsUnderstood(t *testing.T) {
	t.Parallel()
	for name, p := range events(t) {
		for _, detailType := range p.DetailType {
			detail := map[string]any{
				"instance-id":      "i-0abc",
				"affectedEntities": []map[string]string{{"entityValue": "i-0abc"}},
			}
			for key, values := range p.Detail {
				detail[key] = values[0]
			}
			body, err := json.Marshal(
				map[string]any{"version": "0", "source": p.Source[0], "detail-type": detailType, "detail": detail},
			)
			must(t, err)
			if n := notices.Parse(string(body)); n.Kind == provider.NoOp {
				t.Errorf(
					"rule %s lets %q through, and the controller makes nothing of it: %s",
					name,
					detailType,
					n.Problem,
				)
			}
		}
	}
}

// IAM takes managed policies of up to 6144 characters, white space apart.
func TestPoliciesAreShortEnough(t *testing.T) {
	t.Parallel()
	for name, d := range policies(t) {
		text, err := json.Marshal(d)
		must(t, err)
		if len(text) > 6144 {
			t.Errorf("%s has %d characters, IAM allows 6144", name, len(text))
		}
	}
}
