package observe

import "runtime/debug"

// version is set by the linker in releases: -X github.com/dovetail-sh/dovetail/internal/observe.version=v1.2.3.
var version = ""

// Version is the release, or "unspecified", and the commit that the binary was built from.
func Version() (release, commit string) {
	release, commit = version, "unknown"
	if release == "" {
		release = "unspecified"
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release, commit
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 7 {
			commit = s.Value[:7]
		}
	}
	return release, commit
}
