// Package dovetail_test guards the shape of the repository: who may import whom,
// what a package must say of itself, and what no file may hold. Each check names its reason.
package dovetail_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/dovetail-sh/dovetail"

// walls lists what a tree of packages must not reach, directly or through our own packages.
// from and to are folders of this module, or import paths of others.
var walls = []struct{ from, to, because string }{
	{"engine", "k8s.io", "the planner is handed a Snapshot; it knows no Kubernetes objects"},
	{"engine", "sigs.k8s.io", "the planner is handed a Snapshot; it knows no Kubernetes objects"},
	{"engine", "internal", "the engine is a library that others can use"},
	{"engine", "provider", "clouds speak the engine's words, not the other way round"},
	{"engine", "api", "translation has one place, internal/translate"},
	{"engine", "context", "a plan is computed, not waited for"},
	{"engine", "log", "reasons are data; printing is the edge's work"},
	{"engine", "math/rand", "the dice are an argument"},
	{"engine/shape", "engine/require", "the vocabulary rests on nothing"},
	{"provider", "internal", "a cloud must build without our daemon"},
	{"provider", "awssim", "the simulator is for tests and the playground"},
	{"catalog", "internal", "data rests on nothing"},
	{"catalog", "provider", "data rests on nothing"},
	{"awssim", "provider", "the simulator must not share the code that it tests"},
	{"awssim", "internal", "the simulator must not share the code that it tests"},
	{"awssim", "engine", "the simulator must not share the code that it tests"},
	{"api", "internal", "types are for everyone"},
	{"api", "engine", "types are for everyone"},
	{"api", "provider", "types are for everyone"},
	{"api", "sigs.k8s.io/controller-runtime", "types need apimachinery only"},
	{"api", "k8s.io/client-go", "types need apimachinery only"},
	{
		"internal/translate",
		"sigs.k8s.io/controller-runtime",
		"translation is a function of objects; it never fetches",
	},
	{"internal/mirror/promises", "k8s.io", "a promise is about names; what they mean is the mirror's to say"},
	{"internal/mirror/promises", "api", "a promise is about names; what they mean is the mirror's to say"},
	{"internal/mirror/objects", "internal/mirror/promises", "facts do not depend on what was promised"},
	{"internal/mirror/objects", "internal/mirror/cut", "facts do not depend on what is planned"},
	{"internal/mirror/cut", "internal/mirror/objects", "a Snapshot is cut from what was translated already"},
	{"internal/mirror/cut", "internal/mirror/promises", "a Snapshot is cut from what was translated already"},
	{"internal/view", "net/http", "read models are drawn by terminal and web alike"},
	{"cmd", "testing", "no test helper ships"},
	{"cmd", "awssim/world", "no simulator ships; the client of its admin API does"},
	{"awssim/control", "awssim/wire", "the client of the admin API goes where the simulator does not"},
	{"cmd", "internal/devplane", "no test control plane ships"},
}

// onlyIn names imports that have one home.
var onlyIn = []struct{ path, home, because string }{
	{"github.com/aws/aws-sdk-go-v2", "provider/aws", "everything else speaks to provider.Cloud"},
	{"sigs.k8s.io/karpenter", "bench", "the peer is measured, never used"},
}

// forbiddenNames are folder names that say nothing.
var forbiddenNames = []string{
	"util",
	"utils",
	"common",
	"helper",
	"helpers",
	"types",
	"misc",
	"manager",
	"base",
	"shared",
}

// versionFolder are folders that may repeat: Kubernetes names API versions so.
var versionFolder = regexp.MustCompile(`^(v\d+((alpha|beta)\d+)?|testdata|data)$`)

const (
	maxLines     = 600 // of a source file; past that it is two ideas
	maxTestLines = 700
	maxMainLines = 40
)

type pkg struct {
	dir     string              // slash-separated, relative to the root
	imports map[string][]string // of non-test files: import path to the files that have it
	aliases []string            // "file: alias path"
	comment bool
	hasCode bool // has a non-test file
}

var load = sync.OnceValues(func() (map[string]*pkg, error) {
	out := map[string]*pkg{}
	fset := token.NewFileSet()
	err := walk(func(file string) error {
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, file, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir := path.Dir(file)
		p := out[dir]
		if p == nil {
			p = &pkg{dir: dir, imports: map[string][]string{}}
			out[dir] = p
		}
		note(p, file, f)
		return nil
	})
	return out, err
})

func note(p *pkg, file string, f *ast.File) {
	test := strings.HasSuffix(file, "_test.go")
	if f.Doc != nil && strings.HasPrefix(f.Doc.Text(), "Package ") || f.Name.Name == "main" && f.Doc != nil {
		p.comment = true
	}
	p.hasCode = p.hasCode || !test
	for _, spec := range f.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue
		}
		if !test {
			p.imports[target] = append(p.imports[target], file)
		}
		named := spec.Name != nil && spec.Name.Name != "_"
		if named && strings.HasPrefix(target, module+"/") && !versionFolder.MatchString(path.Base(target)) {
			p.aliases = append(p.aliases, fmt.Sprintf("%s: %s %s", file, spec.Name.Name, target))
		}
	}
}

// walk visits every file that belongs to the repository, as slash-separated relative paths.
func walk(visit func(file string) error) error {
	return filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := filepath.ToSlash(file)
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(path.Base(name), ".") && name != ".ci" || name == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		return visit(name)
	})
}

func under(dir, tree string) bool { return dir == tree || strings.HasPrefix(dir, tree+"/") }

func packages(t *testing.T) map[string]*pkg {
	t.Helper()
	pkgs, err := load()
	if err != nil {
		t.Fatalf("reading the repository: %v", err)
	}
	return pkgs
}

func TestWalls(t *testing.T) {
	t.Parallel()
	pkgs := packages(t)
	for _, wall := range walls {
		for dir := range pkgs {
			if !under(dir, wall.from) {
				continue
			}
			if trail := reach(pkgs, dir, wall.to, map[string]bool{}); trail != nil {
				t.Errorf("%s must not reach %s: %s\n  %s", dir, wall.to, wall.because, strings.Join(trail, "\n  "))
			}
		}
	}
}

// reach finds a chain of imports from dir to target, through our own packages.
func reach(pkgs map[string]*pkg, dir, target string, seen map[string]bool) []string {
	p := pkgs[dir]
	if p == nil || seen[dir] {
		return nil
	}
	seen[dir] = true
	for imported := range p.imports {
		own, isOwn := strings.CutPrefix(imported, module+"/")
		if isOwn && under(own, target) || under(imported, target) {
			return []string{dir, imported}
		}
		if !isOwn {
			continue
		}
		if rest := reach(pkgs, own, target, seen); rest != nil {
			return append([]string{dir}, rest...)
		}
	}
	return nil
}

func TestImportsWithOneHome(t *testing.T) {
	t.Parallel()
	for dir, p := range packages(t) {
		for _, rule := range onlyIn {
			if under(dir, rule.home) {
				continue
			}
			for imported, files := range p.imports {
				if under(imported, rule.path) {
					t.Errorf("%s imports %s, which only %s may: %s", files[0], imported, rule.home, rule.because)
				}
			}
		}
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for dir, p := range packages(t) {
		if p.hasCode && !p.comment {
			t.Errorf("%s has no package comment: say what it owns and what it must never do", dir)
		}
	}
}

func TestFolderNamesAreUniqueAndSaySomething(t *testing.T) {
	t.Parallel()
	first := map[string]string{}
	pkgs := packages(t)
	dirs := make([]string, 0, len(pkgs))
	for dir, p := range pkgs {
		if p.hasCode {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	for _, dir := range dirs {
		name := path.Base(dir)
		if slices.Contains(forbiddenNames, name) {
			t.Errorf("%s: a folder called %q says nothing of what is in it", dir, name)
		}
		if versionFolder.MatchString(name) || dir == "." {
			continue
		}
		if other, taken := first[name]; taken && !mayRepeat(dir, other) {
			t.Errorf("%s and %s have the same name: one name, one place", dir, other)
		}
		first[name] = dir
	}
}

// mayRepeat allows an API group to carry the name of its provider, a generator that of what it makes, and a program's
// folder that of the project.
func mayRepeat(a, b string) bool {
	pairs := [][2]string{{"api/kwok", "provider/kwok"}, {"api/aws", "provider/aws"}, {"catalog", "hack/catalog"}}
	return slices.ContainsFunc(pairs, func(p [2]string) bool { return p == [2]string{a, b} || p == [2]string{b, a} })
}

func TestOwnPackagesKeepTheirNames(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, alias := range p.aliases {
			t.Errorf(
				"%s: only API versions are imported under another name; if you want one, the name is wrong",
				alias,
			)
		}
	}
}

func TestFilesAreOneIdea(t *testing.T) {
	t.Parallel()
	err := walk(func(file string) error {
		if !strings.HasSuffix(file, ".go") || strings.HasPrefix(path.Base(file), "zz_generated") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		limit := maxLines
		switch {
		case strings.HasSuffix(file, "_test.go"):
			limit = maxTestLines
		case path.Base(file) == "main.go" && under(file, "cmd"):
			limit = maxMainLines
		}
		if lines := strings.Count(string(text), "\n"); lines > limit {
			t.Errorf(
				"%s has %d lines, more than %d: name the second idea in it and give it a file",
				file,
				lines,
				limit,
			)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// clockCalls would let the machine's time or dice into the planner.
var clockCalls = regexp.MustCompile(
	`\btime\.(Now|Since|Until|After|Sleep|NewTimer|Tick)\(|\brand\.(Int|Float|Perm|Shuffle|N)\w*\(`,
)

// sleeps make a test slow and still not sure.
var sleeps = regexp.MustCompile(`\btime\.Sleep\(|\bcontext\.(Background|TODO)\(\)`)

func TestTimeIsAnArgument(t *testing.T) {
	t.Parallel()
	err := walk(func(file string) error {
		test := strings.HasSuffix(file, "_test.go")
		if !strings.HasSuffix(file, ".go") || file == "guard_test.go" {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(text), "\n") {
			if !test && under(file, "engine") && clockCalls.MatchString(line) {
				t.Errorf(
					"%s:%d: the planner's clock and dice are in the Snapshot: %s",
					file,
					i+1,
					strings.TrimSpace(line),
				)
			}
			if test && sleeps.MatchString(line) {
				t.Errorf(
					"%s:%d: wait for something that can be seen, with t.Context(): %s",
					file,
					i+1,
					strings.TrimSpace(line),
				)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
