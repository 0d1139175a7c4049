package monitoring_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
)

type dashboard struct {
	UID, Title, Description string
	Panels                  []panel
}

type panel struct {
	Title, Description, Type string
	FieldConfig              struct{ Defaults struct{ Unit string } }
	Targets                  []struct{ Expr, LegendFormat string }
	GridPos                  struct{ X, Y, W, H int }
}

// metricsOf are the metrics of the reference and their labels.
func metricsOf(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("../docs/reference/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		name := strings.Trim(cells[1], " `")
		var labels []string
		for label := range strings.SplitSeq(cells[3], ",") {
			labels = append(labels, strings.Trim(label, " `"))
		}
		out[name] = labels
		switch strings.TrimSpace(cells[2]) {
		case "histogram":
			out[name+"_bucket"] = append(slices.Clone(labels), "le")
			out[name+"_count"], out[name+"_sum"] = labels, labels
		case "summary":
			out[name] = append(slices.Clone(labels), "quantile")
			out[name+"_count"], out[name+"_sum"] = labels, labels
		}
	}
	if len(out) < 60 {
		t.Fatalf("only %d metrics were read", len(out))
	}
	return out
}

// ofTargets are labels that Prometheus puts on what it scrapes.
var ofTargets = []string{"job", "pod", "instance", "namespace"}

// checkExpr holds an expression against the metrics that there are.
func checkExpr(t *testing.T, where, text string, metrics map[string][]string) {
	t.Helper()
	expr, err := expressions.ParseExpr(text)
	if err != nil {
		t.Errorf("%s: %v in %s", where, err, text)
		return
	}
	known := []string{}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			labels, ok := metrics[s.Name]
			if !ok {
				t.Errorf("%s: there is no metric %s", where, s.Name)
			}
			known = append(known, labels...)
			for _, m := range s.LabelMatchers {
				if m.Name != "__name__" && !slices.Contains(labels, m.Name) && !slices.Contains(ofTargets, m.Name) {
					t.Errorf("%s: %s has no label %s", where, s.Name, m.Name)
				}
			}
		}
		return nil
	})
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		if a, ok := node.(*parser.AggregateExpr); ok {
			for _, label := range a.Grouping {
				if !slices.Contains(known, label) && !slices.Contains(ofTargets, label) {
					t.Errorf("%s: nothing in it has the label %s", where, label)
				}
			}
		}
		return nil
	})
}

var inLegend = regexp.MustCompile(`\{\{(\w+)\}\}`)

func TestDashboardsShowWhatThereIs(t *testing.T) {
	t.Parallel()
	metrics := metricsOf(t)
	files, err := filepath.Glob("dashboards/*.json")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if d.UID+".json" != filepath.Base(file) || d.Description == "" || len(d.Panels) < 4 {
			t.Errorf("%s: uid %q, %d panels, description %q", file, d.UID, len(d.Panels), d.Description)
		}
		for _, p := range d.Panels {
			checkPanel(t, d.UID+": "+p.Title, p, metrics)
		}
	}
}

func checkPanel(t *testing.T, where string, p panel, metrics map[string][]string) {
	t.Helper()
	if p.Title == "" || p.Description == "" || p.FieldConfig.Defaults.Unit == "" || len(p.Targets) == 0 {
		t.Errorf("%s lacks a title, a description, a unit or a query", where)
	}
	if p.GridPos.X+p.GridPos.W > 24 {
		t.Errorf("%s is wider than the page", where)
	}
	for _, target := range p.Targets {
		checkExpr(t, where, strings.ReplaceAll(target.Expr, "$job", "karpenter"), metrics)
		for _, m := range inLegend.FindAllStringSubmatch(target.LegendFormat, -1) {
			if !strings.Contains(target.Expr, m[1]) && m[1] != "pod" {
				t.Errorf("%s: the legend names %s, which the query does not keep", where, m[1])
			}
		}
	}
}

func TestAlertsReadMetricsThatThereAre(t *testing.T) {
	t.Parallel()
	metrics := metricsOf(t)
	for _, rule := range alerts(t) {
		checkExpr(t, rule.Alert, rule.Expr, metrics)
	}
}
