package observe

import (
	"regexp"
	"runtime/debug"
	"strings"
)

// version is set by the linker in releases: -X github.com/dovetail-sh/dovetail/internal/observe.version=v1.2.3.
var version = ""

// Version is the release, or "unspecified", and the commit that the binary was built from, or "unknown".
func Version() (release, commit string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(version, info)
}

// pseudo is what Go calls a commit without a tag, or one after a tag.
var pseudo = regexp.MustCompile(`[-.]\d{14}-([0-9a-f]{12})`)

// versionOf takes the linker's word first, and then Go's own: what go install was asked for, or the commit.
func versionOf(linked string, info *debug.BuildInfo) (release, commit string) {
	release, commit = linked, "unknown"
	built := info.Main.Version
	if release == "" && built != "(devel)" && strings.HasPrefix(info.Main.Path, "github.com/dovetail-sh/dovetail") {
		release = built
	}
	if release == "" {
		release = "unspecified"
	}
	if m := pseudo.FindStringSubmatch(built); m != nil {
		commit = m[1][:7]
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 7 {
			commit = s.Value[:7]
		}
	}
	return release, commit
}
