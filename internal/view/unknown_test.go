package view

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestAWrongNameGetsTheNearest(t *testing.T) {
	t.Parallel()
	known := []string{"web", "batch", "gpu-spot", "gpu-demand"}
	for name, want := range map[string]string{
		"wbe": "there is no NodePool wbe; did you mean web?", "WEB": "there is no NodePool WEB; did you mean web?",
		"bacth": "there is no NodePool bacth; did you mean batch?",
		"gpu":   "there is no NodePool gpu; did you mean one of gpu-demand, gpu-spot?",
		"gpu-*": "there is no NodePool gpu-*; did you mean one of gpu-demand, gpu-spot?",
		"zebra": "there is no NodePool zebra; there are web, batch, gpu-spot, gpu-demand",
		"":      "there is no NodePool ; there are web, batch, gpu-spot, gpu-demand",
		"[":     "there is no NodePool [; there are web, batch, gpu-spot, gpu-demand",
		"\x1b[": "there is no NodePool [; there are web, batch, gpu-spot, gpu-demand",
	} {
		if got := Unknown("NodePool", name, known).Error(); got != want {
			t.Errorf("%q: %s; want %s", name, got, want)
		}
	}
	if got := Unknown("NodePool", "x", nil).Error(); got != "there is no NodePool x: there is none at all" {
		t.Error(got)
	}
}

// A single slip of the fingers is understood, in names that are long enough to tell.
func TestASlipIsUnderstood(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		name := rapid.StringMatching(`[a-z][a-z0-9-]{3,40}[a-z]`).Draw(rt, "name")
		at := rapid.IntRange(0, len(name)-2).Draw(rt, "at")
		slip := rapid.SampledFrom([]string{
			name[:at] + name[at+1:], name[:at] + "x" + name[at:], name[:at] + "x" + name[at+1:],
			name[:at] + name[at+1:at+2] + name[at:at+1] + name[at+2:],
		}).Draw(rt, "slip")
		known := []string{"0-quite-another-name-that-is-long", name, "1"}
		if near := Alike(slip, known); fmt.Sprint(near) != fmt.Sprint([]string{name}) {
			rt.Errorf("%q: %q, want %q", slip, near, name)
		}
	})
}
