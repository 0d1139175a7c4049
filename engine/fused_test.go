package engine_test

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Some processors multiply and add in one step, without rounding in between, and Go lets them, across statements and
// inlined calls too. Two controllers could then decide differently about the same cluster. A conversion makes a product
// round: every product of floats in the engine stands in one, but where it is compared or multiplied on at once.
func TestProductsOfFloatsAreRounded(t *testing.T) {
	t.Parallel()
	exports, dirs := exported(t)
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, errors.New("no export data of " + path)
		}
		return os.Open(exports[path])
	})
	for path, dir := range dirs {
		names, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var files []*ast.File
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		conf := types.Config{Importer: imports}
		if _, err := conf.Check(path, fset, files, info); err != nil {
			t.Fatal(err)
		}
		for _, at := range unrounded(files, info) {
			t.Errorf(
				"%s: a product of floats may be fused with what it is added to: write float64(x*y)", fset.Position(at),
			)
		}
	}
}

// exported asks the go command for the export data of all packages that the engine needs, and where its own are.
func exported(t *testing.T) (exports, dirs map[string]string) {
	t.Helper()
	out, err := exec.CommandContext(
		t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}\t{{.Dir}}", "./...",
	).Output()
	if err != nil {
		t.Fatalf("listing the engine's packages: %v", err)
	}
	exports, dirs = map[string]string{}, map[string]string{}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		exports[f[0]] = f[1]
		if strings.HasPrefix(f[0], "github.com/dovetail-sh/dovetail/engine") &&
			!strings.HasSuffix(f[0], "/enginetest") {
			dirs[f[0]] = f[2]
		}
	}
	return exports, dirs
}

// unrounded finds products of floats that nothing rounds before something may be added.
func unrounded(files []*ast.File, info *types.Info) (out []token.Pos) {
	float := func(e ast.Expr) bool {
		b, ok := info.TypeOf(e).Underlying().(*types.Basic)
		return ok && b.Info()&types.IsFloat != 0 && info.Types[e].Value == nil
	}
	rounds := func(parent ast.Node) bool {
		switch p := parent.(type) {
		case *ast.CallExpr:
			return info.Types[p.Fun].IsType()
		case *ast.BinaryExpr:
			return p.Op != token.ADD && p.Op != token.SUB
		}
		return false
	}
	for _, f := range files {
		var above []ast.Node // without parentheses
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				above = above[:len(above)-1]
				return true
			}
			parent := ast.Node(nil)
			for i := len(above) - 1; i >= 0 && parent == nil; i-- {
				if _, brackets := above[i].(*ast.ParenExpr); !brackets {
					parent = above[i]
				}
			}
			above = append(above, n)
			switch n := n.(type) {
			case *ast.BinaryExpr:
				if n.Op == token.MUL && float(n) && !rounds(parent) {
					out = append(out, n.Pos())
				}
			case *ast.AssignStmt:
				if n.Tok == token.MUL_ASSIGN && float(n.Lhs[0]) {
					out = append(out, n.Pos())
				}
			}
			return true
		})
	}
	return out
}

// The check must be able to say no.
func TestTheCheckOfProductsSeesThem(t *testing.T) {
	t.Parallel()
	const source = `package p
func f(x, y, z float64, n int) (float64, bool) {
	a := x*y + z          // 1
	b := float64(x*y) + z
	c := n*n + n
	x *= y                // 2
	d := (x * y)          // 3
	const e = 2.0 * 3.0
	return a + b + float64(c) + d + e - x*(y*z), x*y > z // 4
}`
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "p.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	if _, err := (&types.Config{}).Check("p", fset, []*ast.File{f}, info); err != nil {
		t.Fatal(err)
	}
	var lines []int
	for _, at := range unrounded([]*ast.File{f}, info) {
		lines = append(lines, fset.Position(at).Line)
	}
	if len(lines) != 4 || lines[0] != 3 || lines[1] != 6 || lines[2] != 7 || lines[3] != 9 {
		t.Errorf("products on lines %v, want those on 3, 6, 7 and 9", lines)
	}
}
