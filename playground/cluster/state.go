package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Status is where a part is in its life.
type Status string

// The states of a part.
const (
	Starting Status = "starting"
	Running  Status = "running"
	Dead     Status = "dead" // ended by itself; it is started again after a pause
	Stopped  Status = "stopped"
)

// PartState is what is known of one part.
type PartState struct {
	Name     string `json:"name"`
	Status   Status `json:"status"`
	PID      int    `json:"pid,omitempty"`     // zero when there is no process
	Restarts int    `json:"restarts"`          // how often it was started again
	Log      string `json:"log"`               // path
	Address  string `json:"address,omitempty"` // host and port on which it listens, if it does
}

// State is what a cluster writes down, so that other processes can find it.
type State struct {
	Dir        string      `json:"dir"`
	PID        int         `json:"pid"` // of the process that called Start
	Endpoint   string      `json:"endpoint"`
	Kubeconfig string      `json:"kubeconfig"` // path; the administrator's
	Keep       bool        `json:"keep"`
	Ready      bool        `json:"ready"` // true once every part was healthy
	StartedAt  time.Time   `json:"startedAt"`
	ReadyAfter string      `json:"readyAfter,omitempty"` // a Go duration, from Start to ready
	Page       string      `json:"page,omitempty"`       // address of a web page for people
	Parts      []PartState `json:"parts"`
}

// ErrNotUp means that no running cluster was found where one was looked for.
var ErrNotUp = errors.New("no playground is up; start one with `playground up`")

const (
	stateFile = "state.json"
	// lockFile is held locked by the process that runs the cluster: a process
	// number alone can belong to a stranger after a crash.
	lockFile = "lock"
)

// DefaultRoot is the directory in which clusters without a directory of their own live.
func DefaultRoot() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("dovetail-playground-%d", os.Getuid()))
}

// Read returns the state kept in dir and whether its cluster is running.
func Read(dir string) (s State, running bool, err error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, false, fmt.Errorf("looking in %s: %w", dir, ErrNotUp)
	}
	if err != nil {
		return State{}, false, fmt.Errorf("reading the playground's state: %w", err)
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return State{}, false, fmt.Errorf(
			"reading %s: %w; remove the directory and start again",
			filepath.Join(dir, stateFile),
			err,
		)
	}
	return s, locked(dir), nil
}

// Find returns the state of the running cluster in dir or, if dir is empty, of
// the only one under DefaultRoot. It returns ErrNotUp when there is none.
func Find(dir string) (State, error) {
	if dir != "" {
		absolute, err := filepath.Abs(dir)
		if err != nil {
			return State{}, fmt.Errorf("looking for %s: %w", dir, err)
		}
		s, running, err := Read(absolute)
		if err == nil && !running {
			err = fmt.Errorf("looking in %s: %w", dir, ErrNotUp)
		}
		return s, err
	}
	entries, err := os.ReadDir(DefaultRoot())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return State{}, fmt.Errorf("looking for playgrounds: %w", err)
	}
	var found []State
	var dirs []string
	for _, entry := range entries {
		if s, running, err := Read(filepath.Join(DefaultRoot(), entry.Name())); err == nil && running {
			found = append(found, s)
			dirs = append(dirs, s.Dir)
		}
	}
	switch len(found) {
	case 0:
		return State{}, ErrNotUp
	case 1:
		return found[0], nil
	default:
		return State{}, fmt.Errorf("several playgrounds are up; name one with --dir: %s", strings.Join(dirs, ", "))
	}
}

// Down says whether the cluster of s has ended and tidied up after itself.
func (s State) Down() bool {
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return true
	}
	_, running, err := Read(s.Dir)
	return err == nil && !running // a directory without a state is still being removed
}

// write replaces the state in one step, so that no reader sees half of it.
func (s State) write() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the playground's state: %w", err)
	}
	path := filepath.Join(s.Dir, stateFile)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("writing the playground's state: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the playground's state: %w", err)
	}
	return nil
}

// claim makes dir ours: it creates it, or takes over one that an earlier
// cluster left, and locks it until the returned file is closed. It refuses a
// directory that holds anything else, because Stop removes the directory.
func claim(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the playground's directory: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("looking into the playground's directory: %w", err)
	}
	// Whoever starts a cluster in the background has already put its log into logs.
	ours := len(entries) == 0 || len(entries) == 1 && entries[0].Name() == "logs"
	for _, entry := range entries {
		ours = ours || entry.Name() == lockFile
	}
	if !ours {
		return nil, fmt.Errorf("%s holds files that are not a playground's; choose an empty directory", dir)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(
			fmt.Errorf("a playground is already up in %s; stop it with `playground down --dir %s`", dir, dir),
			lock.Close(),
		)
	}
	return lock, nil
}

// locked says whether a process holds dir.
func locked(dir string) bool {
	lock, err := os.Open(filepath.Join(dir, lockFile))
	if err != nil {
		return false
	}
	defer lock.Close() // it was only read; closing also unlocks
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil
}
