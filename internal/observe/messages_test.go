package observe_test

import (
	"os"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/internal/observe"
)

// Whoever parses the log reads that page.
func TestLinesThatOthersReadAreOnThePage(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/messages.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range observe.Messages() {
		if !strings.Contains(string(text), "| `"+m+"` |") {
			t.Errorf("docs/messages.md does not list %q", m)
		}
	}
	if listed := strings.Count(string(text), "| INFO |") + strings.Count(string(text), "| ERROR |"); listed != len(
		observe.Messages(),
	) {
		t.Errorf("docs/messages.md lists %d lines, there are %d", listed, len(observe.Messages()))
	}
}

// Events are read in a terminal: they begin with a capital letter, end with a full stop, and say nothing in slang.
func TestEventsAreDescribedInSentences(t *testing.T) {
	t.Parallel()
	for _, r := range observe.Reasons() {
		if !strings.HasSuffix(r.Doc, ".") || strings.ToUpper(r.Doc[:1]) != r.Doc[:1] {
			t.Errorf("%s: %q is no sentence", r.Name, r.Doc)
		}
		for _, word := range []string{"misfortune", "wrong label", "$/h"} {
			if strings.Contains(r.Doc, word) {
				t.Errorf("%s says %q", r.Name, word)
			}
		}
	}
}
