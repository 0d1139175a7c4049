package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/dovetail-sh/dovetail/playground/lifeline"
)

const (
	// firstBackoff is the pause before a dead part is started again; it doubles
	// with every death up to lastBackoff.
	firstBackoff = 200 * time.Millisecond
	lastBackoff  = 5 * time.Second
	// steady is how long a part must have lived for its earlier deaths to be forgotten.
	steady = 30 * time.Second
	// patience is how long a part may take to end after SIGTERM before it is killed.
	patience = 5 * time.Second
)

// errEarly is why a child stopped that was never to be restarted.
var errEarly = errors.New("ended before the cluster was ready")

// child is one process that is kept running until it is told to stop.
type child struct {
	name    string
	command func() *exec.Cmd // a new one for every start; Stdout and Stderr are set here
	logPath string
	podLog  string // also here, as a container runtime writes it; empty for nowhere
	report  func(Event)

	stopping chan struct{} // closed by stop
	stopOnce sync.Once
	done     chan struct{} // closed when the process is gone for good

	mu       sync.Mutex // guards the fields below
	process  *os.Process
	status   Status
	restarts int
	trial    bool // true until settle: a death is final, so that Start can report it
	err      error
}

func newChild(name, logPath string, report func(Event), command func() *exec.Cmd) *child {
	return &child{
		name: name, logPath: logPath, report: report, command: command,
		stopping: make(chan struct{}), done: make(chan struct{}),
		trial: true, status: Starting,
	}
}

// run keeps the process alive until stop is called; it is the child's only goroutine.
func (c *child) run() {
	defer close(c.done)
	backoff := firstBackoff
	for {
		began := time.Now()
		err := c.once()
		if c.ended(err) {
			return
		}
		if time.Since(began) > steady {
			backoff = firstBackoff
		}
		c.report(
			Event{
				Part:   c.name,
				Kind:   Died,
				Detail: fmt.Sprintf("%v; starting it again in %s; its log is %s", err, backoff, c.logPath),
			},
		)
		select {
		case <-c.stopping:
			c.set(Stopped)
			return
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, lastBackoff)
		c.mu.Lock()
		c.restarts++
		c.mu.Unlock()
	}
}

// once runs the process from start to end.
func (c *child) once() error {
	log, err := os.OpenFile(c.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log of %s: %w", c.name, err)
	}
	defer log.Close() // nothing of ours is buffered
	cmd := c.command()
	cmd.Stdout, cmd.Stderr = log, log
	if c.podLog != "" {
		pod, err := os.OpenFile(c.podLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return fmt.Errorf("opening the log of %s as a pod: %w", c.name, err)
		}
		defer pod.Close() // nothing of ours is buffered
		both := io.MultiWriter(log, &podLog{to: pod, now: time.Now})
		cmd.Stdout, cmd.Stderr = both, both
	}
	// Ctrl-C in a terminal goes to the whole foreground group; the parts must
	// not hear it, or they end in an order in which the API server hangs.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	hold, handedOver, err := lifeline.Attach(cmd)
	if err != nil {
		return err
	}
	defer hold.Close() // closing is its only use
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting %s: %w", c.name, err), handedOver.Close())
	}
	if err := handedOver.Close(); err != nil {
		return fmt.Errorf("handing the lifeline to %s: %w", c.name, err)
	}
	c.started(cmd.Process)
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%s ended: %w", c.name, err)
	}
	return fmt.Errorf("%s ended: exit status 0", c.name)
}

func (c *child) started(p *os.Process) {
	c.mu.Lock()
	c.process, c.status = p, Running
	restarts := c.restarts
	c.mu.Unlock()
	kind := Started
	if restarts > 0 {
		kind = Restarted
	}
	c.report(Event{Part: c.name, Kind: kind, Detail: fmt.Sprintf("process %d", p.Pid)})
	select {
	case <-c.stopping: // stop came before there was a process to signal
		_ = p.Signal(syscall.SIGTERM)
	default:
	}
}

// ended notes that the process is gone and says whether it is gone for good.
func (c *child) ended(err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.process, c.status = nil, Dead
	select {
	case <-c.stopping:
		c.status = Stopped
		return true
	default:
	}
	if c.trial {
		c.err = fmt.Errorf("%w: %w", errEarly, err)
	}
	return c.trial
}

func (c *child) set(s Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.status = s
}

// settle ends the trial: from now on a death means a restart.
func (c *child) settle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trial = false
}

// stop ends the process, politely first, and waits until it is gone.
func (c *child) stop() {
	c.stopOnce.Do(func() { close(c.stopping) })
	c.signal(syscall.SIGTERM)
	select {
	case <-c.done:
		return
	case <-time.After(patience):
	}
	c.report(Event{Part: c.name, Kind: Killed, Detail: fmt.Sprintf("it did not end within %s", patience)})
	c.signal(syscall.SIGKILL)
	<-c.done
}

func (c *child) signal(s syscall.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.process != nil {
		_ = c.process.Signal(s) // an error means that it ended in this moment
	}
}

// state is what others may know.
func (c *child) state() PartState {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := PartState{Name: c.name, Status: c.status, Restarts: c.restarts, Log: c.logPath}
	if c.process != nil {
		s.PID = c.process.Pid
	}
	return s
}

// await asks healthy until it says nil, the child is gone for good, or ctx ends.
func (c *child) await(ctx context.Context, healthy func(context.Context) error) error {
	for {
		err := healthy(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf(
				"waiting for %s: %w; last answer: %w; its log is %s",
				c.name,
				context.Cause(ctx),
				err,
				c.logPath,
			)
		case <-c.done:
			c.mu.Lock()
			defer c.mu.Unlock()
			return fmt.Errorf("starting %s: %w%s", c.name, c.err, lastLines(c.logPath))
		case <-time.After(20 * time.Millisecond):
		}
	}
}
