package monitoring_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
	"go.yaml.in/yaml/v3"
)

func alerts(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(
		"alerts.yaml",
		false,
		model.UTF8Validation,
		expressions,
		slog.New(slog.DiscardHandler),
	)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	var out []rulefmt.Rule
	for _, g := range groups.Groups {
		out = append(out, g.Rules...)
	}
	if len(out) < 14 {
		t.Fatalf("there are %d alerts", len(out))
	}
	return out
}

var expressions = parser.NewParser(parser.Options{})

// testCase is what fires an alert, and what looks like it and does not, with one value a minute.
type testCase struct {
	Minute        int
	Fires, Silent []string
}

func TestEachAlertFiresAndIsSilent(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/cases.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]testCase{}
	if err := yaml.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, rule := range alerts(t) {
		t.Run(rule.Alert, func(t *testing.T) {
			t.Parallel()
			c, ok := cases[rule.Alert]
			if !ok || len(c.Fires) == 0 || len(c.Silent) == 0 {
				t.Fatal("it has no cases")
			}
			if !fires(t, rule, c.Fires, c.Minute) {
				t.Error("it does not fire")
			}
			if fires(t, rule, c.Silent, c.Minute) {
				t.Error("it fires on what is all right")
			}
		})
	}
}

// fires evaluates a rule every minute, as Prometheus does, and reports whether it fires at the end.
func fires(t *testing.T, rule rulefmt.Rule, series []string, minute int) bool {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n  "+strings.Join(series, "\n  ")+"\n")
	defer storage.Close()
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, promqltest.DefaultMaxSamplesPerQuery)
	expr, err := expressions.ParseExpr(rule.Expr)
	if err != nil {
		t.Fatal(err)
	}
	alerting := rules.NewAlertingRule(
		rule.Alert,
		expr,
		time.Duration(rule.For),
		time.Duration(rule.KeepFiringFor),
		labels.FromMap(
			rule.Labels,
		),
		labels.FromMap(rule.Annotations),
		labels.EmptyLabels(),
		"",
		true,
		slog.New(slog.DiscardHandler),
	)
	query := rules.EngineQueryFunc(engine, storage)
	first := max(0, minute-120)
	for m := first; m <= minute; m++ {
		if _, err := alerting.Eval(t.Context(), 0, time.Unix(int64(m)*60, 0).UTC(), query, nil, 0); err != nil {
			t.Fatal(err)
		}
	}
	firing := false
	alerting.ForEachActiveAlert(func(a *rules.Alert) { firing = firing || a.State == rules.StateFiring })
	return firing
}

// Who is woken by an alert opens its page first.
func TestEachAlertHasItsPage(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../docs/runbooks/Karpenter*.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, rule := range alerts(t) {
		named[rule.Alert+".md"] = true
		if want := "https://github.com/dovetail-sh/dovetail/blob/main/docs/runbooks/" + rule.Alert +
			".md"; rule.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url is %q", rule.Alert, rule.Annotations["runbook_url"])
		}
		if rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" ||
			rule.Labels["severity"] == "" {
			t.Errorf("%s lacks a summary, a description or a severity", rule.Alert)
		}
		text, err := os.ReadFile(filepath.Join("../docs/runbooks", rule.Alert+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		at := -1
		for _, heading := range []string{"## Meaning\n", "## Impact\n", "## Diagnosis\n", "## Mitigation\n"} {
			next := strings.Index(string(text), heading)
			if next <= at {
				t.Errorf("%s.md: %s is missing or out of order", rule.Alert, strings.TrimSpace(heading))
			}
			at = next
		}
		if !strings.Contains(string(text), "```bash\n") {
			t.Errorf("%s.md has no command", rule.Alert)
		}
	}
	for _, page := range pages {
		if !named[filepath.Base(page)] {
			t.Errorf("%s is of no alert", page)
		}
	}
}
