package convert

import (
	"strings"

	"go.yaml.in/yaml/v3"
	k8syaml "sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/internal/chartvalues"
)

// values converts a document that is no object: values of a Helm chart.
func (c *conversion) values(d *document, p *part) {
	if d.root.Kind != yaml.MappingNode {
		c.problems = append(
			c.problems,
			Problem{
				File: d.file,
				Line: d.line(d.root),
				Text: "this is neither a Kubernetes object nor a file of Helm values",
			},
		)
		return
	}
	var all map[string]any
	if err := d.root.Decode(&all); err != nil {
		c.problems = append(c.problems, Problem{File: d.file, Line: d.line(d.root), Text: err.Error()})
		return
	}
	v := &valueMove{to: c, in: d, all: all}
	v.walk(d.root, "")
	if !v.changed {
		c.passed = append(c.passed, Problem{File: d.file, Line: d.line(d.root), Text: "values of a chart"}.Error())
		return
	}
	text, err := k8syaml.Marshal(prune(all))
	if err != nil {
		c.problems = append(c.problems, Problem{File: d.file, Text: err.Error()})
		return
	}
	p.text, p.changed = string(text), true
}

// valueMove is the conversion of one file of values.
type valueMove struct {
	to      *conversion
	in      *document
	all     map[string]any
	changed bool
}

func (v *valueMove) walk(n *yaml.Node, path string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		if r, ok := chartvalues.Find(at); ok {
			v.move(r, key)
		} else if value.Kind == yaml.MappingNode {
			v.walk(value, at)
		}
	}
}

func (v *valueMove) move(r chartvalues.Removed, at *yaml.Node) {
	value := lookUp(v.all, r.Path)
	d := v.in
	if strings.HasSuffix(r.Path, "aws.defaultInstanceProfile") && value != nil && value != "" {
		v.to.note(
			d,
			at,
			"",
			"%s is removed: it goes into EC2NodeClasses that are made of AWSNodeTemplates of the same run",
			r.Path,
		)
		put(v.all, r.Path, nil)
		v.changed = true
		return
	}
	switch {
	case r.AsksNothing(value):
		v.to.note(d, at, "", "%s asks for nothing that is not so anyway: removed", r.Path)
	case r.To == "":
		v.to.problems = append(v.to.problems, Problem{File: d.file, Line: d.line(at), Text: r.Refusal()})
		return
	case lookUp(v.all, r.To) != nil:
		v.to.problems = append(
			v.to.problems,
			Problem{File: d.file, Line: d.line(at), Text: r.Refusal() + ", which is there, too; keep one"},
		)
		return
	default:
		put(v.all, r.To, value)
	}
	put(v.all, r.Path, nil)
	v.changed = true
}

// lookUp is the value at a path with dots.
func lookUp(all map[string]any, path string) any {
	name, rest, more := strings.Cut(path, ".")
	if !more {
		return all[name]
	}
	below, ok := all[name].(map[string]any)
	if !ok {
		return nil
	}
	return lookUp(below, rest)
}

// put sets the value at a path; nil removes it.
func put(all map[string]any, path string, value any) {
	name, rest, more := strings.Cut(path, ".")
	if !more {
		if value == nil {
			delete(all, name)
			return
		}
		all[name] = value
		return
	}
	below, ok := all[name].(map[string]any)
	if !ok {
		if value == nil {
			return
		}
		below = map[string]any{}
		all[name] = below
	}
	put(below, rest, value)
}

// prune removes maps of the paths of removed values in which nothing is left.
func prune(all map[string]any) map[string]any {
	var walk func(m map[string]any, path string)
	walk = func(m map[string]any, path string) {
		for key, value := range m {
			at := strings.TrimPrefix(path+"."+key, ".")
			below, ok := value.(map[string]any)
			if !ok || !chartvalues.Above(at) {
				continue
			}
			walk(below, at)
			if len(below) == 0 {
				delete(m, key)
			}
		}
	}
	walk(all, "")
	return all
}

// settingsMap refuses the ConfigMap of settings, and says where each went.
func settingsMap(f *fields) {
	data := child(f.node, "data")
	if data == nil {
		return
	}
	for i := 0; i+1 < len(data.Content); i += 2 {
		key := data.Content[i]
		path := "settings." + key.Value
		instead := "set it as settings." + key.Value + " in the chart's values"
		if strings.HasPrefix(key.Value, "featureGates.") {
			path = "settings.featureGates.driftEnabled"
		}
		if r, ok := chartvalues.Find(path); ok {
			instead = r.Instead
			if r.To != "" {
				instead = "set it as " + r.To + " in the chart's values"
			}
		}
		f.problem(key, "data."+key.Value, "the controller no longer reads this ConfigMap; %s", instead)
	}
}
