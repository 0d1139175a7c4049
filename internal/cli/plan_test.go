package cli

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// took is the only text that differs from run to run, and bound the only one that is the planner's
// to improve without anybody's expectations changing.
var (
	took  = regexp.MustCompile(`planned in [0-9.]+ s|"seconds": [0-9.e-]+`)
	bound = regexp.MustCompile(`, [0-9.]+ % above the bound of [0-9.]+ \$/h|"boundPerHour": [0-9.]+`)
)

func run(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Main(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	got = bound.ReplaceAllString(took.ReplaceAllString(got, "(time)"), "(bound)")
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s: -want +got\n%s", name, diff)
	}
}

func TestPlansLookAsTheyDid(t *testing.T) {
	t.Parallel()
	shop := []string{"-f", "testdata/shop", "--instance-types", "testdata/types.json"}
	pools := []string{"-f", "testdata/shop/nodepools.yaml", "--instance-types", "testdata/types.json"}
	for name, args := range map[string][]string{
		"simulate.table.golden": append([]string{"simulate"}, shop...),
		"simulate.json.golden":  append([]string{"simulate", "-o", "json"}, shop...),

		"explain.unplaced.golden": append([]string{"explain", "pod", "too-big"}, shop...),
		"explain.json.golden":     append([]string{"explain", "pod", "too-big", "-o", "json"}, shop...),
		"explain.new.golden":      append([]string{"explain", "pod", "-n", "batch", "report-0"}, shop...),
		"explain.node.golden":     append([]string{"explain", "node", "n1"}, shop...),

		"running.table.golden":    append([]string{"simulate", "-f", "testdata/running.yaml"}, pools...),
		"running.node.golden":     append([]string{"explain", "node", "node-a", "-f", "testdata/running.yaml"}, pools...),
		"running.volume.golden":   append([]string{"explain", "pod", "db-0", "-f", "testdata/running.yaml"}, pools...),
		"running.existing.golden": append([]string{"explain", "pod", "web-0", "-f", "testdata/running.yaml"}, pools...),
		"running.held.golden":     append([]string{"explain", "pod", "held-back", "-f", "testdata/running.yaml"}, pools...),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, stdout, stderr := run(t, args...)
			if code != 0 || stderr != "" {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			golden(t, name, stdout)
		})
	}
}

// Without NodePools and files of types the built-in catalogue is what is bought from.
func TestATraceIsPlannedFromTheCatalogue(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "trace.csv")
	text := "pod_id,submit_s,end_s,cpu_milli,memory_mib,gpu_milli,extra\na,0,,500,512,0,\nb,0,,500,512,0,\nlate,9,,500,512,0,\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "simulate", "--trace", file, "--cpu-multiplier", "2", "--region", "eu-west-1",
		"--requirement", "node.kubernetes.io/instance-type In m5.xlarge", "--requirement", "karpenter.sh/capacity-type In on-demand")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"m5.xlarge", "eu-west-1a", "2 pods: 2 on 1 new nodes", "price 0.2140 $/h", "note: no NodePool is given"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

// Overlays set the prices that are planned with; one that gives way is named.
func TestOverlaysSetPrices(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(t, "simulate", "-f", "testdata/shop", "-f", "testdata/overlay.yaml", "--instance-types", "testdata/types.json")
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{
		"0.0600", // 25 % less than 0.08
		"note: 1 NodeOverlays are applied", "note: NodeOverlay another is left out: NodeOverlay discount of the same weight sets the price of c.small in NodePool default too",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

func TestBadInputGetsOneClearMessage(t *testing.T) {
	t.Parallel()
	write := func(text string) string {
		file := filepath.Join(t.TempDir(), "bad.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing":        {[]string{"simulate"}, "nothing to plan; give manifests with -f or a trace with --trace"},
		"output":         {[]string{"simulate", "-f", "x", "-o", "yaml"}, "-o yaml is unknown; want table or json"},
		"no file":        {[]string{"simulate", "-f", "absent.yaml"}, "reading manifests: stat absent.yaml"},
		"region":         {[]string{"simulate", "-f", "testdata/shop", "--region", "mars"}, `NodePool default: region "mars" is not in the catalogue`},
		"overhead":       {[]string{"simulate", "-f", "testdata/shop", "--overhead", "cpu"}, `--overhead "cpu": "cpu" is no amount of a resource`},
		"operator":       {[]string{"simulate", "-f", "testdata/shop", "--requirement", "a is b"}, `operator "is" is unknown; want In, NotIn, Exists`},
		"label":          {[]string{"simulate", "-f", "testdata/shop", "--requirement", "karpenter.sh/x In b"}, "label karpenter.sh/x is in the reserved domain"},
		"effort":         {[]string{"simulate", "-f", "testdata/shop", "--effort=-1"}, "--effort is -1; want 0 or more"},
		"yaml":           {[]string{"simulate", "-f", write("a: [b")}, "bad.yaml, document 1: yaml: line 1"},
		"no object":      {[]string{"simulate", "-f", write("a: b")}, "bad.yaml, document 1: this is not a Kubernetes object: apiVersion and kind are missing"},
		"field":          {[]string{"simulate", "-f", write("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containres: []}")}, `document 1: Pod p: unknown field "containres"`},
		"version":        {[]string{"simulate", "-f", write("apiVersion: karpenter.sh/v1beta1\nkind: NodePool\nmetadata: {name: p}")}, "NodePool p: apiVersion karpenter.sh/v1beta1 is not served; write it as karpenter.sh/v1"},
		"twice":          {[]string{"simulate", "-f", "testdata/shop/apps.yaml", "-f", "testdata/shop"}, "Deployment default/web is there already, in testdata/shop/apps.yaml, document 1"},
		"types and else": {[]string{"simulate", "-f", "testdata/shop", "--region", "us-east-1", "--instance-types", "x"}, "--region and --instance-types exclude each other"},
		"no such pod":    {[]string{"explain", "pod", "web", "-f", "testdata/shop"}, "there is no pod default/web; did you mean one of default/web-0, default/web-1"},
		"no such node":   {[]string{"explain", "node", "n99", "-f", "testdata/shop"}, "there is no node n99; there are n1 to n"},
		"no name":        {[]string{"explain", "pod", "-f", "testdata/shop"}, "explain pod takes the name of one pod, not 0 names"},
		"refused pod": {[]string{"simulate", "-f", write("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {tolerations: [{operator: Equal}]}")},
			"Pod default/p: spec.tolerations[0].operator"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := run(t, c.args...)
			if code != 1 || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, message %q; want 1 and one line with %q", code, stderr, c.want)
			}
		})
	}
}
