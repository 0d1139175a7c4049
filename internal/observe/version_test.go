package observe

import (
	"runtime/debug"
	"testing"
)

func TestABinaryKnowsWhatItIs(t *testing.T) {
	t.Parallel()
	const module = "github.com/dovetail-sh/dovetail"
	vcs := []debug.BuildSetting{{Key: "vcs.revision", Value: "84e77b6c8f1e0000"}}
	for name, tc := range map[string]struct {
		linked          string
		info            debug.BuildInfo
		release, commit string
	}{
		"release":    {"v0.2.0", debug.BuildInfo{Settings: vcs}, "v0.2.0", "84e77b6"},
		"go install": {"", of(module, "v0.2.0"), "v0.2.0", "unknown"},
		"go install a commit": {
			"", of(module, "v0.2.1-0.20261201185743-84e77b6c8f1e"), "v0.2.1-0.20261201185743-84e77b6c8f1e", "84e77b6",
		},
		"checkout": {
			"", of(module+"/playground", "v0.0.0-20261201185743-84e77b6c8f1e+dirty"),
			"v0.0.0-20261201185743-84e77b6c8f1e+dirty", "84e77b6",
		},
		"without git":   {"", of(module, "(devel)"), "unspecified", "unknown"},
		"in another's":  {"", of("example.com/tool", "v9.0.0"), "unspecified", "unknown"},
		"nothing known": {"", debug.BuildInfo{}, "unspecified", "unknown"},
	} {
		release, commit := versionOf(tc.linked, &tc.info)
		if release != tc.release || commit != tc.commit {
			t.Errorf("%s: got %s and %s, want %s and %s", name, release, commit, tc.release, tc.commit)
		}
	}
}

// of is what Go writes into a binary.
func of(path, version string) debug.BuildInfo {
	return debug.BuildInfo{Main: debug.Module{Path: path, Version: version}}
}
