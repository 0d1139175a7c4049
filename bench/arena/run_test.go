package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/dovetail-sh/dovetail/bench/arena/verdict"
)

func TestMain(m *testing.M) {
	flag.Parse()
	logf.SetLogger(logr.Discard())
	os.Exit(m.Run())
}

// A small arena from beginning to end: Dovetail plays on a whole cluster, and where Karpenter is not built, it is said.
func TestSmoke(t *testing.T) {
	t.Parallel()
	playground := needPlayground(t)
	dir := t.TempDir()
	var out bytes.Buffer
	results := filepath.Join(dir, "results.json")
	err := run(t.Context(), []string{
		"--short", "--play=topology", "--pods=60", "--settings=own", "--playground=" + playground,
		"--results=" + results, "--page=" + filepath.Join(dir, "arena.md"),
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if !strings.Contains(
		out.String(),
		"skipped: topology to karpenter-underutilized, own settings: Karpenter is not built",
	) {
		t.Errorf("nobody says that Karpenter did not play:\n%s", &out)
	}
	read, err := verdict.Load(results)
	if err != nil {
		t.Fatal(err)
	}
	if len(read.Runs) != 1 || len(read.Skipped) != 1 {
		t.Fatalf("runs: %+v", read.Runs)
	}
	r := read.Runs[0]
	ran := r.AllRun > 0 && r.RunAtEnd == r.Pods && r.Launched > 0 && r.Refused == 0
	if measured := r.CPU > 0 && r.Requests > 0 && r.Dollars >= r.Bound; !ran || !measured {
		t.Errorf("%+v", r)
	}
}

// needPlayground is the binary that plays run on, if it is built and wanted.
func needPlayground(t *testing.T) string {
	t.Helper()
	playground, err := filepath.Abs("../../bin/playground")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(playground); err != nil || os.Getenv("DOVETAIL_SKIP_CONTROL_PLANE") != "" || testing.Short() {
		t.Skip("skipped: the arena needs bin/playground, which make playground-binary builds")
	}
	return playground
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--settings=best"}, {"four"}, {"--play=nothing"},
		{"--remake", "--results=/nowhere/results.json"},
	} {
		if err := run(t.Context(), args, &bytes.Buffer{}); err == nil {
			t.Errorf("%v: no error", args)
		}
	}
}
