package convert

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// fields are those of one map of an old object. Each must be taken; finish complains of the rest.
type fields struct {
	to    *conversion
	in    *document
	about string // kind and name of the object
	path  string
	node  *yaml.Node
	taken []string
}

func (f *fields) problem(at *yaml.Node, field, format string, args ...any) {
	if at == nil {
		at = f.node
	}
	f.to.problems = append(
		f.to.problems,
		Problem{
			File:   f.in.file,
			Line:   f.in.line(at),
			Object: f.about,
			Field:  field,
			Text:   fmt.Sprintf(format, args...),
		},
	)
}

func (f *fields) note(format string, args ...any) {
	f.to.note(f.in, f.node, f.about, format, args...)
}

func (f *fields) under(name string) string {
	if f.path == "" {
		return name
	}
	return f.path + "." + name
}

// node of a field, which is taken by that.
func (f *fields) take(name string) *yaml.Node {
	f.taken = append(f.taken, name)
	if n := child(f.node, name); n != nil && n.Tag != "!!null" {
		return n
	}
	return nil
}

// value of a field: what JSON would make of it. nil if it is not there.
func (f *fields) value(name string) any {
	n := f.take(name)
	if n == nil {
		return nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		f.problem(n, f.under(name), "it cannot be read: %v", err)
		return nil
	}
	return v
}

// copies takes fields that have the same name and meaning in a new map.
func (f *fields) copies(to map[string]any, names ...string) {
	for _, name := range names {
		if v := f.value(name); v != nil {
			to[name] = v
		}
	}
}

// string of a field that must be text; a number stands for its digits.
func (f *fields) string(name string) string {
	n := f.take(name)
	if n != nil && n.Kind != yaml.ScalarNode {
		f.problem(n, f.under(name), "it must be text")
		return ""
	}
	return text(n)
}

// below takes a field that is a map of its own, and is nil if it is not there.
func (f *fields) below(name string) *fields {
	n := f.take(name)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		f.problem(n, f.under(name), "it must be a map")
		return nil
	}
	return &fields{to: f.to, in: f.in, about: f.about, path: f.under(name), node: n}
}

// each takes a list of maps.
func (f *fields) each(name string) []*fields {
	n := f.take(name)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		f.problem(n, f.under(name), "it must be a list")
		return nil
	}
	var out []*fields
	for i, item := range n.Content {
		item = resolve(item)
		path := fmt.Sprintf("%s[%d]", f.under(name), i)
		if item.Kind != yaml.MappingNode {
			f.problem(item, path, "it must be a map")
			continue
		}
		out = append(out, &fields{to: f.to, in: f.in, about: f.about, path: path, node: item})
	}
	return out
}

// finish names every field that nobody took, and those that are there twice.
func (f *fields) finish() {
	seen := map[string]bool{}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key := f.node.Content[i]
		if !slices.Contains(f.taken, key.Value) {
			f.problem(key, f.under(key.Value), "no release of Karpenter had this field here; correct or remove it")
		}
		if seen[key.Value] {
			f.problem(key, f.under(key.Value), "it is there twice; keep one")
		}
		seen[key.Value] = true
	}
}

// dropped takes fields that only a server writes.
func (f *fields) dropped(names ...string) {
	for _, name := range names {
		f.take(name)
	}
}
