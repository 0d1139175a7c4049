package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// code is a module's Go source with its string constants.
type code struct {
	fset   *token.FileSet
	files  map[string]*ast.File
	consts map[string]ast.Expr // values of constants and variables, by "package.Name"
	where  map[string]string   // the file of each
}

func newCode() *code {
	return &code{
		fset: token.NewFileSet(), files: map[string]*ast.File{}, consts: map[string]ast.Expr{},
		where: map[string]string{},
	}
}

func (c *code) parse(name string, text []byte) error {
	file, err := parser.ParseFile(c.fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("parsing %s: %w", name, err)
	}
	c.files[name] = file
	if strings.HasSuffix(name, "_test.go") {
		return nil
	}
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST && general.Tok != token.VAR {
			continue
		}
		for _, spec := range general.Specs {
			c.declare(name, spec)
		}
	}
	return nil
}

// declare notes the values of constants and variables.
func (c *code) declare(file string, spec ast.Spec) {
	value, ok := spec.(*ast.ValueSpec)
	if !ok {
		return
	}
	for i, ident := range value.Names {
		if i < len(value.Values) {
			full := path.Base(path.Dir(file)) + "." + ident.Name
			c.consts[full], c.where[full] = value.Values[i], file
		}
	}
}

// text works out a string: a literal, a constant, or a composition of them. Empty if it is none.
func (c *code) text(pkg string, e ast.Expr) string { return c.resolve(pkg, e, 0) }

const maxDepth = 8 // of constants that name each other

func (c *code) resolve(pkg string, e ast.Expr, depth int) string {
	if depth > maxDepth {
		return ""
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			s, _ := strconv.Unquote(e.Value) // the parser has read it
			return s
		}
		return e.Value
	case *ast.BinaryExpr:
		left, right := c.resolve(pkg, e.X, depth+1), c.resolve(pkg, e.Y, depth+1)
		if e.Op != token.ADD || left == "" {
			return ""
		}
		return left + right
	case *ast.ParenExpr:
		return c.resolve(pkg, e.X, depth)
	case *ast.Ident:
		if value, ok := c.consts[pkg+"."+e.Name]; ok {
			return c.resolve(pkg, value, depth+1)
		}
	case *ast.SelectorExpr:
		return c.resolveSelector(e, depth)
	case *ast.CallExpr: // a conversion, or a formatting
		return c.resolveCall(pkg, e, depth)
	case *ast.CompositeLit: // a label with its name inside
		if name := field(e, "Name"); name != nil {
			return c.resolve(pkg, name, depth+1)
		}
	}
	return ""
}

func (c *code) resolveSelector(e *ast.SelectorExpr, depth int) string {
	of, ok := e.X.(*ast.Ident)
	if !ok {
		return ""
	}
	for _, pkg := range packagesCalled(of.Name) {
		name := pkg + "." + e.Sel.Name
		if value, ok := c.consts[name]; ok {
			return c.resolve(pkg, value, depth+1)
		}
	}
	return foreign(of.Name, e.Sel.Name)
}

// foreign stands for a constant of another module, whose source is not read: a label of a metric is called as its
// constant is.
func foreign(pkg, name string) string {
	switch {
	case pkg == "metrics" && name == "Namespace":
		return "karpenter"
	case pkg == "metrics":
		return snake(strings.TrimSuffix(name, "Label"))
	}
	return pkg + "." + name
}

var hump = regexp.MustCompile(`([a-z])([A-Z])`)

func snake(name string) string { return strings.ToLower(hump.ReplaceAllString(name, "${1}_${2}")) }

// packagesCalled are the folders that an import's name may stand for: karpv1 is v1.
func packagesCalled(name string) []string {
	out := []string{name}
	if v := versionSuffix.FindString(name); v != "" && v != name {
		out = append(out, v)
	}
	return out
}

var versionSuffix = regexp.MustCompile(`v\d+((alpha|beta)\d+)?$`)

func (c *code) resolveCall(pkg string, e *ast.CallExpr, depth int) string {
	if len(e.Args) == 0 {
		return ""
	}
	text := c.resolve(pkg, e.Args[0], depth+1)
	if name := called(e); name == "Sprintf" || name == "Errorf" {
		return text
	}
	if len(e.Args) == 1 {
		return text
	}
	return ""
}

// called is the last part of what a call calls.
func called(e *ast.CallExpr) string {
	switch f := e.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// field is a field's value in a composite literal; nil if it is not there.
func field(of *ast.CompositeLit, name string) ast.Expr {
	for _, element := range of.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); ok {
			if key, ok := pair.Key.(*ast.Ident); ok && key.Name == name {
				return pair.Value
			}
		}
	}
	return nil
}

// source is how an expression is written.
func (c *code) source(e ast.Expr) string {
	var out strings.Builder
	if err := printer.Fprint(&out, c.fset, e); err != nil {
		return err.Error()
	}
	return out.String()
}

// collect goes through all files.
func (c *code) collect(out Facts) {
	for name, file := range c.files {
		pkg := path.Base(path.Dir(name))
		switch {
		case strings.HasPrefix(
			name, "test/suites/",
		) || strings.HasSuffix(name, "_test.go") && strings.HasPrefix(name, "pkg/apis/"):
			c.collectSpecs(out, name, file)
		case strings.HasSuffix(name, "_test.go"), strings.HasPrefix(name, "test/"), strings.Contains(name, "/fake/"):
		default:
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.CallExpr:
					c.collectCall(out, pkg, n)
				case *ast.CompositeLit:
					c.collectLiteral(out, pkg, n)
				case *ast.TypeSpec:
					collectGateFields(out, n)
				}
				return true
			})
		}
	}
	c.collectConstants(out)
}

var flagCall = regexp.MustCompile(`^(String|Bool|Int|Int64|Float64|Duration|StringSlice)Var(WithEnv)?$`)

func (c *code) collectCall(out Facts, pkg string, e *ast.CallExpr) {
	name := called(e)
	switch {
	case flagCall.MatchString(name) && len(e.Args) >= 4:
		c.collectFlag(out, pkg, e)
	case strings.HasPrefix(name, "NewPrometheus") || strings.HasSuffix(name, "Vec"):
		c.collectMetric(out, pkg, e)
	case strings.HasPrefix(name, "SetFalse") || strings.HasPrefix(
		name, "SetTrueWithReason",
	) || strings.HasPrefix(name, "SetUnknownWithReason"):
		c.collectReason(out, pkg, e)
	}
}

// collectFlag reads fs.XVar(&target, name, env.WithDefaultX(VARIABLE, value), usage) and
// fs.XVarWithEnv(&target, name, VARIABLE, value, usage).
func (c *code) collectFlag(out Facts, pkg string, e *ast.CallExpr) {
	name := c.text(pkg, e.Args[1])
	if name == "" {
		return
	}
	value, variable := e.Args[2], ""
	if strings.HasSuffix(called(e), "WithEnv") {
		variable, value = c.text(pkg, e.Args[2]), e.Args[3]
	} else if inner, ok := value.(*ast.CallExpr); ok && strings.HasPrefix(
		called(inner), "WithDefault",
	) && len(inner.Args) == 2 {
		variable, value = c.text(pkg, inner.Args[0]), inner.Args[1]
	}
	text := c.text(pkg, value)
	if text == "" {
		text = c.source(value)
	}
	out.add(Flag, "--"+name, text)
	if variable != "" {
		out.add(Variable, variable, text)
	}
}

// collectGateFields reads a struct whose name says that it holds feature gates.
func collectGateFields(out Facts, spec *ast.TypeSpec) {
	fields, ok := spec.Type.(*ast.StructType)
	if !ok || !strings.HasSuffix(spec.Name.Name, "FeatureGates") {
		return
	}
	for _, f := range fields.Fields.List {
		for _, name := range f.Names {
			if name.IsExported() {
				out.add(Gate, name.Name, "")
			}
		}
	}
}

// collectMetric reads a metric's name and labels.
func (c *code) collectMetric(out Facts, pkg string, e *ast.CallExpr) {
	for i, arg := range e.Args {
		options, ok := arg.(*ast.CompositeLit)
		if !ok || field(options, "Name") == nil || field(options, "Help") == nil {
			continue
		}
		var labels []string
		if i+1 < len(e.Args) {
			labels = c.texts(pkg, e.Args[i+1])
		}
		slices.Sort(labels)
		out.add(Metric, c.metricName(pkg, options), "{"+strings.Join(labels, ", ")+"}")
	}
}

// metricName is what a metric's options make of namespace, subsystem and name.
func (c *code) metricName(pkg string, options *ast.CompositeLit) string {
	var parts []string
	for _, part := range []string{"Namespace", "Subsystem", "Name"} {
		value := field(options, part)
		if value == nil {
			continue
		}
		if text := c.text(pkg, value); text != "" {
			parts = append(parts, text)
		}
	}
	return strings.Join(parts, "_")
}

// texts are the elements of a list.
func (c *code) texts(pkg string, e ast.Expr) []string {
	list, ok := e.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	var out []string
	for _, element := range list.Elts {
		out = append(out, c.text(pkg, element))
	}
	return out
}

// collectReason reads conditions.SetFalse(condition, reason, message).
func (c *code) collectReason(out Facts, pkg string, e *ast.CallExpr) {
	if len(e.Args) < 2 {
		return
	}
	condition, reason := c.text(pkg, e.Args[0]), c.text(pkg, e.Args[1])
	if condition != "" && reason != "" {
		out.add(Condition, condition+" "+reason, "")
	}
}

// collectLiteral reads events.Event{Reason: …}.
func (c *code) collectLiteral(out Facts, pkg string, e *ast.CompositeLit) {
	reason, message := field(e, "Reason"), field(e, "Message")
	if reason == nil || message == nil || field(e, "InvolvedObject") == nil {
		return
	}
	kind := "Normal"
	if value := field(e, "Type"); value != nil && strings.Contains(c.source(value), "Warning") {
		kind = "Warning"
	}
	if text := c.text(pkg, reason); text != "" {
		out.add(Event, text, kind+" "+c.text(pkg, message))
	}
}

var (
	// keyValue is what constants that name labels, annotations and taints look like.
	keyValue = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+/[A-Za-z0-9._-]+$`)
	// conditionName is how constants are called that name conditions and their reasons.
	conditionName = regexp.MustCompile(`^ConditionType|ConditionReason|^[A-Z]\w*Reason[A-Z]`)
)

func (c *code) collectConstants(out Facts) {
	for full, value := range c.consts {
		pkg, name, _ := strings.Cut(full, ".")
		text := c.text(pkg, value)
		switch {
		case strings.HasSuffix(c.where[full], "_test.go") || text == "":
		case conditionName.MatchString(name):
			out.add(Condition, text, "")
		case pkg == "events" && c.where[full] == "pkg/events/reason.go" && out[Event][text] == "":
			out.add(Event, text, "")
		case keyValue.MatchString(text) && (strings.Contains(text, "karpenter") || strings.Contains(text, "k8s.aws/")):
			out.add(Label, text, "")
		}
	}
}

// collectSpecs reads the names of Ginkgo's specs, with those of the containers around them.
func (c *code) collectSpecs(out Facts, file string, f *ast.File) {
	pkg := path.Base(path.Dir(file))
	var inside func(n ast.Node, at string)
	inside = func(n ast.Node, at string) {
		ast.Inspect(n, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			name := called(call)
			text := c.text(pkg, call.Args[0])
			switch name {
			case "Describe", "Context", "When", "DescribeTable":
				if name == "DescribeTable" && text != "" {
					out.add(Spec, file+at+": "+text, "")
				}
				for _, arg := range call.Args[1:] {
					inside(arg, at+": "+text)
				}
				return false
			case "It", "Entry":
				if text != "" {
					out.add(Spec, file+at+": "+text, "")
				}
			}
			return true
		})
	}
	inside(f, "")
}
