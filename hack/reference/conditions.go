package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// packagesWithConditions are the API packages whose constants name conditions and their reasons.
var packagesWithConditions = []string{
	"api/karpenter/v1", "api/karpenter/v1alpha1", "api/aws/v1", "api/autoscaling/v1beta1", "api/kwok/v1alpha1",
}

// group is one block of constants: the conditions of a kind, or the reasons of a condition.
type group struct {
	title string // the block's comment
	names []constant
}

type constant struct{ value, doc string }

func conditionsPage(root string) (string, error) {
	var b strings.Builder
	b.WriteString(
		"# Conditions\n\n" + made + "\n`Ready` sums up the others, except where a condition says otherwise.\n",
	)
	for _, dir := range packagesWithConditions {
		groups, err := readConditions(filepath.Join(root, filepath.FromSlash(dir)))
		if err != nil {
			return "", fmt.Errorf("reading the conditions of %s: %w", dir, err)
		}
		fmt.Fprintf(&b, "\n## %s\n", groupVersions[dir])
		for _, g := range groups {
			writeGroup(&b, g)
		}
	}
	return b.String(), nil
}

// groupVersions are the headings: what users write as apiVersion.
var groupVersions = map[string]string{
	"api/karpenter/v1":        "karpenter.sh/v1",
	"api/karpenter/v1alpha1":  "karpenter.sh/v1alpha1",
	"api/aws/v1":              "karpenter.k8s.aws/v1",
	"api/autoscaling/v1beta1": "autoscaling.x-k8s.io/v1beta1",
	"api/kwok/v1alpha1":       "karpenter.kwok.sh/v1alpha1",
}

func writeGroup(b *strings.Builder, g group) {
	fmt.Fprintf(b, "\n%s\n\n", sentence(strings.ReplaceAll(g.title, " Condition", " ")))
	for _, c := range g.names {
		if c.doc == "" {
			fmt.Fprintf(b, "- %s\n", code(c.value))
			continue
		}
		fmt.Fprintf(b, "- %s %s\n", code(c.value), cell(c.doc))
	}
}

// readConditions finds the constants called Condition… and Reason… in one package, in the order of its files.
func readConditions(dir string) ([]group, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var out []group
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			if block, ok := decl.(*ast.GenDecl); ok && block.Tok == token.CONST {
				out = append(out, readBlock(block)...)
			}
		}
	}
	return out, nil
}

// readBlock is one declaration of constants. A single constant is a group of its own, told by its own comment.
func readBlock(block *ast.GenDecl) []group {
	g := group{title: block.Doc.Text()}
	for _, spec := range block.Specs {
		value, ok := spec.(*ast.ValueSpec)
		if !ok || len(value.Names) != 1 || len(value.Values) != 1 {
			continue
		}
		name := value.Names[0].Name
		literal, ok := value.Values[0].(*ast.BasicLit)
		if !ok || !strings.HasPrefix(name, "Condition") && !strings.HasPrefix(name, "Reason") {
			continue
		}
		text, err := strconv.Unquote(literal.Value)
		if err != nil {
			continue
		}
		doc := strings.TrimPrefix(value.Doc.Text(), name+" ")
		if !block.Lparen.IsValid() {
			doc, g.title = strings.TrimPrefix(block.Doc.Text(), name+" "), "Of every kind"
		}
		g.names = append(g.names, constant{text, strings.ReplaceAll(doc, " Condition", " ")})
	}
	if len(g.names) == 0 {
		return nil
	}
	return []group{g}
}
