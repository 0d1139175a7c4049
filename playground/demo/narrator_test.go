package demo

import (
	"strings"
	"testing"
	"time"
)

func TestWithoutATerminalThereAreOnlyPlainLines(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	n := NewNarrator(&out, false)
	n.Chapter("one")
	n.Step("two")
	for range 5 {
		n.Waiting(time.Now().Add(-time.Minute), "pods", "none")
	}
	n.Came("three")
	n.Table([]string{"A", "B"}, [][]string{{"long cell", "x"}})
	if strings.ContainsAny(out.String(), "\x1b\r") {
		t.Errorf("control characters in plain output: %q", out.String())
	}
	if got := strings.Count(out.String(), "waiting for pods"); got != 1 {
		t.Errorf("%d progress lines within ten seconds, want 1", got)
	}
}

func TestOnATerminalAProgressLineIsWipedBeforeTheNextLine(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	n := NewNarrator(&out, true)
	n.Waiting(time.Now(), "pods", "none")
	n.Came("there")
	if !strings.Contains(out.String(), clearLine+"  "+green) {
		t.Errorf("the progress line is still there: %q", out.String())
	}
}
