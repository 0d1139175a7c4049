package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dovetail-sh/dovetail/engine"
	"github.com/dovetail-sh/dovetail/engine/enginetest"
	"github.com/dovetail-sh/dovetail/engine/refit"
	"github.com/dovetail-sh/dovetail/internal/journal"
	"github.com/dovetail-sh/dovetail/internal/manifest"
	"github.com/dovetail-sh/dovetail/internal/simulate"
	"github.com/dovetail-sh/dovetail/provider/kwok"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// took is the only text that differs from run to run, and bound the only one that is the planner's
// to improve without anybody's expectations changing.
var (
	took  = regexp.MustCompile(`planned in [0-9.]+ s|"seconds": [0-9.e-]+`)
	bound = regexp.MustCompile(`(·|,) bound \$[0-9.]+/h|` +
		`, [0-9.]+ % above the bound of \$[0-9.]+/h|"boundPerHour": [0-9.]+`)
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

		"consolidate.table.golden": {"simulate", "--consolidate", "-f", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z"},
		"consolidate.json.golden":  {"simulate", "--consolidate", "-f", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "-o", "json"},

		"top.table.golden": {"top", "--once", "-f", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z"},
		"top.csv.golden":   {"top", "--once", "-f", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "-o", "csv", "--sort", "-price"},
		"top.json.golden":  {"top", "-f", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "-o", "json", "--filter", "type=2xlarge"},
		"top.shop.golden":  append([]string{"top", "-o", "wide", "--now", "2026-11-30T12:00:00Z"}, shop...),

		"check.fleet.golden": {"check", "-f", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z"},
		"check.short.golden": {"check", "-f", "testdata/rules.yaml", "--now", "2026-11-30T12:00:00Z", "-o", "short"},
		"costs.fleet.golden": {"costs", "-f", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z"},
		"costs.rules.golden": {"costs", "-f", "testdata/rules.yaml", "--now", "2026-11-30T12:00:00Z", "--all"},

		"plan.none.golden":     {"plan", "--against", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z"},
		"plan.spot.golden":     {"plan", "--against", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "--drop", "spot", "--add-arch", "arm64"},
		"plan.image.golden":    {"plan", "--against", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "--new-ami", "all"},
		"plan.zone.golden":     {"plan", "--against", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "--lose-zone", "us-east-1a"},
		"plan.replicas.golden": {"plan", "--against", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "--add-replicas", "default/front=20"},
		"plan.edit.golden":     {"plan", "--against", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "-f", "testdata/fleetedit.yaml"},
		"plan.takeover.golden": {"plan", "--against", "testdata/fleet.yaml", "--now", "2026-11-30T12:00:00Z", "--switch-from-karpenter"},

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
	code, stdout, stderr := run(
		t,
		"simulate",
		"--trace",
		file,
		"--cpu-multiplier",
		"2",
		"--region",
		"eu-west-1",
		"--requirement",
		"node.kubernetes.io/instance-type In m5.xlarge",
		"--requirement",
		"karpenter.sh/capacity-type In on-demand",
	)
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{"m5.xlarge", "eu-west-1a", "2 pods: 2 on 1 new node,", "price $0.2140/h",
		"note: no NodePool is given"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

// Who does not name a region gets that of the cluster, or is told which one was taken.
func TestTheRegionIsTheClusters(t *testing.T) {
	t.Parallel()
	pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]}\n"
	class := pod + "---\napiVersion: karpenter.k8s.aws/v1\nkind: EC2NodeClass\nmetadata: {name: default, uid: u}\n" +
		"status: {subnets: [{id: subnet-1, zone: eu-west-1b}]}\n"
	node := pod + "---\napiVersion: v1\nkind: Node\nmetadata: {name: node-a, labels: {topology.kubernetes.io/region: ap-south-1}}\n"
	const note = "note: zones and prices are those of us-east-1; --region chooses another"
	for text, want := range map[string]string{pod: note, class: "  eu-west-1b  ", node: "  ap-south-1"} {
		file := filepath.Join(t.TempDir(), "cluster.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := run(t, "simulate", "-f", file)
		if code != 0 || !strings.Contains(stdout, want) || strings.Contains(stdout, note) != (want == note) {
			t.Errorf("exit code %d, no %q in\n%s%s", code, want, stdout, stderr)
		}
	}
}

// Overlays set the prices that are planned with; one that gives way is named.
func TestOverlaysSetPrices(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := run(
		t,
		"simulate",
		"-f",
		"testdata/shop",
		"-f",
		"testdata/overlay.yaml",
		"--instance-types",
		"testdata/types.json",
	)
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{
		"0.0600", // 25 % less than 0.08
		"note: NodeOverlays count, 1 of them", "note: NodeOverlay another is left out: NodeOverlay discount of the same weight sets the price of c.small in NodePool default too",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
}

// What a server has printed has been accepted by one that may be newer.
func TestFieldsOfANewerServerAreNoted(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pod.yaml")
	text := "apiVersion: v1\nkind: Pod\nmetadata: {name: p, uid: u}\nspec: {containers: [{name: a, image: a, novelty: 1}, {name: b, image: b, novelty: 2}]}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "simulate", "-f", file, "--instance-types", "testdata/types.json")
	if want := "note: fields that are not known here are left out: 2 spec.containers.novelty of a Pod"; code != 0 ||
		!strings.Contains(stdout, want) {
		t.Errorf("exit code %d, no %q in\n%s%s", code, want, stdout, stderr)
	}
}

// The journal has what the controller planned; the same binary plans the same again.
func TestAPlanOfTheJournalIsShownAndExplained(t *testing.T) {
	t.Parallel()
	set, err := manifest.Read([]string{"testdata/shop"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile("testdata/types.json")
	if err != nil {
		t.Fatal(err)
	}
	types, err := kwok.ParseTypes(file)
	if err != nil {
		t.Fatal(err)
	}
	ready, err := simulate.Prepare(
		simulate.Input{
			Set:    set,
			Market: simulate.Market{Types: types},
			Policy: engine.DefaultPolicy(),
			Now:    time.Unix(1e9, 0),
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	result, err := ready.Plan()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	keep := func(d engine.Decision) string {
		j, err := journal.New(journal.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Keep(
			journal.Record{
				At:       time.Unix(1e9, int64(len(d.Open))),
				Snapshot: result.Snapshot,
				Policy:   engine.DefaultPolicy(),
				Decision: d,
			},
		); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("files %v, %v; want one", files, err)
		}
		file := filepath.Join(t.TempDir(), "a.plan.json.gz")
		if err := os.Rename(files[0], file); err != nil {
			t.Fatal(err)
		}
		return file
	}
	plan, other := keep(result.Decision), result.Decision
	other.Price++
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"replay", plan}, "note: planned at 2001-09-09T01:46:40"},
		{[]string{"replay", plan}, "planning again gives the same"},
		{[]string{"replay", filepath.Dir(plan)}, "FILE"},
		{[]string{"replay", filepath.Dir(plan)},
			".plan.json.gz   2001-09-09 01:46:40   1       7      0          5           1            0.3800"},
		{[]string{"replay", "-o", "json", plan}, `"pricePerHour"`},
		{[]string{"replay", keep(other)}, "this version of dovetail plans otherwise: "},
		{[]string{"explain", "pod", "too-big", "--record", plan}, "default/too-big cannot be placed\n  pool default: 5"},
		{[]string{"explain", "pod", "web-0", "--record", plan}, "default/web-0 goes on new node n"},
		{[]string{"explain", "node", "n1", "--record", plan}, "n1 is a node to be bought"},
	} {
		code, stdout, stderr := run(t, c.args...)
		if code != 0 || !strings.Contains(stdout, c.want) {
			t.Errorf("%v: exit code %d, no %q in\n%s%s", c.args, code, c.want, stdout, stderr)
		}
	}
	if code, _, stderr := run(t, "explain", "pod", "web", "--record", plan); code != 2 || !strings.Contains(stderr,
		"did you mean one of default/web-0, ") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// It has the searches that found moves as well.
func TestMovesOfTheJournalAreShown(t *testing.T) {
	t.Parallel()
	search := journal.Search{
		At:       time.Unix(1e9, 0),
		Snapshot: enginetest.Running(12, 60, 12),
		Policy:   refit.DefaultPolicy(),
	}
	search.Policy.Pools = map[string]refit.PoolPolicy{}
	for _, pool := range search.Snapshot.Pools {
		search.Policy.Pools[pool.Name] = refit.PoolPolicy{Mode: refit.WhenUnderutilized, Budget: 2}
	}
	search.Result = search.Again()
	keep := func(s journal.Search) string {
		dir := t.TempDir()
		j, err := journal.New(journal.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Keep(s); err != nil {
			t.Fatal(err)
		}
		files, err := journal.Files(dir)
		if err != nil || len(files) != 1 {
			t.Fatalf("files %v, %v; want one", files, err)
		}
		return files[0]
	}
	file, other := keep(search), search
	other.Result.After++
	gone := search.Result.Moves[0].Remove[0]
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"replay", file}, "GIVE UP"},
		{[]string{"replay", file}, "\n" + gone},
		{[]string{"replay", file}, "STAYS"},
		{[]string{"replay", file}, "note: searched at 2001-09-09T01:46:40Z; searching again gives the same"},
		{[]string{"replay", file}, fmt.Sprintf("\nprice $%.4f/h becomes $%.4f/h\n", search.Result.Before.Float(),
			search.Result.After.Float())},
		{[]string{"replay", "-o", "json", file}, `"beforePerHour"`},
		{[]string{"replay", filepath.Dir(file)}, ".moves.json.gz   2001-09-09 01:46:40"},
		{[]string{"replay", keep(other)}, "this version of dovetail moves otherwise: "},
	} {
		code, stdout, stderr := run(t, c.args...)
		if code != 0 || !strings.Contains(stdout, c.want) {
			t.Errorf("%v: exit code %d, no %q in\n%s%s", c.args, code, c.want, stdout, stderr)
		}
	}
	if code, _, stderr := run(t, "explain", "pod", "web", "--record", file); code != 2 || !strings.Contains(stderr,
		"has moves, not a plan; 'dovetail replay' shows them") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// The guide shows what is printed.
func TestTheGuideIsTrue(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/guide/simulate.md")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, _ := strings.Cut(string(guide), "testdata/types.json\n")
	shown, _, _ = strings.Cut(shown, "…")
	table, err := os.ReadFile("testdata/simulate.table.golden")
	if err != nil {
		t.Fatal(err)
	}
	if shown == "" || !strings.HasPrefix(string(table), shown) {
		t.Errorf("docs/guide/simulate.md shows\n%s\nand this is printed:\n%s", shown, table)
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
		"field":          {[]string{"simulate", "-f", write("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containres: []}")}, `document 1: Pod p: unknown field "spec.containres"`},
		"version":        {[]string{"simulate", "-f", write("apiVersion: karpenter.sh/v1beta1\nkind: NodePool\nmetadata: {name: p}")}, "bad.yaml:1: NodePool p: spec: it is missing"},
		"group":          {[]string{"simulate", "-f", write("apiVersion: karpenter.sh/v1\nkind: EC2NodeClass\nmetadata: {name: c}")}, "EC2NodeClass c: apiVersion karpenter.sh/v1 is not served; write it as karpenter.k8s.aws/v1"},
		"kind":           {[]string{"simulate", "-f", write("apiVersion: karpenter.sh/v1\nkind: NodePol\nmetadata: {name: p}")}, "NodePol p: apiVersion karpenter.sh/v1 has no kind NodePol; correct its name"},
		"core":           {[]string{"simulate", "-f", write("apiVersion: v2\nkind: Pod\nmetadata: {name: p}")}, "Pod p: apiVersion v2 is not served; write it as v1"},
		"types and else": {[]string{"simulate", "-f", "testdata/shop", "--region", "us-east-1", "--instance-types", "x"}, "--region and --instance-types exclude each other"},
		"no such pod":    {[]string{"explain", "pod", "web", "-f", "testdata/shop"}, "there is no pod default/web; did you mean one of default/web-0, default/web-1"},
		"no such node":   {[]string{"explain", "node", "n99", "-f", "testdata/shop"}, "there is no node n99; there are n1 to n"},
		"two values":     {[]string{"simulate", "-f", "testdata/shop", "--requirement", "kubernetes.io/arch In amd64 arm64"}, `"amd64 arm64" is no value; want values with commas between them`},
		"brackets":       {[]string{"simulate", "-f", "testdata/shop", "--requirement", "kubernetes.io/arch In (amd64)"}, `"(amd64)" is no value`},
		"no number":      {[]string{"simulate", "-f", "testdata/shop", "--requirement", "karpenter.k8s.aws/instance-cpu Gt many"}, `--requirement "karpenter.k8s.aws/instance-cpu Gt many": Invalid value: "many": operator Gt needs exactly one value, an integer`},
		"no resource":    {[]string{"simulate", "-f", "testdata/shop", "--overhead", "cup=1"}, `there is no resource "cup"; want cpu, memory`},
		"a file as name": {[]string{"simulate", "cluster.yaml"}, "simulate takes no names; for files write -f cluster.yaml"},
		"no trace":       {[]string{"simulate", "-f", "testdata/shop", "--pods", "7"}, "--pods is about a trace; give one with --trace"},
		"command":        {[]string{"simulat"}, `there is no command "simulat" below dovetail; did you mean simulate?`},
		"sub-command":    {[]string{"sim", "weather"}, "there is no command \"weather\" below dovetail sim; `dovetail sim --help` lists what there is"},
		"replicas": {[]string{"simulate", "-f", write("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n" +
			"spec: {replicas: -3, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, " +
			"spec: {containers: [{name: c}]}}}")}, "Deployment default/d: it asks for -3 pods; want 0 or more"},
		"pool": {[]string{"simulate", "-f", write("apiVersion: karpenter.sh/v1\nkind: NodePool\nmetadata: {name: p}\nspec: {weight: 101, template: {spec: {requirements: [], nodeClassRef: {group: karpenter.k8s.aws, kind: EC2NodeClass, name: c}}}}")},
			"NodePool p: spec.weight: Invalid value: 101: "},
		"amount":      {[]string{"simulate", "-f", write("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i, resources: {requests: {memory: 1GB}}}]}")}, `Pod p: spec.containers[0].resources.requests.memory is "1GB"; want an amount such as 500m, 2 or 1Gi`},
		"type":        {[]string{"simulate", "-f", write("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: many}")}, "Deployment d: spec.replicas must be an integer, not a string"},
		"a key twice": {[]string{"simulate", "-f", write("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {priority: 1}\nspec: {priority: 2}")}, `document 1: yaml: unmarshal errors: line 5: key "spec" already set in map`},
		"types":       {[]string{"simulate", "-f", "testdata/shop", "--instance-types", write("[{]")}, "--instance-types "},
		"no record":   {[]string{"replay", "testdata/types.json"}, "testdata/types.json"},
		"no records":  {[]string{"replay", "testdata/shop"}, "testdata/shop has no plan of the controller's journal; want the directory of --journal-dir"},
		"no journal":  {[]string{"replay", write("{}")}, "is no plan of the controller's journal; want a file that --journal-dir has"},
		"record and":  {[]string{"explain", "pod", "p", "--record", "x", "-f", "y"}, "--record is a whole plan: it goes with neither -f nor --trace"},
		"no name":     {[]string{"explain", "pod", "-f", "testdata/shop"}, "explain pod takes the name of one pod, not 0 names"},
		"refused pod": {[]string{"simulate", "-f", write("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c}], tolerations: [{operator: Equal}]}")},
			"Pod default/p: spec.tolerations[0].operator"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _, stderr := run(t, c.args...)
			if code != 2 || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("exit code %d, message %q; want 2 and one line with %q", code, stderr, c.want)
			}
		})
	}
}
