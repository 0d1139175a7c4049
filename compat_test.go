package dovetail_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/internal/config"
	"github.com/dovetail-sh/dovetail/internal/observe"
	"github.com/dovetail-sh/dovetail/internal/rights"
)

const sideBySide = "docs/compatibility.md"

// rows are the cells of the table below a heading of the page, its first two lines left out.
func rows(t *testing.T, heading string) [][]string {
	t.Helper()
	text, err := os.ReadFile(sideBySide)
	if err != nil {
		t.Fatal(err)
	}
	_, below, ok := strings.Cut(string(text), "\n### "+heading+"\n")
	if !ok {
		t.Fatalf("%s has no heading %q", sideBySide, heading)
	}
	below, _, _ = strings.Cut(below, "\n#")
	var out [][]string
	for line := range strings.Lines(below) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "|") {
			continue
		}
		var cells []string
		for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		out = append(out, cells)
	}
	if len(out) < 3 {
		t.Fatalf("%s has no table below %q", sideBySide, heading)
	}
	return out[2:]
}

// agree holds the last cell of a row, which begins with yes or no, against what is so.
func agree(t *testing.T, row []string, is bool) {
	t.Helper()
	said := row[len(row)-1]
	word, _, _ := strings.Cut(strings.ReplaceAll(said, ";", ","), ",")
	switch {
	case word != "yes" && word != "no":
		t.Errorf("%s: %s: %q says neither yes nor no", sideBySide, row[0], said)
	case word == "yes" && !is:
		t.Errorf("%s: %s is not here, and the page says yes", sideBySide, row[0])
	case word == "no" && is:
		t.Errorf("%s: %s is here, and the page says no", sideBySide, row[0])
	}
}

// spans are what a cell has in backticks.
func spans(cell string) (out []string) {
	for _, span := range codeSpan.FindAllString(cell, -1) {
		out = append(out, strings.Trim(span, "`"))
	}
	return out
}

// What the page says of 1.15 is so in the code, and what it says is missing is missing.
func TestDocsOfMetricsOf115AreTrue(t *testing.T) {
	t.Parallel()
	have := map[string][]string{}
	for _, m := range observe.NewMetrics().Table() {
		have[m.Name] = slices.Sorted(slices.Values(m.Labels))
	}
	for _, row := range rows(t, "Metrics") {
		want := []string{}
		list, _, _ := strings.Cut(row[2], ";")
		for label := range strings.SplitSeq(list, ",") {
			if label = strings.TrimSpace(label); label != "none" && label != "" {
				want = append(want, label)
			}
		}
		slices.Sort(want)
		for _, name := range spans(row[0]) {
			if !strings.HasPrefix(name, "operator_") {
				name = "karpenter_" + name
			}
			labels, there := have[name]
			agree(t, append([]string{name}, row[1:]...), there && slices.Equal(labels, want))
		}
	}
}

func TestDocsOfEventsOf115AreTrue(t *testing.T) {
	t.Parallel()
	for _, row := range rows(t, "Events") {
		agree(t, row, slices.ContainsFunc(observe.Reasons(), func(r observe.Reason) bool {
			return r.Name == spans(row[0])[0] && slices.Contains(strings.Split(r.On, ", "), row[1])
		}))
	}
}

func TestDocsOfFlagsOf115AreTrue(t *testing.T) {
	t.Parallel()
	var c config.Config
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c.AddFlags(flags)
	gates := c.Gates.String() + "," + c.AWS.Gates.String()
	for _, row := range rows(t, "Flags and feature gates") {
		name := spans(row[0])[0]
		if flag, ok := strings.CutPrefix(name, "--"); ok {
			agree(t, row, flags.Lookup(flag) != nil)
			continue
		}
		agree(t, row, strings.Contains(","+gates, ","+name+"="))
	}
}

func TestDocsOfChartValuesOf115AreTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("charts/dovetail/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows(t, "Chart values") {
		var at any = values
		there := true
		for part := range strings.SplitSeq(spans(row[0])[0], ".") {
			below, _ := at.(map[string]any)
			if at, there = below[part]; !there {
				break
			}
		}
		agree(t, row, there)
	}
}

func TestDocsOfRightsOf115AreTrue(t *testing.T) {
	t.Parallel()
	rules, err := rights.Cluster("aws")
	if err != nil {
		t.Fatal(err)
	}
	policies := source(t, "deploy/iam", ".json")
	for _, row := range rows(t, "Rights") {
		kind, right, _ := strings.Cut(row[0], ": ")
		if kind == "IAM" {
			agree(t, row, strings.Contains(policies, `"`+right+`"`))
			continue
		}
		resource, verb, _ := strings.Cut(right, " ")
		allowed := false
		for _, rule := range rules {
			allowed = allowed || slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, verb)
		}
		agree(t, row, allowed)
	}
}

func TestDocsOfLogLinesOf115AreTrue(t *testing.T) {
	t.Parallel()
	code := source(t, "internal", ".go")
	for _, row := range rows(t, "Lines of the log") {
		is := true
		for _, text := range spans(row[0]) {
			is = is && strings.Contains(code, `"`+text)
		}
		agree(t, row, is)
	}
}

// source is the text of all files below a folder that end so, tests left out.
func source(t *testing.T, folder, ending string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ending) || strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}
