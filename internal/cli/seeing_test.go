package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/dovetail-sh/dovetail/internal/history"
	"github.com/dovetail-sh/dovetail/internal/view"
)

// guarded is a fleet of one node that a pod keeps, a pod that asks for a label nothing has, and one that is too large.
func guarded(t *testing.T) string {
	t.Helper()
	cluster := fleet(
		"",
		machine{
			name:  "kept",
			size:  "2xlarge",
			cores: 8,
			pods:  []int{1},
			pod:   ", annotations: {karpenter.sh/do-not-disrupt: 'true'}",
		},
	)
	return written(t, "cluster.yaml", cluster+`
---
apiVersion: v1
kind: Pod
metadata: {name: shy}
spec: {nodeSelector: {disk: fast}, containers: [{name: c, image: i, resources: {requests: {cpu: 1}}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: huge}
spec: {containers: [{name: c, image: i, resources: {requests: {cpu: 2, memory: 900Gi}}}]}
`)
}

func TestExplainNamesTheSmallestChange(t *testing.T) {
	t.Parallel()
	file := guarded(t)
	for args, want := range map[string]string{
		"explain pod shy":    "smallest change: drop disk In fast from the nodeSelector",
		"explain pod huge":   "ask for at most ",
		"explain node kept":  "smallest change: remove karpenter.sh/do-not-disrupt from default/kept-0",
		"explain claim kept": "still here: pod default/kept-0 must not be disrupted",
		"explain pool p":     "EC2NodeClass default",
	} {
		code, stdout, stderr := run(t, append(strings.Fields(args), "-f", file)...)
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("%s: exit code %d, no %q in\n%s%s", args, code, want, stdout, stderr)
		}
	}
	code, _, stderr := run(t, "explain", "pool", "q", "-f", file)
	if code != 2 || !strings.Contains(stderr, "there is no NodePool q; there are p") {
		t.Errorf("an unknown pool: exit code %d, %s", code, stderr)
	}
}

// TestEveryNodeAndPodGetsAnAnswer asks of all of them: none is without a reason, and none without a change or why there
// is none.
func TestEveryNodeAndPodGetsAnAnswer(t *testing.T) {
	t.Parallel()
	file := written(t, "cluster.yaml", fleet(
		"consolidateAfter: 0s",
		machine{
			name:  "empty",
			size:  "large",
			cores: 2,
			claim: ", annotations: {}",
		},
		machine{name: "full", size: "large", cores: 2, pods: []int{2}},
		machine{
			name:  "half",
			size:  "2xlarge",
			cores: 8,
			pods:  []int{1},
		},
		machine{
			name:  "held",
			size:  "xlarge",
			cores: 4,
			pods:  []int{1},
			node:  ", annotations: {karpenter.sh/do-not-disrupt: 'true'}",
		},
	))
	for _, name := range []string{"empty", "full", "half", "held"} {
		code, stdout, stderr := run(t, "explain", "node", name, "-f", file, "-o", "json")
		var a view.NodeAnswer
		if code != 0 || json.Unmarshal([]byte(stdout), &a) != nil {
			t.Fatalf("%s: exit code %d: %s", name, code, stderr)
		}
		if a.Stays == "" || a.Remedy == nil || (len(a.Remedy.Changes) == 0) == (a.Remedy.None == "") {
			t.Errorf("%s: %q, %+v", name, a.Stays, a.Remedy)
		}
	}
}

func TestARecordReproducesDecisionsWithoutNames(t *testing.T) {
	t.Parallel()
	cluster := guarded(t)
	out := filepath.Join(t.TempDir(), "r.json.gz")
	code, _, stderr := run(t, "record", "-f", cluster, "--redact", "--out", out)
	if code != 0 || !strings.Contains(stderr, "texts replaced") {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	if code, _, stderr := run(
		t,
		"record",
		"-f",
		cluster,
		"--out",
		out,
	); code != 1 ||
		!strings.Contains(stderr, "choose another file with --out") {
		t.Errorf("over a file: exit code %d, %s", code, stderr)
	}
	r, err := readRecording(out)
	if err != nil || r == nil {
		t.Fatal(r, err)
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"kept", "shy", "huge", "fast"} {
		if strings.Contains(string(text), name) {
			t.Errorf("%q is left", name)
		}
	}
	code, stdout, stderr := run(t, "replay", out, "--exit-code")
	if code != 0 || !strings.Contains(stdout, "planning again gives the same") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	for policy, want := range map[string]string{"effort=0": "No changes.", "prices=0": "want rules such as effort=0",
		"preferences=Maybe": "want Respect or Ignore", "effort=-1": "it is negative"} {
		code, stdout, stderr := run(t, "replay", out, "--policy", policy)
		if !strings.Contains(stdout+stderr, want) || (code == 0) != (want == "No changes.") {
			t.Errorf("%s: exit code %d, no %q in\n%s%s", policy, code, want, stdout, stderr)
		}
	}
}

// TestAnotherPolicyIsADifferentPlan has nodes that count for more than their price.
func TestAnotherPolicyIsADifferentPlan(t *testing.T) {
	t.Parallel()
	file := written(
		t,
		"cluster.yaml",
		ec2Pool("p", "m6i.large, m6i.8xlarge", "", onDemand)+deployment("web", 10, "1", ""),
	)
	out := filepath.Join(t.TempDir(), "r.json.gz")
	if code, _, stderr := run(t, "record", "-f", file, "--out", out); code != 0 {
		t.Fatal(stderr)
	}
	code, stdout, stderr := run(t, "replay", out, "--policy", "node-price=10", "--exit-code")
	if code != 3 {
		t.Fatalf("exit code %d: %s%s", code, stdout, stderr)
	}
	first := strings.SplitN(stdout, "\n", 2)[0]
	if !strings.HasPrefix(first, "Plan: +1 -") || !strings.Contains(stdout, "if: policy node-price=10") ||
		!strings.Contains(stdout, "m6i.8xlarge") {
		t.Errorf("%s", stdout)
	}
}

func TestHistoryIsReadFromTheJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lines := `{"uid":"1","claim":"web-1","pool":"web","created":"2026-11-21T03:00:00Z","came":"for pod default/a"}
{"uid":"1","claim":"web-1","gone":"2026-11-21T04:00:00Z","reason":"empty","went":"it was empty"}
{"uid":"2","claim":"db-1","pool":"db","created":"2026-11-21T03:30:00Z"}
`
	if err := os.WriteFile(filepath.Join(dir, history.File), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := run(t, "history", "--journal", dir)
	if code != 0 || !strings.Contains(stdout, "for pod default/a  it was empty") || !strings.Contains(stdout, "db-1") {
		t.Errorf("exit code %d: %s%s", code, stdout, stderr)
	}
	if code, stdout, _ = run(
		t,
		"history",
		"--journal",
		dir,
		"--pool",
		"web",
		"-o",
		"csv",
	); code != 0 || strings.Count(stdout, "\n") != 2 ||
		!strings.HasPrefix(stdout, "Nodeclaim[1],Createdtime[2]") {
		t.Errorf("exit code %d: %s", code, stdout)
	}
	for args, want := range map[string]string{
		"history -o yaml": "-o yaml is unknown", "history --journal /nowhere": "want the directory of --journal-dir",
		"history --since -1h": "is in the future", "history x": "history takes no names",
	} {
		if code, _, stderr := run(t, strings.Fields(args)...); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %s", args, code, stderr)
		}
	}
}

// lines hands on what is written, line by line.
type lines chan string

// Write sends.
func (l lines) Write(p []byte) (int, error) { l <- string(p); return len(p), nil }

// served reports whether the page has a fleet that somebody has thought about.
func served(t *testing.T, address string) bool {
	t.Helper()
	answer, err := http.Get(address + "api/page")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var page struct{ Parts struct{ Money view.Money } }
	err = json.NewDecoder(answer.Body).Decode(&page)
	return err == nil && page.Parts.Money.Nodes == 1 && page.Parts.Money.Thought
}

// TestThePageIsServedUntilItsUserLeaves opens it as a browser would, and ends it as Ctrl-C would.
func TestThePageIsServedUntilItsUserLeaves(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	out, errs, done := make(lines, 10), make(lines, 10), make(chan int)
	go func() { done <- Main(ctx, []string{"web", "-f", guarded(t), "--address", "127.0.0.1:0"}, out, errs) }()
	var address string
	select {
	case address = <-out:
	case text := <-errs:
		t.Fatal(text)
	}
	address = strings.TrimSpace(address)
	for !served(t, address) {
		runtime.Gosched() // the fleet is looked at beside, and there is nothing to wait for but the page itself
	}
	answer, err := http.Get(address + "api/explain?pod=default/shy")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct{ Text string }
	if err := json.NewDecoder(answer.Body).
		Decode(&said); err != nil ||
		!strings.Contains(said.Text, "smallest change: drop disk In fast") {
		t.Errorf("%v: %s", err, said.Text)
	}
	leave()
	if code := <-done; code != 0 {
		t.Errorf("exit code %d", code)
	}
	if code, _, stderr := run(
		t,
		"web",
		"--address",
		"0.0.0.0:80",
	); code != 2 ||
		!strings.Contains(stderr, "want 127.0.0.1:PORT") {
		t.Errorf("for everybody: exit code %d, %s", code, stderr)
	}
}

// TestAssistantsGetTheCommandsAnswers asks each tool, over the protocol.
func TestAssistantsGetTheCommandsAnswers(t *testing.T) {
	t.Parallel()
	here, there := mcp.NewInMemoryTransports()
	session, err := newAssistant(given{{"filename", guarded(t)}}).Connect(t.Context(), here, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	client, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), there, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	list, err := client.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tool := range list.Tools {
		if !tool.Annotations.ReadOnlyHint {
			t.Errorf("%s may change something", tool.Name)
		}
	}
	if len(list.Tools) != len(tools) {
		t.Errorf("%d tools are listed, want %d", len(list.Tools), len(tools))
	}
	for tool, want := range map[string]struct {
		args map[string]any
		says string
	}{
		"fleet": {nil, `"kind": "Fleet"`}, "explain_pod": {map[string]any{"name": "default/shy"},
			"drop disk In fast"}, "explain_node": {map[string]any{"name": "kept"}, "do-not-disrupt"},
		"explain_pool": {map[string]any{"name": "p"}, `"kind": "PoolDetails"`},
		"check":        {nil, `"kind": "Checkup"`}, "costs": {nil,
			`"kind": "Costs"`},
	} {
		answer, err := client.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: want.args})
		if err != nil || answer.IsError {
			t.Errorf("%s: %v %+v", tool, err, answer)
			continue
		}
		if text := answer.Content[0].(*mcp.TextContent).Text; !strings.Contains(text, want.says) {
			t.Errorf("%s: no %q in\n%s", tool, want.says, text)
		}
	}
	answer, err := client.CallTool(
		t.Context(),
		&mcp.CallToolParams{Name: "explain_node", Arguments: map[string]any{"name": "-h"}},
	)
	if err == nil && !answer.IsError {
		t.Errorf("a name that is a flag: %+v", answer)
	}
}

func TestManualPagesAreWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "man1")
	if code, _, stderr := run(t, "man", dir); code != 0 {
		t.Fatal(stderr)
	}
	for _, page := range []string{"dovetail.1", "dovetail-explain-pod.1", "dovetail-history.1", "dovetail-web.1"} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil || !strings.Contains(string(text), ".TH") {
			t.Errorf("%s: %v", page, err)
		}
	}
}
