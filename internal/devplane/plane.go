package devplane

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// stopLimit is how long a control plane may take to end before it is killed.
const stopLimit = 20 * time.Second

// Option changes what Start starts.
type Option func(*settings)

type settings struct {
	parts []string
}

// Full adds the scheduler, the controller manager and kwok, which plays the
// kubelet of every Node with the annotation kwok.x-k8s.io/node=fake.
func Full() Option { return Parts("scheduler", "controller-manager", "kwok") }

// Parts adds some of scheduler, controller-manager and kwok to etcd and the
// API server.
func Parts(names ...string) Option {
	return func(s *settings) { s.parts = append(s.parts, names...) }
}

// Plane is a control plane that runs.
type Plane struct {
	state   state
	config  *rest.Config
	process *exec.Cmd
	line    *os.File // closing it ends the control plane
	events  *syncBuffer
	scratch string // directory of everything, removed at the end

	stopOnce sync.Once
	stopErr  error
}

// state is the part that we read of what the binary prints when it is ready.
type state struct {
	Dir        string `json:"dir"`
	Endpoint   string `json:"endpoint"`
	Kubeconfig string `json:"kubeconfig"`
	ReadyAfter string `json:"readyAfter"`
}

// Start starts a control plane for this test and ends it with the test.
// Without options it is etcd and kube-apiserver.
func Start(t testing.TB, options ...Option) *Plane {
	t.Helper()
	skipIfAsked(t)
	plane, err := start(options)
	if err != nil {
		t.Fatalf("devplane: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("devplane: the control plane's parts:\n%s", plane.events.String())
		}
		if err := plane.stop(); err != nil {
			t.Errorf("devplane: %v", err)
		}
	})
	return plane
}

func skipIfAsked(t testing.TB) {
	t.Helper()
	if os.Getenv("DOVETAIL_SKIP_CONTROL_PLANE") != "" {
		t.Skip("DOVETAIL_SKIP_CONTROL_PLANE is set: this test needs a Kubernetes control plane")
	}
}

func start(options []Option) (*Plane, error) {
	chosen := settings{parts: []string{"etcd", "apiserver"}}
	for _, option := range options {
		option(&chosen)
	}
	path, err := binary()
	if err != nil {
		return nil, err
	}
	scratch, err := os.MkdirTemp("", "devplane-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the control plane: %w", err)
	}
	plane := &Plane{scratch: scratch, events: &syncBuffer{}}
	if err := plane.boot(path, chosen); err != nil {
		return nil, errors.Join(err, plane.stop())
	}
	return plane, nil
}

// boot starts the process and reads the line that it prints when it is ready.
func (p *Plane) boot(path string, chosen settings) error {
	p.process = exec.Command(path, "up", "--output=json",
		"--dir="+filepath.Join(p.scratch, "plane"), "--parts="+strings.Join(chosen.parts, ","))
	p.process.Stderr = p.events
	// A Ctrl-C in the terminal is for the test, which then cleans up or dies;
	// either way the line is cut.
	p.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	far, near, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe to the control plane: %w", err)
	}
	p.line = near
	p.process.ExtraFiles = []*os.File{far}
	p.process.Env = append(os.Environ(), "PLAYGROUND_LIFELINE=3")
	stdout, err := p.process.StdoutPipe()
	if err != nil {
		return errors.Join(fmt.Errorf("making a pipe from the control plane: %w", err), far.Close())
	}
	if err := errors.Join(p.process.Start(), far.Close()); err != nil {
		p.process = nil
		return fmt.Errorf("starting the control plane: %w", err)
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("starting the control plane: it ended before it was ready:\n%s", p.events.String())
	}
	if err := json.Unmarshal(line, &p.state); err != nil {
		return fmt.Errorf("reading what the control plane said: %w", err)
	}
	if p.config, err = clientcmd.BuildConfigFromFlags("", p.state.Kubeconfig); err != nil {
		return fmt.Errorf("reading the control plane's kubeconfig: %w", err)
	}
	// A test's client is never what should be slow.
	p.config.QPS, p.config.Burst = 1000, 2000
	return nil
}

// Config is a client configuration of the administrator, a copy for each call.
func (p *Plane) Config() *rest.Config { return rest.CopyConfig(p.config) }

// Kubeconfig is the path of the administrator's kubeconfig. It is gone when the plane ends.
func (p *Plane) Kubeconfig() string { return p.state.Kubeconfig }

// Endpoint is the API server's address, such as "https://127.0.0.1:21234".
func (p *Plane) Endpoint() string { return p.state.Endpoint }

// Dir holds everything that the control plane writes; logs are in Dir/logs.
func (p *Plane) Dir() string { return p.state.Dir }

// KubeconfigOf mints a kubeconfig in which user acts, in groups, and returns
// its path. The user may do nothing until RBAC says so.
func (p *Plane) KubeconfigOf(t testing.TB, user string, groups ...string) string {
	t.Helper()
	args := []string{"kubeconfig", "--dir=" + p.state.Dir, "--user=" + user}
	for _, group := range groups {
		args = append(args, "--group="+group)
	}
	out, err := exec.Command(p.process.Path, args...).Output()
	if err != nil {
		t.Fatalf("devplane: minting a kubeconfig for %s: %v", user, err)
	}
	return strings.TrimSpace(string(out))
}

// Process is the number of a part's process now, such as that of kube-apiserver. A part that dies gets another.
func (p *Plane) Process(t testing.TB, part string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(p.state.Dir, "state.json"))
	if err != nil {
		t.Fatalf("devplane: reading the control plane's state: %v", err)
	}
	var state struct {
		Parts []struct {
			Name string `json:"name"`
			PID  int    `json:"pid"`
		} `json:"parts"`
	}
	if err := json.Unmarshal(data, &state); err != nil {
		t.Fatalf("devplane: reading the control plane's state: %v", err)
	}
	for _, running := range state.Parts {
		if running.Name == part && running.PID != 0 {
			return running.PID
		}
	}
	t.Fatalf("devplane: no process of %s is running", part)
	return 0
}

// stop ends the process and removes what it wrote. It may be called twice.
func (p *Plane) stop() error {
	p.stopOnce.Do(func() {
		var errs []error
		if p.line != nil {
			errs = append(errs, p.line.Close())
		}
		if p.process != nil {
			kill := time.AfterFunc(stopLimit, func() { _ = p.process.Process.Kill() })
			if err := p.process.Wait(); err != nil {
				errs = append(errs, fmt.Errorf("ending the control plane: %w\n%s", err, p.events.String()))
			}
			kill.Stop()
		}
		p.stopErr = errors.Join(append(errs, os.RemoveAll(p.scratch))...)
	})
	return p.stopErr
}

// syncBuffer keeps what the control plane says while others read it.
type syncBuffer struct {
	mu     sync.Mutex // guards the field below
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(data)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
