package command_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/internal/devplane"
	"github.com/dovetail-sh/dovetail/playground/cluster"
)

// run runs the command line as a user would.
func run(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut strings.Builder
	// Clean-ups run commands too, when the test's own context has ended.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), devplane.Binary(t), args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	return out.String(), errOut.String(), err
}

// mustRun is run for what has to work.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := run(t, args...)
	if err != nil {
		t.Fatalf("playground %s: %v\n%s", strings.Join(args, " "), err, stderr)
	}
	return stdout
}

func status(t *testing.T, dir string) cluster.State {
	t.Helper()
	var s cluster.State
	if err := json.Unmarshal([]byte(mustRun(t, "status", "--dir", dir, "--output", "json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func gone(pid int) bool { return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) }

// Up in the background, look at it, down: no process and no file is left.
func TestUpAndDown(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cluster")
	said := mustRun(t, "up", "--detach", "--dir", dir, "--parts", "etcd,apiserver")
	t.Cleanup(func() { _, _, _ = run(t, "down", "--dir", dir) })
	kubeconfig := strings.TrimSpace(mustRun(t, "kubeconfig", "--dir", dir))
	for _, want := range []string{"export KUBECONFIG=" + kubeconfig, "playground down --dir " + dir} {
		if !strings.Contains(said, want) {
			t.Errorf("up printed %q, want %q in it", said, want)
		}
	}
	if minted := strings.TrimSpace(
		mustRun(t, "kubeconfig", "--dir", dir, "--user", "jane:doe", "--group", "a", "--group", "b"),
	); strings.Contains(
		minted,
		":",
	) {
		t.Errorf("the kubeconfig's path is %q: a colon separates files in KUBECONFIG", minted)
	}
	s := status(t, dir)
	if !s.Ready || len(s.Parts) != 2 {
		t.Errorf("status says ready %v with %d parts, want ready with 2", s.Ready, len(s.Parts))
	}
	if text := mustRun(t, "status", "--dir", dir); !strings.Contains(text, "kube-apiserver  running") {
		t.Errorf("status printed %q, want a row of a running kube-apiserver", text)
	}
	began := time.Now()
	mustRun(t, "down", "--dir", dir)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("down took %s, want at most 10s", took)
	}
	for _, p := range s.Parts {
		if !gone(p.PID) {
			t.Errorf("%s, process %d, still runs", p.Name, p.PID)
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", dir, err)
	}
}

// When the supervisor itself is killed, its parts do not outlive it.
func TestPartsEndWithKilledSupervisor(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cluster")
	mustRun(t, "up", "--detach", "--dir", dir, "--parts", "etcd,apiserver")
	s := status(t, dir)
	if err := syscall.Kill(s.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, p := range s.Parts {
		for !gone(p.PID) {
			select {
			case <-deadline.C:
				t.Fatalf("%s, process %d, outlives its supervisor", p.Name, p.PID)
			case <-tick.C:
			}
		}
	}
	if _, stderr, err := run(
		t,
		"status",
		"--dir",
		dir,
	); err == nil ||
		!strings.Contains(stderr, "no playground is up") {
		t.Errorf("status of a dead cluster: %v, %q; want that none is up", err, stderr)
	}
}

// A wrong command line gets one line that says what is wrong with it.
func TestComplaints(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		args []string
		want string
	}{
		"UnknownPart": {
			args: []string{"up", "--parts", "kubelet"},
			want: `there is no part "kubelet"; choose from etcd`,
		},
		"UnknownProgram": {args: []string{"up", "--with", "gcpsim"}, want: `--with: there is no program "gcpsim"`},
		"UnknownOutput": {
			args: []string{"up", "--output", "yaml"},
			want: `--output is "yaml", must be text or json`,
		},
		"GroupWithoutUser": {args: []string{"kubeconfig", "--group", "a"}, want: "--group needs --user"},
		"NothingThere": {
			args: []string{"down", "--dir", filepath.Join(t.TempDir(), "none")},
			want: "no playground is up; start one with `playground up`",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, stderr, err := run(t, tc.args...)
			if err == nil {
				t.Fatalf("playground %s succeeded", strings.Join(tc.args, " "))
			}
			if lines := strings.Split(
				strings.TrimSpace(stderr),
				"\n",
			); len(lines) != 1 ||
				!strings.Contains(lines[0], tc.want) {
				t.Errorf("playground %s said %q, want one line with %q", strings.Join(tc.args, " "), stderr, tc.want)
			}
		})
	}
}
