package dovetail_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// named is a link to a folder whose text is a name in monospace: [`mirror.Mirror.Put`](../internal/mirror).
var named = regexp.MustCompile("\\[`([A-Za-z0-9_.]+)`\\]\\(([^)#]+)\\)")

// The tour and the glossary name what is in the code: package, function, method or type.
func TestTheTourNamesWhatIsThere(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"docs/architecture.md", "docs/glossary.md"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		links := named.FindAllStringSubmatch(string(text), -1)
		if len(links) == 0 {
			t.Errorf("%s names nothing in the code", file)
		}
		for _, m := range links {
			dir := path.Join(path.Dir(file), m[2])
			declared, err := declarations(dir)
			if err != nil {
				t.Errorf("%s: %s: %v", file, m[1], err)
				continue
			}
			if !slices.Contains(declared, m[1]) {
				t.Errorf("%s: %s has no %s", file, dir, m[1])
			}
		}
	}
}

// declarations lists the exported names of the package in a folder: "mirror.Mirror", "mirror.Mirror.Put",
// "engine.Plan".
func declarations(dir string) (out []string, err error) {
	files, err := filepath.Glob(path.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range parsed.Decls {
			for _, name := range declaredBy(decl) {
				out = append(out, parsed.Name.Name+"."+name)
			}
		}
	}
	return out, nil
}

func declaredBy(decl ast.Decl) (names []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return []string{d.Name.Name}
		}
		return []string{receiver(d) + "." + d.Name.Name}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok {
				names = append(names, s.Name.Name)
			}
		}
	}
	return names
}

// receiver is the name of the type that a method belongs to.
func receiver(f *ast.FuncDecl) string {
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

// Nobody can follow more than a handful of stops.
func TestTheTourIsShort(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	const most = 8
	stop := regexp.MustCompile(`(?m)^(\d+)\. `)
	for _, title := range []string{"One pending pod", "One move"} {
		_, rest, found := strings.Cut(string(text), "\n## "+title+"\n")
		if !found {
			t.Errorf("there is no section %q", title)
			continue
		}
		section, _, _ := strings.Cut(rest, "\n## ")
		stops := strings.Split(stop.ReplaceAllString(section, "\x00"), "\x00")[1:]
		if len(stops) == 0 || len(stops) > most {
			t.Errorf("%q has %d stops, want 1 to %d", title, len(stops), most)
		}
		for i, s := range stops {
			if !named.MatchString(s) && !strings.HasPrefix(s, "In the same pass") {
				t.Errorf("%q: stop %d names no function", title, i+1)
			}
		}
	}
}

// The picture of the rooms shows imports that are there.
func TestThePictureOfRoomsIsTrue(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	pictures := mermaid.FindAllStringSubmatch(string(text), -1)
	if len(pictures) == 0 {
		t.Fatal("docs/architecture.md has no picture")
	}
	rooms, err := parseFlowchart(pictures[0][1])
	if err != nil {
		t.Fatal(err)
	}
	pkgs := packages(t)
	for _, edge := range rooms.edges {
		from, to := rooms.labels[edge.from], rooms.labels[edge.to]
		if !imports(pkgs, from, to) {
			t.Errorf("the picture has an arrow from %s to %s, and no package imports so", from, to)
		}
		if from != to && imports(pkgs, to, from) && !under(from, to) {
			t.Errorf("the picture has an arrow from %s to %s, and there is an import back", from, to)
		}
	}
}

// imports reports whether a package in one folder imports one in another, directly.
func imports(pkgs map[string]*pkg, from, to string) bool {
	for dir, p := range pkgs {
		if !under(dir, from) {
			continue
		}
		for imported := range p.imports {
			if own, isOwn := strings.CutPrefix(imported, module+"/"); isOwn && under(own, to) {
				return true
			}
		}
	}
	return false
}

var mermaid = regexp.MustCompile("(?s)```mermaid\n(.*?)```")

// Every picture parses: GitHub shows an error in place of one that does not.
func TestPicturesParse(t *testing.T) {
	t.Parallel()
	err := walk(func(file string) error {
		if !strings.HasSuffix(file, ".md") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i, m := range mermaid.FindAllStringSubmatch(string(text), -1) {
			if _, err := parseFlowchart(m[1]); err != nil {
				t.Errorf("%s: picture %d: %v", file, i+1, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type edge struct{ from, to string }

// flowchart is what a picture says: nodes by their short name, and arrows between them.
type flowchart struct {
	labels map[string]string
	edges  []edge
}

// The part of Mermaid's flowcharts that is used here: `flowchart TD`, and arrows between nodes that have a label in
// quotes where they come up first.
var (
	chartHead = regexp.MustCompile(`^flowchart (TD|TB|BT|LR|RL)$`)
	chartEdge = regexp.MustCompile(`^(\S.*?) -->(?:\|([^|]+)\|)? (\S.*)$`)
	chartNode = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9]*)(?:\["([^"]+)"\])?$`)
)

// reserved are words of Mermaid that end a picture in an error where a node is called so.
var reserved = []string{"end", "graph", "subgraph", "class", "click", "style", "default"}

func parseFlowchart(text string) (flowchart, error) {
	chart := flowchart{labels: map[string]string{}}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if !chartHead.MatchString(lines[0]) {
		return chart, fmt.Errorf("it begins with %q, want flowchart and a direction", lines[0])
	}
	for _, line := range lines[1:] {
		line = strings.TrimSpace(line)
		m := chartEdge.FindStringSubmatch(line)
		if m == nil {
			return chart, fmt.Errorf("%q is no arrow", line)
		}
		from, err := chart.node(m[1])
		if err != nil {
			return chart, err
		}
		to, err := chart.node(m[3])
		if err != nil {
			return chart, err
		}
		chart.edges = append(chart.edges, edge{from, to})
	}
	for id, label := range chart.labels {
		if label == "" {
			return chart, fmt.Errorf("node %s has no label", id)
		}
	}
	return chart, nil
}

func (c flowchart) node(text string) (id string, err error) {
	m := chartNode.FindStringSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%q is no node", text)
	}
	if slices.Contains(reserved, strings.ToLower(m[1])) {
		return "", fmt.Errorf("%q is a word of Mermaid", m[1])
	}
	if old := c.labels[m[1]]; old != "" && m[2] != "" && m[2] != old {
		return "", fmt.Errorf("node %s has two labels, %q and %q", m[1], old, m[2])
	}
	if c.labels[m[1]] == "" {
		c.labels[m[1]] = m[2]
	}
	return m[1], nil
}

func TestPicturesThatDoNotParseAreFound(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no head":       "a[\"x\"] --> b[\"y\"]",
		"no label":      "flowchart TD\n a[\"x\"] --> b",
		"no arrow":      "flowchart TD\n a[\"x\"] -> b[\"y\"]",
		"reserved word": "flowchart TD\n a[\"x\"] --> end[\"y\"]",
		"bare brackets": "flowchart TD\n a[x (y)] --> b[\"y\"]",
		"two labels":    "flowchart TD\n a[\"x\"] --> b[\"y\"]\n b[\"z\"] --> a",
	} {
		if _, err := parseFlowchart(text); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
}
