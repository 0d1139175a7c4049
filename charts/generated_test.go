package charts_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/charts/valuesfile"
)

var rewrite = flag.Bool("rewrite", false, "rewrite what is generated")

// current compares a file with what it is generated to, or writes it.
func current(t *testing.T, path string, want []byte) {
	t.Helper()
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is out of date, %v; run make generate and commit the result", path, err)
	}
}

func readValues(t *testing.T, chart string) *valuesfile.Value {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	values, err := valuesfile.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestWhatIsMadeFromTheValuesIsCurrent(t *testing.T) {
	for chart, strict := range map[string]bool{"dovetail": false, "dovetail-crd": true} {
		values := readValues(t, chart)
		schema, err := valuesfile.Schema(values, strict)
		if err != nil {
			t.Fatal(err)
		}
		current(t, filepath.Join(chart, "values.schema.json"), schema)
		readme, err := os.ReadFile(filepath.Join(chart, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		const begin, end = "<!-- values: made from values.yaml -->\n", "<!-- end of values -->"
		before, rest, ok := strings.Cut(string(readme), begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("the README of %s has no place for its values", chart)
		}
		current(t, filepath.Join(chart, "README.md"), []byte(before+begin+valuesfile.Table(values)+end+after))
	}
	known, err := valuesfile.Known(readValues(t, "dovetail"))
	if err != nil {
		t.Fatal(err)
	}
	current(t, "dovetail/templates/_known.tpl", known)
	current(t, "../internal/chartvalues/known.txt", valuesfile.Paths(readValues(t, "dovetail")))
}

// A chart holds copies: Helm warns of links, and takes along all that is behind them.
func TestCopiesInChartsAreCurrent(t *testing.T) {
	for from, to := range map[string][]string{
		"../api/crd":               {"dovetail/files/crds", "dovetail-crd/files"},
		"../internal/rights/rules": {"dovetail/files/rights"},
	} {
		sources, err := filepath.Glob(filepath.Join(from, "*.yaml"))
		if err != nil || len(sources) == 0 {
			t.Fatalf("%s holds %d files, %v", from, len(sources), err)
		}
		for _, folder := range to {
			copied(t, sources, folder)
		}
	}
}

// copied holds the copies in a folder against their sources.
func copied(t *testing.T, sources []string, folder string) {
	t.Helper()
	wanted := map[string]bool{}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		wanted[filepath.Base(source)] = true
		current(t, filepath.Join(folder, filepath.Base(source)), text)
	}
	copies, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range copies {
		if !wanted[c.Name()] {
			t.Errorf("%s/%s is no copy of a file of ours: remove it", folder, c.Name())
		}
	}
}
