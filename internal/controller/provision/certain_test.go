package provision_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The rig's machine has four cores. What fills machines is bought while more is coming; what does not waits for the end
// of the batch, and nothing is bought twice.
func TestWhatIsCertainIsBoughtMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		why       string
		pods      int
		cpu       string
		meanwhile int // claims
		all       int // claims in the end
	}{
		"Full":    {"25 machines are full, and the last pod may find company.", 101, "1", 25, 26},
		"Few":     {"What is bound in one go is planned in one go.", 99, "1", 0, 25},
		"NotFull": {"A quarter of each machine is left for others.", 120, "3", 0, 120},
		"Whole":   {"Each pod fills a machine.", 100, "4", 100, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.pool("q", 1)
			for i := range tc.pods {
				r.pod(fmt.Sprintf("web-%03d", i), tc.cpu)
			}
			if r.Meanwhile(t.Context()); len(r.claims()) > 0 {
				t.Errorf("%v are bought at the first look, before it is known what is best", r.claims())
			}
			for range 2 {
				r.Meanwhile(t.Context())
				if got := r.claims()["q"]; got != tc.meanwhile {
					t.Errorf("%s\n%d claims while more is coming, want %d", tc.why, got, tc.meanwhile)
				}
			}
			if _, err := r.Pass(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(map[string]int{"q": tc.all}, r.claims()); diff != "" {
				t.Errorf("in the end: -want +got\n%s", diff)
			}
			for range len(r.events) {
				if event := <-r.events; event[:6] != "Normal" {
					t.Errorf("a pod hears %s", event)
				}
			}
		})
	}
}

// Room that is kept for a CapacityBuffer is planned after all pods, so nothing is certain before.
func TestWithBuffersNothingIsCertain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pool("q", 1)
	r.keep(1)
	for i := range 200 {
		r.pod(fmt.Sprintf("web-%03d", i), "1")
	}
	r.Meanwhile(t.Context())
	if got := r.claims(); len(got) > 0 {
		t.Errorf("claims: %v", got)
	}
}
