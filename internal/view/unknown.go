package view

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// mostNamed is how many names an error lists.
const mostNamed = 10

// Unknown is the error for a name that nothing has. It names those that are written much like it, or else what there
// is, in the order of known.
func Unknown(kind, name string, known []string) error {
	if len(known) == 0 {
		return fmt.Errorf("there is no %s %s: there is none at all", kind, Clean(name))
	}
	if near := Alike(name, known); len(near) > 0 {
		return Meant(kind, name, near)
	}
	return fmt.Errorf("there is no %s %s; there are %s", kind, Clean(name), Few(known))
}

// Meant is the error for a name that nothing has where others may have been meant.
func Meant(kind, name string, near []string) error {
	return fmt.Errorf("there is no %s %s; did you mean %s?", kind, Clean(name), either(near))
}

// Alike are the names that somebody may have meant: those that begin with what was written or fit it as a pattern, and
// those that differ by a letter in three or less. The nearest come first.
func Alike(name string, known []string) []string {
	type near struct {
		name string
		far  int
	}
	var all []near
	lower := strings.ToLower(name)
	for _, k := range known {
		far := edits(lower, strings.ToLower(k))
		fits, _ := path.Match(lower, strings.ToLower(k)) // what is no pattern fits nothing
		switch {
		case fits, name != "" && strings.HasPrefix(strings.ToLower(k), lower+"-"):
			far = 0
		case far > len(name)/3:
			continue
		}
		all = append(all, near{k, far})
	}
	slices.SortFunc(all, func(a, b near) int { return cmp.Or(cmp.Compare(a.far, b.far), cmp.Compare(a.name, b.name)) })
	out := make([]string, 0, len(all))
	for _, n := range all {
		out = append(out, n.name)
	}
	return slices.Compact(out)
}

// edits is how many letters differ between two names: put in, left out, taken for another or swapped with the next. It
// is as long as the longer one where the lengths tell enough.
func edits(a, b string) int {
	longest := max(len(a), len(b))
	if difference := len(a) - len(b); max(difference, -difference) > longest/3 || longest > 300 {
		return longest
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		now := make([]int, len(b)+1)
		now[0] = i + 1
		for j := range len(b) {
			other := 1
			if a[i] == b[j] {
				other = 0
			}
			now[j+1] = min(last[j+1]+1, now[j]+1, last[j]+other)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}

// either offers names.
func either(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return "one of " + Few(names)
}

// Few lists names, or the first ones and how many there are.
func Few(names []string) string {
	if len(names) <= mostNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNamed], ", "), len(names)-mostNamed)
}
