package dovetail_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	codeSpan = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	testName = regexp.MustCompile(`\b(?:Test|Benchmark|Fuzz)[A-Z]\w+`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Benchmark|Fuzz)\w+)\(`)
	makes    = regexp.MustCompile("`make ([a-z0-9-]+)")
)

// What documents name is there: files and headings that they link to, tests, make targets.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	documents := map[string]string{}
	var tests []string
	err := walk(func(file string) error {
		markdown := strings.HasSuffix(file, ".md")
		if !markdown && !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if markdown {
			documents[file] = string(text)
		}
		for _, m := range testFunc.FindAllStringSubmatch(string(text), -1) {
			tests = append(tests, m[1])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	makefile, err := os.ReadFile("Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range documents {
		for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllStringFunc(text, withoutLinks), -1) {
			if why := broken(file, m[1], documents); why != "" {
				t.Errorf("%s: the link to %s is broken: %s", file, m[1], why)
			}
		}
		for _, name := range testName.FindAllString(text, -1) {
			if !slices.ContainsFunc(tests, func(known string) bool { return strings.HasPrefix(known, name) }) {
				t.Errorf("%s: there is no test %s", file, name)
			}
		}
		for _, m := range makes.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("%s: there is no target for make %s", file, m[1])
			}
		}
	}
}

// withoutLinks has what is written in monospace, such as a pattern, hold no link; a link whose text is monospace stays
// one.
func withoutLinks(span string) string { return strings.ReplaceAll(span, "](", "] (") }

// broken is why a link leads nowhere; empty for those to the outside.
func broken(from, to string, documents map[string]string) string {
	if strings.Contains(to, "://") {
		return ""
	}
	name, anchor, _ := strings.Cut(to, "#")
	target := from
	if name != "" {
		target = path.Join(path.Dir(from), name)
	}
	if _, err := os.Stat(target); err != nil {
		return err.Error()
	}
	if anchor == "" {
		return ""
	}
	for _, m := range heading.FindAllStringSubmatch(documents[target], -1) {
		if anchorOf(m[1]) == anchor {
			return ""
		}
	}
	return "it has no such heading"
}

// anchorOf is what GitHub calls a heading.
func anchorOf(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		}
	}
	return b.String()
}
