package dovetail_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// endings are the calls that cannot be taken back, and the files that may make them. Whoever needs one more goes
// through these: they ask the API server itself first, where a cache may be behind.
var endings = []struct {
	what  string
	call  *regexp.Regexp
	files []string
}{
	{"ends a machine", regexp.MustCompile(`\.Terminate\(ctx,`), []string{
		"internal/controller/terminate/end.go",     // of a drained node
		"internal/controller/lifecycle/launch.go",  // that was bought a moment ago for a claim which is gone
		"internal/controller/collect/collector.go", // that no claim is known of, by an uncached list
		"internal/daemon/metered.go",               // counts calls
	}},
	{"deletes a NodeClaim", regexp.MustCompile(`\.Delete\(ctx, claim, client\.`), []string{
		"internal/apply/retire.go",              // with a last look, for every reason that is a choice
		"internal/controller/terminate/node.go", // whose Node a user deletes
	}},
	{"deletes a pod by its own time", regexp.MustCompile(`GracePeriodSeconds:`), []string{
		"internal/controller/terminate/evict.go", // before a deadline
		"internal/controller/terminate/end.go",   // whose machine is gone
	}},
}

// What cannot be taken back is done in few places.
func TestEndingsAreInOnePlace(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	err := walk(func(file string) error {
		if !strings.HasPrefix(file, "internal/") || !strings.HasSuffix(file, ".go") ||
			strings.HasSuffix(file, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, e := range endings {
			if !e.call.Match(text) {
				continue
			}
			found[e.what] = true
			if !slices.Contains(e.files, file) {
				t.Errorf("%s %s, which is for %v", file, e.what, e.files)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range endings {
		if !found[e.what] {
			t.Errorf("nothing %s any more: the guard looks for the wrong words", e.what)
		}
	}
}
