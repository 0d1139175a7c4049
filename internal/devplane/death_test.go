package devplane_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/dovetail-sh/dovetail/internal/devplane"
)

// doomed says to a copy of this test binary that it is the one to be killed.
const doomed = "DEVPLANE_TEST_DOOMED"

// TestDoomed is not a test by itself: it is what TestPlaneEndsWithKilledTest kills.
func TestDoomed(t *testing.T) {
	if os.Getenv(doomed) == "" {
		t.Skip("this is the other half of TestPlaneEndsWithKilledTest")
	}
	fmt.Printf("\nplane %s\n", devplane.Start(t).Dir())
	<-t.Context().Done() // never, unless the killer fails and the test times out
}

// A control plane does not outlive a test process that has no chance to clean up.
func TestPlaneEndsWithKilledTest(t *testing.T) {
	t.Parallel()
	devplane.Binary(t) // so that the copy need not build
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDoomed$", "-test.timeout=2m")
	victim.Env = append(os.Environ(), doomed+"=1", "TMPDIR="+t.TempDir())
	stdout, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	var dir string
	for lines := bufio.NewScanner(stdout); dir == "" && lines.Scan(); {
		dir, _ = strings.CutPrefix(lines.Text(), "plane ")
		if !strings.HasPrefix(dir, "/") {
			dir = ""
		}
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait() // it was killed
	if dir == "" {
		t.Fatal("the copy of the test started no control plane")
	}
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	// The plane removes its directory as the last thing, when its parts are gone.
	for {
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			return
		}
		select {
		case <-deadline.C:
			t.Fatalf("%s is still there 30s after its test was killed", dir)
		case <-tick.C:
		}
	}
}
