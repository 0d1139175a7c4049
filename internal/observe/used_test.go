package observe

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/dovetail-sh/dovetail/"

// uses is what a package's files, tests apart, take from others and from values.
type uses struct {
	named  map[string]bool // "import path.Name", its own names too unless they are only declared
	fields map[string]bool // "Field" and "Field.Field", as they are selected, from variables that hold a field too
}

// A name that nothing uses tells operators of an event, a metric or a condition that never comes.
func TestEveryNameIsUsed(t *testing.T) {
	t.Parallel()
	used, declared := survey(t, "api", "internal", "provider", "cmd")
	everywhere := func(name string) bool {
		for _, u := range used {
			if u.named[name] {
				return true
			}
		}
		return false
	}
	for name, file := range declared {
		base := name[strings.LastIndex(name, ".")+1:]
		condition := strings.HasPrefix(name, module+"api/") &&
			(strings.HasPrefix(base, "Condition") || strings.HasPrefix(base, "Reason"))
		row := file == "internal/observe/reason.go" && ast.IsExported(base) || file == "internal/observe/logkey.go"
		if (condition || row) && !everywhere(name) {
			t.Errorf("%s: nothing uses %s; set it or remove it", file, base)
		}
	}
	groups := []reflect.Type{reflect.TypeFor[StatusSeries]()}
	for i := range reflect.TypeFor[Metrics]().NumField() {
		if f := reflect.TypeFor[Metrics]().Field(i); f.IsExported() {
			groups = append(groups, f.Type)
		}
	}
	for _, group := range groups {
		for i := range group.NumField() {
			if field := group.Field(i).Name; !sets(used, group.Name(), field) {
				t.Errorf("nothing sets the metric %s.%s; set it or remove it", group.Name(), field)
			}
		}
	}
}

// sets reports whether some package has a group of metrics and selects a field of it.
func sets(used map[string]uses, group, field string) bool {
	for _, u := range used {
		own := strings.TrimSuffix(group, "Metrics") // the field of Metrics has this name, or its plural
		if u.fields[own+"s."+field] || u.fields[own+"."+field] ||
			u.named[module+"internal/observe."+group] && u.fields[field] {
			return true
		}
	}
	return false
}

// survey reads all packages below some folders: what each uses, and in which file each package-level name is declared.
func survey(t *testing.T, folders ...string) (used map[string]uses, declared map[string]string) {
	t.Helper()
	used, declared = map[string]uses{}, map[string]string{}
	root := filepath.Join("..", "..")
	for _, folder := range folders {
		err := filepath.WalkDir(filepath.Join(root, folder), func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			short, err := filepath.Rel(root, name)
			if err != nil {
				return err
			}
			short = filepath.ToSlash(short)
			own := module + path.Dir(short)
			u, known := used[own]
			if !known {
				u = uses{named: map[string]bool{}, fields: map[string]bool{}}
				used[own] = u
			}
			u.read(file, own)
			for _, id := range names(file) {
				declared[own+"."+id.Name] = short
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return used, declared
}

// names are what a file declares as variables and constants of its package.
func names(file *ast.File) (out []*ast.Ident) {
	for _, decl := range file.Decls {
		if g, ok := decl.(*ast.GenDecl); ok {
			for _, spec := range g.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					out = append(out, v.Names...)
				}
			}
		}
	}
	return out
}

func (u uses) read(file *ast.File, own string) {
	imports := map[string]string{}
	for _, i := range file.Imports {
		from, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue
		}
		name := path.Base(from)
		if i.Name != nil {
			name = i.Name.Name
		}
		imports[name] = from
	}
	declares := names(file)
	holds := map[string]string{} // by variable: the field that it was set to last
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			if !slices.Contains(declares, n) {
				u.named[own+"."+n.Name] = true
			}
		case *ast.AssignStmt:
			if to, ok := n.Lhs[0].(*ast.Ident); ok {
				if from, ok := n.Rhs[0].(*ast.SelectorExpr); ok {
					holds[to.Name] = from.Sel.Name
				}
			}
		case *ast.SelectorExpr:
			u.fields[n.Sel.Name] = true
			switch x := n.X.(type) {
			case *ast.Ident:
				u.fields[holds[x.Name]+"."+n.Sel.Name] = true
				u.named[imports[x.Name]+"."+n.Sel.Name] = true
			case *ast.SelectorExpr:
				u.fields[x.Sel.Name+"."+n.Sel.Name] = true
			}
		}
		return true
	})
}
