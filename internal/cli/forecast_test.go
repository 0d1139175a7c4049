package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/internal/view"
)

var fleetAt = []string{"--against", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z"}

// What a pipeline looks at: 3 for changes, 4 for a guard, 1 for no answer.
func TestAPlanAnswersByItsExitCode(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]struct {
		code   int
		stderr string
	}{
		"":                       {0, ""},
		"--exit-code":            {3, ""},
		"--max-evictions 1":      {4, "2 pods are evicted, more than --max-evictions 1"},
		"--max-evictions 2":      {0, ""},
		"--max-price-rise 0":     {0, ""},
		"--max-price-rise 1%":    {0, ""},
		"--max-price-rise cheap": {2, `--max-price-rise "cheap"; want dollars an hour`},
		"--add-replicas default/front=20 --max-price-rise 1.5": {4, "the price rises by $2.6880/h, more than --max-price-rise 1.5"},
		"--add-replicas default/front=20 --max-price-rise 50%": {4, "the price rises by $2.6880/h"},
		"--add-replicas front=x":                               {2, `--add-replicas "front=x"; want NAMESPACE/NAME=N`},
		"--add-replicas shop/front=1": {2,
			"no pod is of workload shop/front; there are default/front"},
		"--drop spott": {2,
			"--drop spott: there is no such capacity type; want spot, on-demand, reserved"},
		"--add-arch m68k":     {2, "--add-arch m68k: there is no such architecture"},
		"--lose-zone mars-1a": {2, "--lose-zone mars-1a: no node is in such a zone"},
		"--new-ami other": {2,
			"--new-ami other: no NodePool has such a node class"},
		"-f testdata/nothing.yaml": {2, "testdata/nothing.yaml"},
		"-o yaml":                  {2, "-o yaml is unknown; want table or json"},
		"--rounds 0":               {2, "--rounds is 0; want 1 or more"},
		"web":                      {2, "plan takes no names; for files write -f web"},
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := run(t, append(append([]string{"plan"}, fleetAt...), strings.Fields(args)...)...)
			if code != want.code || !strings.Contains(stderr, want.stderr) || (want.stderr == "") != (stderr == "") {
				t.Errorf("exit code %d, want %d; %s", code, want.code, stderr)
			}
		})
	}
}

// The same totals in both, and the counted line first and last.
func TestAPlanSaysTheSameAsJSON(t *testing.T) {
	t.Parallel()
	args := append([]string{"plan", "--new-ami", "default"}, fleetAt...)
	_, text, _ := run(t, args...)
	_, written, _ := run(t, append(args, "-o", "json")...)
	var f view.Forecast
	if err := json.Unmarshal([]byte(written), &f); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if line := f.Totals.Line(); f.Kind != "Plan" || f.APIVersion == "" || lines[0] != line ||
		lines[len(lines)-1] != line {
		t.Errorf("%s\n%s", line, text)
	}
	sum := view.PerHour(0)
	for _, s := range f.Steps {
		sum += s.Change
	}
	if sum != f.Totals.After-f.Totals.Before {
		t.Errorf(
			"the steps together change the price by %s, the totals by %s",
			sum.Change(),
			(f.Totals.After - f.Totals.Before).Change(),
		)
	}
}

// A plan that was saved is held against what came: here nothing did, then all of it.
func TestAPlanIsHeldAgainstWhatCame(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "fleet.plan")
	if code, _, stderr := run(t, append([]string{"plan", "--rounds", "1", "--out", file}, fleetAt...)...); code != 0 {
		t.Fatal(stderr)
	}
	check := func(cluster string, want int, words ...string) {
		t.Helper()
		code, stdout, stderr := run(
			t,
			"plan",
			"check",
			file,
			"-f",
			cluster,
			"--now",
			"2026-11-30T12:30:00Z",
			"--exit-code",
		)
		if code != want {
			t.Errorf("exit code %d, want %d: %s", code, want, stderr)
		}
		for _, w := range words {
			if !strings.Contains(stdout, w) {
				t.Errorf("no %q in\n%s", w, stdout)
			}
		}
	}
	check(
		"testdata/fleet.yaml",
		3,
		"planned $0.7680/h, now $1.1520/h: off by 50.0 %",
		"given up: 0 of 1",
		"still there: web-2",
	)
	text, err := os.ReadFile("testdata/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	came := strings.NewReplacer("name: web-2\n", "name: gone-2\n", "karpenter.sh/nodepool: web, karpenter.sh/capacity-type: on-demand, topology.kubernetes.io/zone: us-east-1a, "+
		"topology.kubernetes.io/region: us-east-1, node.kubernetes.io/instance-type: m6i.2xlarge", "a: b", "name: front-2", "name: front-9", "nodes: \"2\"", "nodes: \"3\"").
		Replace(string(text))
	cluster := filepath.Join(t.TempDir(), "cluster.yaml")
	if err := os.WriteFile(cluster, []byte(came), 0o600); err != nil {
		t.Fatal(err)
	}
	check(cluster, 0, "planned $0.7680/h, now $0.7680/h: off by 0.0 %", "given up: 1 of 1", "1 pods came and 1 went")
	if code, _, stderr := run(t, "plan", "check", cluster); code != 2 || !strings.Contains(stderr,
		"is no plan; want a file that dovetail plan --out wrote") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
