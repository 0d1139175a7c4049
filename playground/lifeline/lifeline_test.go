package lifeline_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/playground/lifeline"
)

// TestMain is also the process at the other end: with a lifeline it says when
// that is cut, and ends.
func TestMain(m *testing.M) {
	if os.Getenv(lifeline.Variable) == "" {
		os.Exit(m.Run())
	}
	cut := make(chan struct{})
	if err := lifeline.Watch(func() { close(cut) }); err != nil {
		fmt.Print(err)
		os.Exit(1)
	}
	if inherited := os.Getenv(lifeline.Variable); inherited != "" {
		fmt.Print("a child would believe that the lifeline is its own")
		os.Exit(1)
	}
	<-cut
	fmt.Print("cut")
	os.Exit(0)
}

// A process hears of it when the end that its starter held is closed.
func TestCut(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Stdout = &out
	hold, handedOver, err := lifeline.Attach(cmd)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := handedOver.Close(); err != nil {
		t.Fatal(err)
	}
	if err := hold.Close(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || out.String() != "cut" {
		t.Errorf("the process said %q and ended with %v, want \"cut\" and no error", &out, err)
	}
}

// A variable that names no descriptor is an error that says what was expected.
func TestNonsense(t *testing.T) {
	t.Parallel()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), lifeline.Variable+"=left")
	out, err := cmd.Output()
	if err == nil || !strings.Contains(string(out), `is "left", must be the number of an open file descriptor`) {
		t.Errorf("the process said %q and ended with %v", out, err)
	}
}

// Without a lifeline nothing is watched and nothing is wrong.
func TestNone(t *testing.T) {
	t.Parallel()
	if err := lifeline.Watch(func() { t.Error("a lifeline that does not exist was cut") }); err != nil {
		t.Error(err)
	}
}
