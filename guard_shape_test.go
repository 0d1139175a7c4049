package dovetail_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// Limits of what one reader can hold in mind. testdata/ratchet.txt has what was beyond them when they came; its figures
// only fall.
const (
	maxMethods    = 25  // of a type; past that it is several types in one namespace
	maxParameters = 6   // of a function; past that callers mix them up
	maxComplexity = 15  // cyclomatic: ways through a function, each of which wants a test
	maxNesting    = 3   // of blocks in a function; past that nobody knows what holds at the innermost line
	maxColumns    = 120 // of a line, a tab counting four; past that it is cut off beside a diff
	untestedLines = 60  // of a package without a test file
)

// Measures of the ratchet.
const (
	methods    = "methods"
	parameters = "parameters"
	complexity = "complexity"
	nesting    = "nesting"
	columns    = "columns"
	untested   = "untested"
	pauses     = "pauses"
)

const ratchetFile = "testdata/ratchet.txt"

var shrink = flag.Bool(
	"shrink",
	false,
	"lower the figures of "+ratchetFile+" to what the code is now; none is added or raised",
)

// excess is what is beyond a limit: measure and place, such as "methods provider/aws.Cloud", and the figure.
type excess map[string]int

func (e excess) note(measure, place string, figure, limit int) {
	if figure > limit {
		e[measure+" "+place] = figure
	}
}

// shape is what the code is like now. Generated code is nobody's to read.
var shape = sync.OnceValues(func() (excess, error) {
	found := excess{}
	methodsOf, lines, tested := map[string]int{}, map[string]int{}, map[string]bool{}
	err := walk(func(file string) error {
		if !strings.HasSuffix(file, ".go") || strings.HasPrefix(path.Base(file), "zz_generated") {
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		dir := path.Dir(file)
		if long := longLines(string(text)); long > 0 {
			found[columns+" "+dir] += long
		}
		if strings.HasSuffix(file, "_test.go") {
			tested[dir] = true
			found.note(pauses, file, pausesIn(parsed), 0)
		} else {
			lines[dir] += strings.Count(string(text), "\n")
		}
		for _, decl := range parsed.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				found.function(dir, f, methodsOf)
			}
		}
		return nil
	})
	for place, n := range methodsOf {
		found.note(methods, place, n, maxMethods)
	}
	for dir, n := range lines {
		if !tested[dir] && n > untestedLines {
			found[untested+" "+dir] = 1
		}
	}
	return found, err
})

func (e excess) function(dir string, f *ast.FuncDecl, methodsOf map[string]int) {
	place := dir + "." + f.Name.Name
	if f.Recv != nil {
		methodsOf[dir+"."+receiver(f)]++
		place = dir + "." + receiver(f) + "." + f.Name.Name
	}
	n := 0
	for _, p := range f.Type.Params.List {
		n += max(1, len(p.Names))
	}
	e.note(parameters, place, n, maxParameters)
	if f.Body != nil {
		e.note(complexity, place, waysThrough(f.Body), maxComplexity)
		e.note(nesting, place, depth(f.Body.List), maxNesting)
	}
}

func longLines(text string) (n int) {
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if utf8.RuneCountInString(line)+3*strings.Count(line, "\t") > maxColumns {
			n++
		}
	}
	return n
}

// waysThrough is the cyclomatic complexity of a function, with those in it: one, and one more for each decision.
func waysThrough(body *ast.BlockStmt) int {
	n := 1
	ast.Inspect(body, func(node ast.Node) bool {
		switch x := node.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			n++
		case *ast.CaseClause:
			if x.List != nil {
				n++
			}
		case *ast.CommClause:
			if x.Comm != nil {
				n++
			}
		case *ast.BinaryExpr:
			if x.Op == token.LAND || x.Op == token.LOR {
				n++
			}
		}
		return true
	})
	return n
}

// depth is how deep the blocks of statements are in each other. A function in a function begins anew.
func depth(list []ast.Stmt) (deepest int) {
	for _, s := range list {
		for _, block := range blocks(s) {
			deepest = max(deepest, 1+depth(block))
		}
	}
	return deepest
}

// blocks are the blocks directly in a statement. Those of an else are as deep as those of its if.
func blocks(s ast.Stmt) (out [][]ast.Stmt) {
	switch x := s.(type) {
	case *ast.LabeledStmt:
		return blocks(x.Stmt)
	case *ast.BlockStmt:
		return [][]ast.Stmt{x.List}
	case *ast.IfStmt:
		out = [][]ast.Stmt{x.Body.List}
		if x.Else != nil {
			out = append(out, blocks(x.Else)...)
		}
		return out
	case *ast.ForStmt:
		return [][]ast.Stmt{x.Body.List}
	case *ast.RangeStmt:
		return [][]ast.Stmt{x.Body.List}
	case *ast.SwitchStmt:
		return cases(x.Body)
	case *ast.TypeSwitchStmt:
		return cases(x.Body)
	case *ast.SelectStmt:
		return cases(x.Body)
	}
	return nil
}

func cases(body *ast.BlockStmt) (out [][]ast.Stmt) {
	for _, clause := range body.List {
		switch c := clause.(type) {
		case *ast.CaseClause:
			out = append(out, c.Body)
		case *ast.CommClause:
			out = append(out, c.Body)
		}
	}
	return out
}

// pausesIn counts waits for the machine's clock. In a file with synctest the clock is that of a bubble and costs
// nothing.
func pausesIn(file *ast.File) (n int) {
	for _, i := range file.Imports {
		if i.Path.Value == `"testing/synctest"` {
			return 0
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if call, ok := node.(*ast.CallExpr); ok && (isCall(call, "time", "After") || isCall(call, "time", "Sleep")) {
			n++
		}
		return true
	})
	return n
}

func isCall(call *ast.CallExpr, pkg, name string) bool {
	s, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == pkg
}

// wayOut says what to do about each measure.
var wayOut = map[string]string{
	methods:    fmt.Sprintf("methods, more than %d: give each idea a type of its own", maxMethods),
	parameters: fmt.Sprintf("parameters, more than %d: those that belong together are a struct", maxParameters),
	complexity: fmt.Sprintf("ways through it, more than %d: give a decision a function and a name", maxComplexity),
	nesting:    fmt.Sprintf("blocks in each other, more than %d: return early, or name the inner part", maxNesting),
	columns:    fmt.Sprintf("lines longer than %d columns, a tab counting four: wrap them", maxColumns),
	untested:   fmt.Sprintf("package of more than %d lines without a test file: give it one", untestedLines),
	pauses:     "waits for the machine's clock: use testing/synctest, a fake clock or something that can be seen",
}

// Nothing passes the limits that did not pass them before, and what did gets better only.
func TestShapeGetsNoWorse(t *testing.T) {
	t.Parallel()
	now, err := shape()
	if err != nil {
		t.Fatal(err)
	}
	allowed, err := readRatchet()
	if err != nil {
		t.Fatal(err)
	}
	if *shrink {
		if err := writeRatchet(now, allowed); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(now)) {
		measure, place, _ := strings.Cut(key, " ")
		if now[key] > allowed[key] {
			t.Errorf("%s has %d %s (%s allows %d)", place, now[key], wayOut[measure], ratchetFile, allowed[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(allowed)) {
		if now[key] < allowed[key] && !*shrink {
			t.Errorf("%q is %d and better than %s says (%d): hold it with go test . -run %s -args -shrink",
				key, now[key], ratchetFile, allowed[key], t.Name())
		}
	}
}

func readRatchet() (excess, error) {
	text, err := os.ReadFile(ratchetFile)
	if err != nil {
		return nil, err
	}
	out := excess{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, figure := line[:strings.LastIndex(line, " ")], line[strings.LastIndex(line, " ")+1:]
		if out[key], err = strconv.Atoi(figure); err != nil {
			return nil, fmt.Errorf("%s: %q: %w", ratchetFile, line, err)
		}
	}
	return out, nil
}

const ratchetHead = `# What is beyond the limits of guard_shape_test.go. Figures fall and lines go; nothing is raised or added:
#   go test . -run TestShapeGetsNoWorse -args -shrink
`

// writeRatchet lowers what may be lowered.
func writeRatchet(now, allowed excess) error {
	var out strings.Builder
	out.WriteString(ratchetHead)
	for _, key := range slices.Sorted(maps.Keys(allowed)) {
		if figure := min(now[key], allowed[key]); figure > 0 {
			fmt.Fprintf(&out, "%s %d\n", key, figure)
		}
	}
	return os.WriteFile(ratchetFile, []byte(out.String()), 0o644)
}

// The measures measure what they say.
func TestMeasures(t *testing.T) {
	t.Parallel()
	const code = `package p
import "time"
func f(a, b int, c string) {
	if a > 0 && b > 0 {
		for {
			switch {
			case a == 1:
				if b == 2 { return }
			default:
			}
		}
	} else if c == "" {
		func() { for { if a > 0 { for {} } } }()
	}
	<-time.After(1)
}`
	file, err := parser.ParseFile(token.NewFileSet(), "p.go", code, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := file.Decls[1].(*ast.FuncDecl)
	if got := waysThrough(f.Body); got != 10 {
		t.Errorf("there are 10 ways through it, not %d", got)
	}
	if got := depth(f.Body.List); got != 4 {
		t.Errorf("blocks are 4 deep, not %d", got)
	}
	if got := pausesIn(file); got != 1 {
		t.Errorf("it waits once, not %d times", got)
	}
	if got := longLines("\t" + strings.Repeat("x", 117) + "\n\t" + strings.Repeat("x", 116) + "\n"); got != 1 {
		t.Errorf("one line is too long, not %d", got)
	}
}
