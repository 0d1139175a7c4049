package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/spf13/cobra"

	"github.com/dovetail-sh/dovetail/awssim"
	"github.com/dovetail-sh/dovetail/internal/journal"
)

// rule is what a command is held to. Words in capitals stand for what the test has: FLEET and SHOP for files, JOURNAL
// for a directory with a plan, PLAN for a saved one, OLD for a file that is to be converted, AWS for a simulated one.
type rule struct {
	wrong []string // written wrong: exit code 2 and one line
	good  []string // an answer; nil for commands that only run in a cluster
	json  bool     // it has -o json
	live  []string // it reads a cluster
}

// rules are of all commands that can be run.
var rules = map[string]rule{
	"dovetail":   {wrong: []string{"explian"}, good: []string{}},
	"controller": {wrong: []string{"controller", "--cloud", "mars"}},
	"config": {wrong: []string{"config", "now"}, good: []string{"config", "--cluster-name", "c"},
		json: true},
	"version":         {wrong: []string{"version", "1"}, good: []string{"version"}, json: true},
	"help":            {wrong: []string{"help", "explian"}, good: []string{"help", "explain", "pod"}},
	"completion":      {wrong: []string{"completion"}},
	"completion bash": {wrong: []string{"completion", "bash", "x"}, good: []string{"completion", "bash"}},
	"completion zsh":  {wrong: []string{"completion", "zsh", "x"}, good: []string{"completion", "zsh"}},
	"completion fish": {wrong: []string{"completion", "fish", "x"}, good: []string{"completion", "fish"}},
	"completion powershell": {wrong: []string{"completion", "powershell", "x"}, good: []string{"completion",
		"powershell"}},
	"simulate": {wrong: []string{"simulate", "-f", "absent.yaml"}, good: []string{"simulate", "-f", "SHOP",
		"--instance-types", "testdata/types.json"}, json: true},
	"explain": {wrong: []string{"explain"}},
	"explain pod": {wrong: []string{"explain", "pod", "web", "-o", "xml"}, good: []string{"explain", "pod",
		"web-0", "-f", "SHOP", "--instance-types", "testdata/types.json"}, json: true,
		live: []string{"explain", "pod", "p"}},
	"explain node": {wrong: []string{"explain", "node"}, good: []string{"explain", "node", "n1", "-f", "SHOP",
		"--instance-types", "testdata/types.json"}, json: true, live: []string{"explain", "node", "n"}},
	"explain pool": {wrong: []string{"explain", "pool", "p", "-f", "absent"}, good: []string{"explain", "pool", "web",
		"-f", "FLEET"}, json: true, live: []string{"explain", "pool", "p"}},
	"explain claim": {
		wrong: []string{"explain", "claim"},
		good:  []string{"explain", "claim", "n1", "-f", "SHOP", "--instance-types", "testdata/types.json"}, json: true,
		live: []string{"explain", "claim", "c"},
	},
	"record": {wrong: []string{"record", "x"}, live: []string{"record"}},
	"man":    {wrong: []string{"man"}},
	"mcp":    {wrong: []string{"mcp", "x"}},
	"web":    {wrong: []string{"web", "--address", "0.0.0.0:1"}, live: []string{"web", "--address", "127.0.0.1:0"}},
	"history": {wrong: []string{"history", "--since", "-1h"}, good: []string{"history", "--journal", "JOURNAL"},
		json: true, live: []string{"history"}},
	"replay": {wrong: []string{"replay", "absent"}, good: []string{"replay", "JOURNAL"}, json: true},
	"top": {wrong: []string{"top", "--sort", "beauty"}, good: []string{"top", "-f", "FLEET"},
		json: true, live: []string{"top", "--once"}},
	"plan": {wrong: []string{"plan", "--rounds", "0"}, good: []string{"plan", "--against", "FLEET"},
		json: true, live: []string{"plan"}},
	"plan check": {wrong: []string{"plan", "check", "absent"}, good: []string{"plan", "check", "PLAN", "-f",
		"FLEET"}, json: true, live: []string{"plan", "check", "PLAN"}},
	"costs": {wrong: []string{"costs", "--within", "0s"}, good: []string{"costs", "-f", "FLEET"},
		json: true, live: []string{"costs"}},
	"check": {wrong: []string{"check", "--pre", "-f", "FLEET"}, good: []string{"check", "-f", "FLEET"},
		json: true, live: []string{"check"}},
	"shadow": {wrong: []string{"shadow", "--every", "0s"}, good: []string{"shadow", "-f", "FLEET"},
		json: true, live: []string{"shadow", "--for", "0"}},
	"convert": {wrong: []string{"convert"}, good: []string{"convert", "-f", "OLD"}},
	"sim":     {wrong: []string{"sim"}},
	"sim status": {wrong: []string{"sim", "status", "--endpoint", "nonsense"}, good: []string{"sim",
		"status", "--endpoint", "AWS"}, json: true},
	"sim set": {wrong: []string{"sim", "set", "--speed", "fast"}, good: []string{"sim", "set",
		"--endpoint", "AWS"}},
	"sim market": {wrong: []string{"sim", "market", "a", "b"}, good: []string{"sim", "market", "m5.large",
		"--endpoint", "AWS"}, json: true},
	"sim market squeeze": {wrong: []string{"sim", "market", "squeeze"}, good: nil},
	"sim market capacity": {wrong: []string{"sim", "market", "capacity", "m5.large", "many", "--endpoint", "AWS"},
		good: []string{"sim", "market", "capacity", "m5.large", "any", "--endpoint", "AWS"}},
	"sim interrupt": {wrong: []string{"sim", "interrupt"}},
	"sim event": {wrong: []string{"sim", "event", "weather", "--endpoint", "AWS"}, good: []string{"sim", "event",
		"message", "--body", "{}", "--endpoint", "AWS"}},
	"sim fault": {wrong: []string{"sim", "fault"}},
	"sim fault add": {wrong: []string{"sim", "fault", "add", "flood", "*", "--endpoint", "AWS"}, good: []string{"sim",
		"fault", "add", "throttle", "CreateFleet", "--endpoint", "AWS"}},
	"sim fault list": {wrong: []string{"sim", "fault", "list", "all"}, good: []string{"sim", "fault", "list",
		"--endpoint", "AWS"}, json: true},
	"sim fault clear": {wrong: []string{"sim", "fault", "clear", "--hard"}, good: []string{"sim", "fault", "clear",
		"--endpoint", "AWS"}},
}

// stage puts what the rules speak of in place.
func stage(t *testing.T) *strings.Replacer {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := journal.New(journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Keep(journal.Record{At: time.Unix(1e9, 0)}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "00000000T000000.000-000000.plan.json.gz"), []byte("torn"),
		0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "history.jsonl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	plan := filepath.Join(t.TempDir(), "saved.plan")
	if code, _, stderr := run(t, "plan", "--against", "testdata/fleet.yaml", "--out", plan); code != 0 {
		t.Fatal(stderr)
	}
	aws := newSimulatedAWS(t, awssim.Options{})
	return strings.NewReplacer("FLEET", "testdata/fleet.yaml", "SHOP", "testdata/shop", "JOURNAL", dir, "PLAN", plan,
		"OLD", written(t, "old.yaml", oldPool), "AWS", aws.URL())
}

func filled(with *strings.Replacer, args []string, more ...string) []string {
	out := make([]string, 0, len(args)+len(more))
	for _, a := range args {
		out = append(out, with.Replace(a))
	}
	return append(out, more...)
}

// walkCommands calls visit with each command and its words.
func walkCommands(cmd *cobra.Command, visit func(*cobra.Command, string)) {
	name := strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "dovetail"), " ")
	if name == "" {
		name = "dovetail"
	}
	visit(cmd, name)
	for _, sub := range cmd.Commands() {
		walkCommands(sub, visit)
	}
}

// A command that is written wrong is told so in one line with a way out, and ends with 2; nothing is on stdout.
func TestEveryCommandSaysWhatIsWrong(t *testing.T) {
	with := stage(t)
	seen := 0
	walkCommands(newRoot(nil, nil), func(_ *cobra.Command, name string) {
		r, known := rules[name]
		if !known {
			t.Errorf("%q has no rule: add it to the table, and hold it", name)
			return
		}
		seen++
		for _, args := range [][]string{filled(with, r.wrong), append(strings.Fields(strings.TrimPrefix(name,
			"dovetail")), "--no-such-flag")} {
			code, stdout, stderr := run(t, args...)
			if code != 2 || stdout != "" || !strings.HasPrefix(stderr, "dovetail: ") || strings.Count(stderr,
				"\n") != 1 {
				t.Errorf("%q: exit code %d, %q on stdout, and %q", args, code, stdout, stderr)
			}
		}
	})
	if seen != len(rules) {
		t.Errorf("%d commands, %d rules: one is of a command that is gone", seen, len(rules))
	}
}

// Answers and help fit on a narrow terminal and have no control characters; nothing but notes is on stderr.
func TestEveryCommandFitsOnATerminal(t *testing.T) {
	with := stage(t)
	t.Setenv("COLUMNS", "80")
	walkCommands(newRoot(nil, nil), func(cmd *cobra.Command, name string) {
		fits := func(what string, args []string) {
			code, stdout, stderr := run(t, args...)
			if code != 0 {
				t.Errorf("%s %q: exit code %d: %s", what, args, code, stderr)
			}
			if name == "convert" || strings.HasPrefix(name, "completion ") && what == "answer" {
				return // a file, to the byte
			}
			for line := range strings.Lines(stdout) {
				if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > 80 || strings.ContainsAny(line,
					"\x1b\r") {
					t.Errorf("%s %q: %d columns: %q", what, args, w, line)
				}
			}
		}
		fits("help", append(strings.Fields(strings.TrimPrefix(name, "dovetail")), "--help"))
		if good := rules[name].good; good != nil {
			fits("answer", filled(with, good))
		}
	})
}

// Whatever a command runs among, its answer is the same: colours are for terminals, narrow lines fit,
// the time of its user's zone is of no matter, and there is nothing to read on its standard input.
func TestEveryCommandMindsItsSurroundings(t *testing.T) {
	with := stage(t)
	for _, around := range []map[string]string{
		{"NO_COLOR": "yes", "TERM": "dumb", "COLUMNS": "40", "TZ": "Asia/Kolkata", "LC_ALL": "C"},
		{"CLICOLOR_FORCE": "1", "TERM": "xterm-256color", "COLUMNS": "1", "HOME": "/nowhere"},
	} {
		t.Run(fmt.Sprint(around), func(t *testing.T) {
			for name, value := range around {
				t.Setenv(name, value)
			}
			walkCommands(newRoot(nil, nil), func(_ *cobra.Command, name string) {
				if rules[name].good == nil {
					return
				}
				code, stdout, stderr := run(t, filled(with, rules[name].good)...)
				if code != 0 || strings.ContainsAny(stdout+stderr, "\x1b\r\x00") {
					t.Errorf("%s: exit code %d, %q, %q", name, code, stdout, stderr)
				}
				if around["COLUMNS"] != "40" || name == "convert" || strings.HasPrefix(name, "completion ") {
					return
				}
				for line := range strings.Lines(stdout) {
					w := ansi.StringWidth(strings.TrimSuffix(line, "\n"))
					if w > 40 && strings.Contains(strings.TrimSpace(line), " ") {
						t.Errorf("%s: %d columns: %q", name, w, line)
					}
				}
			})
		})
	}
}

// A disk that is full is a failure, and a reader that has seen enough is none.
func TestEveryCommandSaysWhetherItsAnswerArrived(t *testing.T) {
	t.Parallel()
	bin, with := built(t), stage(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	walkCommands(newRoot(nil, nil), func(_ *cobra.Command, name string) {
		args := rules[name].good
		if args == nil {
			return
		}
		if _, stdout, _ := run(t, filled(with, args)...); stdout == "" {
			return // it has nothing to say
		}
		for what, out := range map[string]*os.File{"full": full, "closed": nil} {
			var stderr strings.Builder
			cmd := exec.CommandContext(t.Context(), bin, filled(with, args)...)
			cmd.Stdout, cmd.Stderr = out, &stderr
			if out == nil {
				read, write, err := os.Pipe()
				if err != nil {
					t.Fatal(err)
				}
				read.Close()
				defer write.Close()
				cmd.Stdout = write
			}
			_ = cmd.Run()
			said := complaints(stderr.String())
			switch code := cmd.ProcessState.ExitCode(); {
			case what == "full" && (code != 1 || len(said) != 1 || !strings.Contains(said[0], "no space")):
				t.Errorf("%s to a full disk: exit code %d, %q", name, code, said)
			case what == "closed" && len(said) > 0:
				t.Errorf("%s to a closed pipe: exit code %d, %q", name, code, said)
			}
		}
	})
}

// complaints are the lines in which a command says why it failed; notes about its input are others.
func complaints(stderr string) (out []string) {
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "dovetail: ") {
			out = append(out, line)
		}
	}
	return out
}

// JSON is one document that says what it is and in what units.
func TestEveryAnswerInJSONSaysWhatItIs(t *testing.T) {
	with := stage(t)
	t.Setenv("COLUMNS", "40") // of no matter to machines
	walkCommands(newRoot(nil, nil), func(cmd *cobra.Command, name string) {
		r := rules[name]
		output := cmd.Flags().Lookup("output")
		if has := output != nil && !output.Hidden; has != r.json {
			t.Errorf("%s: it has -o: %v; the table says %v", name, has, r.json)
		}
		if !r.json {
			return
		}
		_, stdout, _ := run(t, filled(with, r.good, "-o", "json")...)
		var answer struct {
			APIVersion, Kind string
			Units            struct{ Price, CPU string }
		}
		if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
			t.Errorf("%s: %v in\n%s", name, err, stdout)
			return
		}
		if !strings.HasPrefix(answer.APIVersion, "dovetail.sh/") || answer.Kind == "" || answer.Units.Price == "" ||
			answer.Units.CPU == "" {
			t.Errorf("%s: %+v", name, answer)
		}
		if code, _, stderr := run(t, filled(with, r.good, "-o", "yaml")...); code != 2 || !strings.Contains(stderr,
			"json") {
			t.Errorf("%s -o yaml: exit code %d, %s", name, code, stderr)
		}
	})
}

// A server that takes connections and says nothing is given up on, and one that is not there is named; a kubeconfig
// that is not there, or has no such context, was written wrong.
func TestNothingWaitsForAServerForEver(t *testing.T) {
	with := stage(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	config := written(t, "config", `
apiVersion: v1
kind: Config
clusters:
- {name: silent, cluster: {server: "http://`+silent.Addr().String()+`"}}
- {name: gone, cluster: {server: "http://`+gone.Addr().String()+`"}}
- {name: safe, cluster: {server: "https://`+gone.Addr().String()+`"}}
- {name: ill, cluster: {server: "ht!tp://x"}}
contexts:
- {name: silent, context: {cluster: silent}}
- {name: gone, context: {cluster: gone}}
- {name: ill, context: {cluster: ill}}
- {name: astray, context: {cluster: nowhere}}
- {name: plugin, context: {cluster: safe, user: plugin}}
users:
- name: plugin
  user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: no-such-plugin, interactiveMode: Never}}
current-context: silent
`)
	aimless := written(t, "aimless", `
apiVersion: v1
kind: Config
contexts:
- {name: gone, context: {cluster: gone}}
`)
	for name, r := range rules {
		if r.live == nil {
			continue
		}
		for _, c := range []struct {
			more []string
			code int
			says string
		}{
			{[]string{"--kubeconfig", config, "--timeout", "300ms"}, 1,
				"gives no answer within 300ms; is it up, and reachable from here? --timeout allows more"},
			{[]string{"--kubeconfig", config, "--context", "gone"}, 1, "nothing answers at http://" +
				gone.Addr().String()},
			{[]string{"--kubeconfig", config, "--context", "mars"}, 2,
				`there is no context "mars" in the kubeconfig; there are ["astray" "gone" "ill" "plugin" "silent"]`},
			{[]string{"--kubeconfig", config, "--context", "gon"}, 2,
				`there is no context "gon" in the kubeconfig; did you mean "gone"?`},
			{[]string{"--kubeconfig", config, "--context", "astray"}, 2,
				`context "astray" of the kubeconfig is of cluster "nowhere", which is not in it`},
			{[]string{"--kubeconfig", config, "--context", "ill"}, 2,
				"the kubeconfig's server \"ht!tp://x\" is no address"},
			{[]string{"--kubeconfig", config, "--context", "plugin"}, 1, "executable no-such-plugin not found"},
			{[]string{"--kubeconfig", aimless}, 2,
				`the kubeconfig has no current context; choose one with --context: there are ["gone"]`},
			{[]string{"--kubeconfig", written(t, "torn", "clusters: [")}, 2, "the kubeconfig cannot be read: "},
			{[]string{"--kubeconfig", written(t, "text", "hello")}, 2, "the kubeconfig cannot be read: "},
			{[]string{"--kubeconfig", "absent"}, 2, "reading the kubeconfig: stat absent: no such file or directory"},
			{[]string{"--kubeconfig", config, "--timeout", "-1s"}, 2, "--timeout is -1s; want 0 or more"},
		} {
			args := filled(with, r.live, c.more...)
			code, stdout, stderr := run(t, args...)
			if code != c.code || !strings.Contains(stderr, c.says) || stdout != "" || strings.Count(stderr, "\n") != 1 {
				t.Errorf("%s %q: exit code %d, %q, %q; want %d and %q", name, c.more, code, stdout, stderr, c.code,
					c.says)
			}
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://"+silent.Addr().String())
	if code, _, stderr := run(t, "sim", "status", "--timeout", "300ms"); code != 1 || !strings.Contains(stderr,
		"Timeout") {
		t.Errorf("sim: exit code %d, %s", code, stderr)
	}
}

// An interrupt ends a command within seconds and with the code of shells; the controller ends in its own time.
func TestAnInterruptEndsWithItsCode(t *testing.T) {
	t.Parallel()
	for signal, want := range map[os.Signal]int{os.Interrupt: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		ctx, stop := context.WithCancelCause(t.Context())
		stop(Stopped{signal})
		var out, errs strings.Builder
		if code := Main(ctx, []string{"check", "--wait", "1h", "-f", "testdata/fleet.yaml"}, &out,
			&errs); code != want || strings.Count(errs.String(), "\n") != 1 {
			t.Errorf("%v: exit code %d, %q; want %d", signal, code, errs.String(), want)
		}
	}
}

// Shells are offered flags' values and names.
func TestNamesAreCompleted(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"simulate -o ":            "json",
		"simulate --region eu-we": "eu-west-1",
		"sim fault add thr":       "throttle",
		"sim event reba":          "rebalance",
		"plan --drop sp":          "spot",
		"help expl":               "explain",
		"top --sort pri":          "price",
	} {
		words := strings.Split(args, " ")
		_, stdout, _ := run(t, append([]string{"__complete"}, words...)...)
		if !strings.Contains(stdout, want) {
			t.Errorf("%q: no %q in\n%s", args, want, stdout)
		}
	}
}

// The binary itself is interrupted while it waits, and leaves nothing behind.
func TestCtrlCLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	bin := built(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dir, temp := t.TempDir(), t.TempDir()
	cmd := exec.CommandContext(t.Context(), bin, "sim", "status", "--endpoint", "http://"+silent.Addr().String())
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+temp)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := silent.Accept(); err != nil { // it has asked, and waits
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 || stderr.String() != "dovetail: interrupted\n" {
		t.Errorf("exit code %d, %q", code, stderr.String())
	}
	for _, d := range []string{dir, temp} {
		if left, err := os.ReadDir(d); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}
