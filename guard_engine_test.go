package dovetail_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// impure are packages of the standard library that reach out of the program, and what they bring with them.
var impure = []string{
	"os",
	"net",
	"syscall",
	"context",
	"log",
	"runtime",
	"math/rand",
	"plugin",
	"unsafe",
	"embed",
	"io/fs",
	"io/ioutil",
}

// ownTests are the packages of the engine for its tests, which may use what tests use.
const ownTests = "engine/enginetest"

// A plan is a function of its Snapshot: whatever else could be read has no way in.
func TestTheEngineIsPure(t *testing.T) {
	t.Parallel()
	for dir, files := range engineSources(t) {
		for file, parsed := range files {
			mustBePure(t, dir, file, parsed)
		}
		for _, name := range changing(files) {
			t.Errorf("%s: the package's variable %s changes: two plans would see each other", dir, name)
		}
	}
}

// engineSources are the files of the planner by folder and name, those apart that are for its tests.
func engineSources(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	sources := map[string]map[string]*ast.File{}
	err := walk(func(file string) error {
		dir := path.Dir(file)
		if !under(dir, "engine") || under(dir, ownTests) || !strings.HasSuffix(file, ".go") ||
			strings.HasSuffix(file, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			return err
		}
		if sources[dir] == nil {
			sources[dir] = map[string]*ast.File{}
		}
		sources[dir][file] = parsed
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return sources
}

// fanoutFolder is where work is spread over processors, which it counts, and its results joined in order.
const fanoutFolder = "engine/fanout"

func mustBePure(t *testing.T, dir, file string, parsed *ast.File) {
	t.Helper()
	for _, i := range parsed.Imports {
		why := impurity(strings.Trim(i.Path.Value, `"`))
		if why != "" && (dir != fanoutFolder || i.Path.Value != `"runtime"`) {
			t.Errorf("%s imports %s, which %s", file, i.Path.Value, why)
		}
	}
	if dir != fanoutFolder && startsGoroutine(parsed) {
		t.Errorf("%s starts a goroutine: %s does, and joins its results in order", file, fanoutFolder)
	}
}

func impurity(imported string) string {
	if under(imported, module+"/engine") {
		return ""
	}
	first, _, _ := strings.Cut(imported, "/")
	if strings.Contains(first, ".") {
		return "is neither the engine's own nor of the standard library"
	}
	if slices.ContainsFunc(impure, func(p string) bool { return under(imported, p) }) {
		return "reaches out of the program, or brings in what differs from run to run"
	}
	return ""
}

func startsGoroutine(file *ast.File) (found bool) {
	ast.Inspect(file, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			found = true
		}
		return !found
	})
	return found
}

// changing lists package variables that are written to after their declaration, or that are made to be (sync.Pool and
// the like).
func changing(files map[string]*ast.File) []string {
	declared := map[string]*ast.ValueSpec{}
	for _, f := range files {
		declare(f, declared)
	}
	written := map[string]bool{}
	for name, spec := range declared {
		if mentions(spec, "sync", "atomic") {
			written[name] = true
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			for _, target := range targets(n) {
				if root := rootOf(target); root != nil && isOf(root, declared[root.Name]) {
					written[root.Name] = true
				}
			}
			return true
		})
	}
	return slices.Sorted(maps.Keys(written))
}

// declare notes the package variables of a file.
func declare(f *ast.File, declared map[string]*ast.ValueSpec) {
	for _, decl := range f.Decls {
		g, ok := decl.(*ast.GenDecl)
		if !ok || g.Tok != token.VAR {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec) // what a declaration with var holds
			for _, name := range v.Names {
				declared[name.Name] = v
			}
		}
	}
}

// isOf reports whether a name means a package variable and not a local one of that name. The parser resolves names
// within a file.
func isOf(name *ast.Ident, spec *ast.ValueSpec) bool {
	return spec != nil && (name.Obj == nil || name.Obj.Decl == spec)
}

// mentions reports whether a declaration's type or value is from one of these packages; values that are computed once
// do not change.
func mentions(s *ast.ValueSpec, pkgs ...string) (found bool) {
	look := func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := sel.X.(*ast.Ident)
		once := strings.HasPrefix(sel.Sel.Name, "OnceValue")
		found = found || ok && slices.Contains(pkgs, x.Name) && !once
		return true
	}
	if s.Type != nil {
		ast.Inspect(s.Type, look)
	}
	for _, v := range s.Values {
		ast.Inspect(v, look)
	}
	return found
}

// targets are what a statement writes to, or hands out to be written to.
func targets(n ast.Node) []ast.Expr {
	switch x := n.(type) {
	case *ast.AssignStmt:
		if x.Tok != token.DEFINE {
			return x.Lhs
		}
	case *ast.IncDecStmt:
		return []ast.Expr{x.X}
	case *ast.UnaryExpr:
		if x.Op == token.AND {
			return []ast.Expr{x.X}
		}
	case *ast.CallExpr:
		if f, ok := x.Fun.(*ast.Ident); ok && (f.Name == "delete" || f.Name == "clear") && len(x.Args) > 0 {
			return x.Args[:1]
		}
	}
	return nil
}

// rootOf is the variable at the left of a path such as a.b[c].
func rootOf(e ast.Expr) *ast.Ident {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			return x
		case *ast.SelectorExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.StarExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}

// Each way to break the wall is seen.
func TestImpurityIsFound(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{
		"var a = 1\nfunc f() { a = 2 }":                        "a",
		"var a []int\nfunc f() { a[0]++ }":                     "a",
		"var a map[int]int\nfunc f() { delete(a, 1) }":         "a",
		"var a sync.Pool":                                      "a",
		"var a struct{ b int }\nfunc f() *int { return &a.b }": "a",
		"var a = 1\nfunc f() { a := 3; a = 4; _ = a }":         "",
		"var a = sync.OnceValue(func() int { return 1 })":      "",
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", "package p\nimport \"sync\"\n"+code, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(changing(map[string]*ast.File{"p.go": file}), " "); got != want {
			t.Errorf("%q: found %q, want %q", code, got, want)
		}
	}
	for _, imported := range []string{"os", "os/exec", "net/http", "math/rand/v2", "github.com/x/y",
		module + "/internal/mirror"} {
		if impurity(imported) == "" {
			t.Errorf("%s is allowed", imported)
		}
	}
	for _, imported := range []string{"slices", "math/bits", module + "/engine/shape"} {
		if why := impurity(imported); why != "" {
			t.Errorf("%s: %s", imported, why)
		}
	}
}
