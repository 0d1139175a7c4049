package cli

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/term"
)

// folder is where the binary is built, and is removed at the end.
var folder string

// binary is dovetail, built once for the tests that need a process of their own.
var binary = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(folder, "dovetail")
	out, err := exec.Command("go", "build", "-o", bin, "../../cmd/dovetail").CombinedOutput()
	if err != nil {
		return string(out), err
	}
	return bin, nil
})

func built(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds the binary")
	}
	bin, err := binary()
	if err != nil {
		t.Fatalf("%v\n%s", err, bin)
	}
	return bin
}

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dovetail-cli-")
	if err != nil {
		panic(err)
	}
	folder = dir
	quiet()
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// However the screen ends, the terminal is as it was, and the exit code says how.
func TestTheScreenGivesTheTerminalBack(t *testing.T) {
	t.Parallel()
	bin := built(t)
	for name, c := range map[string]struct {
		keys   string
		signal os.Signal
		code   int
		closed bool // the window goes, and with it the terminal
	}{
		"q":                     {keys: "q"},
		"Ctrl-C":                {keys: "\x03", code: 130},
		"interrupted":           {signal: os.Interrupt, code: 130},
		"terminated":            {signal: syscall.SIGTERM, code: 143},
		"hung up":               {signal: syscall.SIGHUP, code: 129},
		"filtering, terminated": {keys: "/data", signal: syscall.SIGTERM, code: 143},
		"closed":                {closed: true, code: 129},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), bin, "top", "-f", "testdata/fleet.yaml")
			cmd.Env = append(os.Environ(), "TERM=xterm-256color")
			tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 30, Cols: 120})
			if err != nil {
				t.Fatal(err)
			}
			defer tty.Close()
			before, err := term.GetState(int(tty.Fd()))
			if err != nil {
				t.Fatal(err)
			}
			shown := newTranscript(tty)
			shown.until(t, "/month")
			if _, err := io.WriteString(tty, c.keys); err != nil {
				t.Fatal(err)
			}
			if c.keys == "/data" {
				shown.until(t, "data")
			}
			if c.signal != nil {
				if err := cmd.Process.Signal(c.signal); err != nil {
					t.Fatal(err)
				}
			}
			if c.closed {
				tty.Close()
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.code {
				t.Errorf("exit code %d, want %d", code, c.code)
			}
			if c.closed {
				return
			}
			if after, err := term.GetState(int(tty.Fd())); err != nil || *after != *before {
				t.Errorf("the terminal's settings are not what they were: %v", err)
			}
			text := shown.all()
			for on, off := range map[string]string{"\x1b[?1049h": "\x1b[?1049l", "\x1b[?25l": "\x1b[?25h"} {
				if strings.LastIndex(text, on) > strings.LastIndex(text, off) {
					t.Errorf("%q was not taken back", on)
				}
			}
		})
	}
}

// transcript is all that a program writes on a terminal.
type transcript struct {
	mu   sync.Mutex // guards the fields below
	more *sync.Cond
	text strings.Builder
	over bool
}

func newTranscript(r io.Reader) *transcript {
	t := &transcript{}
	t.more = sync.NewCond(&t.mu)
	go func() {
		buffer := make([]byte, 4096)
		for {
			n, err := r.Read(buffer)
			t.mu.Lock()
			t.text.Write(buffer[:n])
			t.over = err != nil
			t.more.Broadcast()
			t.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return t
}

// until waits for words to be written.
func (o *transcript) until(t *testing.T, words string) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for !strings.Contains(o.text.String(), words) {
		if o.over {
			t.Fatalf("no %q in %q", words, o.text.String())
		}
		o.more.Wait()
	}
}

// all is what was written until the end.
func (o *transcript) all() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !o.over {
		o.more.Wait()
	}
	return o.text.String()
}
