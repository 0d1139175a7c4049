package rights

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write deploy/shadow.yaml anew")

// Who watches reads, and does nothing else.
func TestShadowOnlyReads(t *testing.T) {
	t.Parallel()
	rules, err := Shadow()
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) == 0 {
		t.Error("it may read nothing")
	}
	for _, rule := range rules {
		if why := tooWide(rule); why != "" {
			t.Errorf("a rule is %s: %v", why, rule)
		}
		for _, verb := range rule.Verbs {
			if !slices.Contains([]string{"get", "list", "watch"}, verb) {
				t.Errorf("%v: %s is more than reading", rule, verb)
			}
		}
	}
}

func TestTheManifestOfShadowIsCurrent(t *testing.T) {
	t.Parallel()
	const file = "../../deploy/shadow.yaml"
	want, err := ShadowManifest()
	if err != nil {
		t.Fatal(err)
	}
	if *rewrite {
		if err := os.WriteFile(file, want, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run make generate (-want +got):\n%s", diff)
	}
}
