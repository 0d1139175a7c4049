package main

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// isChart reports whether a values file lies beside a Chart.yaml.
func isChart(module fs.FS, name string) bool {
	_, err := fs.Stat(module, path.Join(path.Dir(name), "Chart.yaml"))
	return err == nil
}

// collectValues lists a chart's values with their defaults.
func collectValues(out Facts, name string, text []byte) error {
	var values map[string]any
	if err := yaml.Unmarshal(text, &values); err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	flatten(out, path.Base(path.Dir(name)), values)
	return nil
}

func flatten(out Facts, at string, value any) {
	if children, ok := value.(map[string]any); ok && len(children) > 0 {
		for key, child := range children {
			flatten(out, at+"."+key, child)
		}
		return
	}
	out.add(ChartValue, at, fmt.Sprint(value))
}

var (
	rule   = regexp.MustCompile(`(?s)-\s*apiGroups:\s*(\[[^\]]*\]).*?verbs:\s*(\[[^\]]*\])`)
	listed = regexp.MustCompile(`(?m)^\s*(resources|resourceNames|nonResourceURLs):\s*(\[[^\]]*\])`)
	word   = regexp.MustCompile(`[^\[\]",\s]+`)
)

// collectRights lists the rules of a chart's roles, which are templates and not YAML yet.
func collectRights(out Facts, name string, text []byte) {
	for _, found := range rule.FindAllSubmatch(text, -1) {
		var what []string
		for _, l := range listed.FindAllSubmatch(found[0], -1) {
			what = append(what, words(l[2])...)
		}
		groups := words(found[1])
		if len(groups) == 0 {
			groups = []string{"core"}
		}
		for _, w := range what {
			for _, verb := range words(found[2]) {
				out.add(
					ChartRight, fmt.Sprintf("%s: %s %s/%s", path.Base(name), verb, strings.Join(groups, "+"), w), "",
				)
			}
		}
	}
}

func words(list []byte) []string { return word.FindAllString(string(list), -1) }
