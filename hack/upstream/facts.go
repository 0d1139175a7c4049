package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Kind is a sort of thing that a user can see.
type Kind string

// Kinds, in the order in which they are reported.
const (
	Field      Kind = "Field"
	Flag       Kind = "Flag"
	Variable   Kind = "Environment"
	Gate       Kind = "Feature gate"
	Metric     Kind = "Metric"
	Event      Kind = "Event"
	Condition  Kind = "Condition"
	Label      Kind = "Label, annotation or taint"
	ChartValue Kind = "Chart value"
	ChartRight Kind = "Chart right"
	IAM        Kind = "IAM action"
	Spec       Kind = "Spec"
)

var kinds = []Kind{Field, Flag, Variable, Gate, Metric, Event, Condition, Label, ChartValue, ChartRight, IAM, Spec}

// Facts are what a version has, by kind and name. The value says what there is to say of it, such as a default.
type Facts map[Kind]map[string]string

func (f Facts) add(kind Kind, name, value string) {
	if f[kind] == nil {
		f[kind] = map[string]string{}
	}
	if old, there := f[kind][name]; there && old != value {
		if slices.Contains(strings.Split(old, " | "), value) {
			return
		}
		value = old + " | " + value // said in two places
	}
	f[kind][name] = value
}

// Collect reads a module's source.
func Collect(module fs.FS) (Facts, error) {
	out := Facts{}
	code := newCode()
	err := fs.WalkDir(module, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := read(module, name)
		if err != nil || text == nil {
			return err
		}
		collectActions(out, name, text)
		switch {
		case strings.HasSuffix(name, ".go"):
			return code.parse(name, text)
		case path.Dir(name) == "pkg/apis/crds" && path.Ext(name) == ".yaml":
			return collectDefinition(out, text)
		case path.Base(name) == "values.yaml" && isChart(module, name):
			return collectValues(out, name, text)
		case strings.Contains(name, "/templates/") && strings.Contains(path.Base(name), "role"):
			collectRights(out, name, text)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	code.collect(out)
	if len(out[Field]) == 0 || len(out[Label]) == 0 {
		return nil, errors.New("found no kinds or no labels: not a module of Karpenter's, or its folders have moved")
	}
	return out, nil
}

// maxFile is the largest file that is read, in bytes: tables of prices and types are larger.
const maxFile = 1 << 20

// read returns nil for files that say nothing to users.
func read(module fs.FS, name string) ([]byte, error) {
	switch path.Ext(name) {
	case ".go", ".yaml", ".yml", ".tpl", ".tmpl":
	default:
		return nil, nil
	}
	info, err := fs.Stat(module, name)
	if err != nil || info.Size() > maxFile || strings.Contains(name, "zz_generated") {
		return nil, err
	}
	text, err := fs.ReadFile(module, name)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return text, nil
}

var action = regexp.MustCompile(`\b(ec2|iam|ssm|eks|sqs|pricing|sts|arc-zonal-shift|fis|kms|tag):([A-Z][A-Za-z]+)\b`)

// collectActions finds what IAM is asked for, wherever it stands but in tests.
func collectActions(out Facts, name string, text []byte) {
	if strings.HasSuffix(name, "_test.go") {
		return
	}
	for _, found := range action.FindAllSubmatch(text, -1) {
		out.add(IAM, string(found[1])+":"+string(found[2]), "")
	}
}

// Difference is a thing that only one version has, or that is not the same in both.
type Difference struct {
	Kind          Kind
	Name          string
	Before, After string
	Gone, New     bool
}

// Differences lists what differs, by kind and name.
func Differences(before, after Facts) []Difference {
	var out []Difference
	for _, kind := range kinds {
		names := maps.Clone(before[kind])
		if names == nil {
			names = map[string]string{}
		}
		maps.Copy(names, after[kind])
		for name := range names {
			was, had := before[kind][name]
			is, has := after[kind][name]
			if had != has || was != is {
				out = append(out, Difference{kind, name, was, is, !has, !had})
			}
		}
	}
	slices.SortFunc(out, func(a, b Difference) int {
		return cmp.Or(
			cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)), cmp.Compare(a.Name, b.Name),
		)
	})
	return out
}
