package chartvalues

import (
	_ "embed"
	"slices"
	"strings"
	"sync"
)

// known.txt is made from the chart's values.yaml by make generate: a value on each line, and a slash behind those whose
// keys are the user's.
//
//go:embed known.txt
var known string

var values = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{"": false, "global": true, "enabled": true}
	for line := range strings.Lines(known) {
		path, open := strings.CutSuffix(strings.TrimSpace(line), "/")
		out[path] = open
	}
	return out
})

// Known reports whether a path is one of the chart's values.
func Known(path string) bool {
	_, ok := values()[path]
	return ok
}

// Open reports whether any key may stand below a value.
func Open(path string) bool { return values()[path] }

// above are the paths above removed values.
var above = sync.OnceValue(func() []string {
	var out []string
	for _, r := range All() {
		for path := r.Path; ; {
			i := strings.LastIndex(path, ".")
			if i < 0 {
				break
			}
			path = path[:i]
			out = append(out, path)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
})

// Above reports whether removed values stand somewhere below a path, such as settings.aws.
func Above(path string) bool {
	_, ok := slices.BinarySearch(above(), path)
	return ok
}
