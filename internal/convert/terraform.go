package convert

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/dovetail-sh/dovetail/internal/chartvalues"
)

var (
	heredoc    = regexp.MustCompile(`<<(-?)\s*"?([A-Za-z_]+)"?\s*$`)
	resource   = regexp.MustCompile(`^\s*(resource|module)\s+"`)
	byName     = regexp.MustCompile(`^(\s*(?:\{\s*)?name\s*=\s*")([A-Za-z]+\.[A-Za-z.]+)(".*)$`)
	inHCL      = regexp.MustCompile(`"?apiVersion"?\s*=\s*"(karpenter\.(?:sh|k8s\.aws)/v1(?:alpha\d|beta\d))"`)
	stands     = regexp.MustCompile(`tfx\d{5}x|9001\d{5}9`)
	wantNumber = regexp.MustCompile(
		`(?i)(cpu|memory|seconds\w*|weight|pods|podsPerCore|nodes|size|limit|replicas)"?:\s*"?$`,
	)
)

// terraform splits a file of Terraform's: the YAML in its heredocs is converted, and the rest stays.
func terraform(c *conversion, s Source) ([]*document, error) {
	t := &hcl{to: c, file: s.Name}
	for text := range strings.Lines(string(s.Text)) {
		t.line++
		t.take(text)
	}
	t.flush()
	var out []*document
	for _, d := range t.out {
		if d.hcl.outside {
			out = append(out, d)
			continue
		}
		// What stands in a heredoc may be several documents.
		inner, err := documents(Source{Name: s.Name, Text: []byte(d.text)})
		if err != nil {
			return nil, c.stands.inWords(err, d.first)
		}
		for i, in := range inner {
			in.first, in.hcl, in.follows = in.first+d.first-1, d.hcl, i > 0
			out = append(out, in)
		}
	}
	return out, nil
}

// hcl is a file of Terraform's as far as it is read.
type hcl struct {
	to      *conversion
	file    string
	line    int
	block   string // the text of the resource at hand
	end     string // of the heredoc at hand; empty outside
	text    string // what was gathered
	first   int    // its first line
	changed bool   // in it, outside of heredocs
	out     []*document
}

func (t *hcl) take(text string) {
	if t.end != "" && strings.TrimSpace(text) == t.end {
		t.flush()
		t.end = ""
	}
	if t.end == "" {
		if resource.MatchString(text) {
			t.block = ""
		}
		text = t.outside(text)
	}
	if t.text == "" {
		t.first = t.line
	}
	t.text += text
	t.block += text
	if m := heredoc.FindStringSubmatch(strings.TrimRight(text, "\r\n")); t.end == "" && m != nil {
		t.flush()
		t.end = m[2]
	}
}

// outside converts values that are given one by one, and refuses objects that are written in HCL.
func (t *hcl) outside(text string) string {
	if m := inHCL.FindStringSubmatch(text); m != nil {
		t.problem("an object of %s is written in HCL here: write it as YAML in a heredoc, or convert what "+
			"terraform state show has of it", m[1])
	}
	m := byName.FindStringSubmatch(strings.TrimRight(text, "\r\n"))
	if m == nil || !strings.Contains(t.block, "helm") || !ofKarpenter(t.block[strings.LastIndex(t.block, "/")+1:]) &&
		!strings.Contains(strings.ToLower(t.block), "karpenter") {
		return text
	}
	r, ok := chartvalues.Find(m[2])
	switch {
	case !ok:
		return text
	case r.To == "":
		t.problem("%s", r.Refusal())
		return text
	}
	t.changed = true
	return m[1] + r.To + m[3] + text[len(strings.TrimRight(text, "\r\n")):]
}

func (t *hcl) problem(format string, args ...any) {
	t.to.problems = append(t.to.problems, Problem{File: t.file, Line: t.line, Text: fmt.Sprintf(format, args...)})
}

// flush makes a document of what was gathered.
func (t *hcl) flush() {
	d := &document{file: t.file, first: t.first, text: t.text, hcl: &quoted{outside: true}, changed: t.changed}
	t.changed = false
	if t.end != "" && t.speaksOfKarpenter() {
		d.hcl = &quoted{}
		d.text = d.hcl.plain(t.to, t.text)
	}
	if t.text != "" {
		t.out = append(t.out, d)
	}
	t.text = ""
}

// speaksOfKarpenter reports whether a heredoc holds objects of Karpenter's, or values of its chart.
func (t *hcl) speaksOfKarpenter() bool {
	return strings.Contains(t.text, "karpenter.sh/") || strings.Contains(t.text, "karpenter.k8s.aws/") ||
		strings.Contains(t.block, "helm_release") && strings.Contains(strings.ToLower(t.block), "karpenter")
}

func isTerraform(file string) bool {
	return strings.HasSuffix(file, ".tf") || strings.HasSuffix(file, ".tofu")
}

// inPlace is a part of a file of Terraform's as it is written there.
func (s standIns) inPlace(p *part, written []string) string {
	if p.in.hcl == nil || p.in.hcl.outside {
		return strings.Join(written, "")
	}
	text := s.words(p.in.hcl.back(string(join(written))))
	if p.in.follows {
		text = p.in.hcl.indent + "---\n" + text
	}
	return text
}

// quoted is a part of a file of Terraform's.
type quoted struct {
	outside bool // it is no YAML but what stands around, or no business of ours
	indent  string
}

// plain is the text of a heredoc without its indentation, and with a word or a number in place of each interpolation.
func (q *quoted) plain(c *conversion, raw string) string {
	lines := strings.SplitAfter(raw, "\n")
	first := true
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		if first || len(indent) < len(q.indent) {
			q.indent, first = indent, false
		}
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(c.stands.in(strings.TrimPrefix(line, q.indent)))
	}
	return b.String()
}

// standIns are words that stand for interpolations of Terraform's, and those.
type standIns map[string]string

// in replaces the interpolations of a line.
func (s standIns) in(line string) string {
	out := ""
	for {
		i := strings.Index(line, "${")
		n := -1
		if i >= 0 {
			n = interpolation(line[i:])
		}
		if n < 0 {
			return out + line
		}
		out += line[:i]
		word := fmt.Sprintf("tfx%05dx", len(s))
		if wantNumber.MatchString(out) {
			word = fmt.Sprintf("9001%05d9", len(s))
		}
		s[word] = line[i : i+n]
		out += word
		line = line[i+n:]
	}
}

// interpolation is how long the one is with which a text begins; less than 0 if it does not end in the line.
func interpolation(text string) int {
	depth := 0
	for i, r := range text {
		switch r {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// words puts interpolations back into a text.
func (s standIns) words(text string) string {
	return stands.ReplaceAllStringFunc(text, func(word string) string { return cmp.Or(s[word], word) })
}

// back is a text as it stands in the heredoc.
func (q *quoted) back(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(q.indent)
		}
		b.WriteString(line)
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		b.WriteByte('\n')
	}
	return b.String()
}

// inWords is a problem of a heredoc, as its reader knows the text and where it stands.
func (s standIns) inWords(err error, first int) error {
	var p Problem
	if !errors.As(err, &p) {
		return err
	}
	p.Line, p.Text = p.Line+first-1, s.words(p.Text)
	return p
}
