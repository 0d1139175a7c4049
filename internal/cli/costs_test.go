package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/engine/shape"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// What a rule is said to cost is what the plan without it saves: here its author takes it out of the file and plans
// again.
func TestCostsAreThoseOfThePlanWithoutTheRule(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, "costs", "-f", "testdata/rules.yaml", "-o", "json")
	if code != 0 {
		t.Fatal(stderr)
	}
	var costs view.Costs
	if err := json.Unmarshal([]byte(stdout), &costs); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for _, rule := range costs.Rules {
		if rule.PerHour < 0 || rule.PerHour != max(rule.With-rule.Without, 0) {
			t.Errorf(
				"%s, %s: %s with, %s without, and it costs %s",
				rule.Object,
				rule.Rule,
				rule.With.Dollars(),
				rule.Without.Dollars(),
				rule.PerHour.Dollars(),
			)
		}
		for part, line := range map[string]string{"spreading": "      - {maxSkew", "capacity-type": "      - {key: karpenter.sh/capacity-type", "zone In": "      - {key: topology.kubernetes.io/zone"} {
			if !strings.Contains(rule.Rule, part) {
				continue
			}
			var kept []string
			for _, l := range strings.Split(string(text), "\n") {
				if strings.Contains(l, "topologySpreadConstraints:") && part == "spreading" ||
					strings.HasPrefix(l, line) {
					continue
				}
				kept = append(kept, l)
			}
			file := filepath.Join(t.TempDir(), "without.yaml")
			if err := os.WriteFile(file, []byte(strings.Join(kept, "\n")), 0o600); err != nil {
				t.Fatal(err)
			}
			_, planned, stderr := run(t, "simulate", "-f", file, "--region", "us-east-1", "-o", "json")
			var p view.Plan
			if err := json.Unmarshal([]byte(planned), &p); err != nil {
				t.Fatalf("%v: %s", err, stderr)
			}
			if got := view.PerHour(shape.Dollars(p.PricePerHour)); got != rule.Without {
				t.Errorf(
					"%s: without it %s is said, and %s is planned",
					rule.Rule,
					rule.Without.Dollars(),
					got.Dollars(),
				)
			}
			checked++
		}
	}
	if checked != 3 {
		t.Errorf("%d rules were looked at again", checked)
	}
}
