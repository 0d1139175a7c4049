package integration

import (
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/internal/cli"
)

// asController holds the command line of a copy of this test binary that is to be the controller: what is killed is a
// real process with today's code.
const asController = "DOVETAIL_TEST_AS_CONTROLLER"

// TestAsController is not a test by itself: it is the process that other tests kill.
func TestAsController(t *testing.T) {
	args, is := os.LookupEnv(asController)
	if !is {
		t.Skip("this is the other half of tests that kill a controller")
	}
	ctx, stop := signal.NotifyContext(t.Context(), syscall.SIGTERM)
	defer stop()
	if code := cli.Main(ctx, strings.Split(args, "\n"), os.Stdout, os.Stderr); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// quietLog takes what proxies have to say about connections of processes that were killed.
var quietLog = log.New(io.Discard, "", 0)

// supervisor keeps a controller process running, as a kubelet does.
type supervisor struct {
	args, env []string
	log       string // path
	started   func() // called before each start; may be nil
	mortal    bool   // it is not started again

	mu      sync.Mutex // guards the fields below
	process *exec.Cmd
	starts  int
	done    chan struct{} // closed when the present process has ended
	stopped bool
}

// supervise starts a controller with these flags and keeps it running until the test ends.
func supervise(t *testing.T, s *supervisor) {
	t.Helper()
	s.log = filepath.Join(t.TempDir(), "controller.log")
	var running sync.WaitGroup
	running.Go(func() {
		runtime.LockOSThread() // processes live no longer than the thread that started them
		for s.run(t) && !s.mortal {
		}
	})
	t.Cleanup(func() {
		s.mu.Lock()
		s.stopped = true
		s.mu.Unlock()
		s.kill()
		running.Wait()
		if t.Failed() {
			t.Logf("the end of the controller's log:\n%s", tail(s.log, 6000))
		}
	})
}

// run runs one process to its end.
func (s *supervisor) run(t *testing.T) (again bool) {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Error(err)
		return false
	}
	defer log.Close() // nothing of ours is buffered
	cmd := exec.Command(os.Args[0], "-test.run=^TestAsController$", "-test.timeout=0")
	cmd.Env = append(append(os.Environ(), asController+"=controller\n"+strings.Join(s.args, "\n")), s.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.mu.Lock()
	if s.stopped {
		s.mu.Unlock()
		return false
	}
	if s.started != nil {
		s.started()
	}
	if err := cmd.Start(); err != nil {
		s.mu.Unlock()
		t.Error(err)
		return false
	}
	s.process, s.done = cmd, make(chan struct{})
	s.starts++
	s.mu.Unlock()
	began := time.Now()
	_ = cmd.Wait() // being killed is what it is for
	s.mu.Lock()
	close(s.done)
	stopped := s.stopped
	s.process = nil
	s.mu.Unlock()
	if quick := 200 * time.Millisecond; !stopped && time.Since(began) < quick {
		<-time.After(quick) // it does not even start: not in a tight loop
	}
	return !stopped
}

// kill ends the process as kill -9 does, and returns when it is gone.
func (s *supervisor) kill() {
	s.mu.Lock()
	process, done := s.process, s.done
	s.mu.Unlock()
	if process == nil {
		return
	}
	_ = process.Process.Kill() // an error means that it ended in this moment
	<-done
}

func (s *supervisor) startedTimes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.starts
}

// tail is the end of a file.
func tail(path string, most int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// kubeconfigFor writes a kubeconfig for a server that asks for no credentials.
func kubeconfigFor(t *testing.T, server string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf(
		"apiVersion: v1\nkind: Config\nclusters: [{name: x, cluster: {server: %q}}]\ncontexts: [{name: x, context: {cluster: x}}]\ncurrent-context: x\n",
		server,
	)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
