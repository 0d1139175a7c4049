package convert

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dovetail-sh/dovetail/internal/chartvalues"
)

// releases are kinds whose objects say with which values a chart is installed: of Flux, Argo CD, k3s and Cluster API.
var releases = []string{
	"HelmRelease", "Application", "ApplicationSet", "HelmChart", "HelmChartConfig", "HelmChartProxy",
}

// release converts the values of Karpenter's chart that an object holds, as a map, as text or one by one, and reports
// whether any was old. The document is written anew then.
func release(c *conversion, d *document, p *part) bool {
	if !slices.Contains(releases, text(child(d.root, "kind"))) {
		return false
	}
	if err := d.root.Decode(new(map[string]any)); err != nil {
		return false
	}
	root := writtenOut(d.root)
	e := &embedded{to: c, in: d}
	e.walk(root, ofKarpenter(text(child(child(root, "metadata"), "name"))))
	if !e.changed {
		return false
	}
	c.renameNodes(d, root)
	p.text, p.changed = encoded(c, d, root), true
	return true
}

// embedded looks for values in an object.
type embedded struct {
	to      *conversion
	in      *document
	changed bool
}

// walk goes through an object. karpenters says whether what is meant here is Karpenter's chart, by the name of a chart
// or of the object.
func (e *embedded) walk(n *yaml.Node, karpenters bool) {
	if n.Kind == yaml.MappingNode {
		if chart := child(n, "chart"); chart != nil && chart.Kind == yaml.ScalarNode {
			karpenters = ofKarpenter(chart.Value)
		} else if inner := child(child(chart, "spec"), "chart"); inner != nil {
			karpenters = ofKarpenter(text(inner))
		}
	}
	for i, below := range n.Content {
		if karpenters && n.Kind == yaml.MappingNode && i%2 == 1 && e.values(n.Content[i-1].Value, below) {
			continue
		}
		e.walk(below, karpenters)
	}
}

// values converts the value of a field that holds values, and reports whether it is one.
func (e *embedded) values(field string, n *yaml.Node) bool {
	switch {
	case n.Kind == yaml.MappingNode && (field == "values" || field == "valuesObject"):
		e.changed = valuesOf(e.to, e.in, n) || e.changed
	case n.Kind == yaml.SequenceNode && field == "parameters":
		n.Content = slices.DeleteFunc(n.Content, func(item *yaml.Node) bool {
			return e.parameter(child(item, "name"), child(item, "value"))
		})
	case n.Kind == yaml.ScalarNode && strings.HasPrefix(field, "values") && strings.Contains(n.Value, "\n"):
		e.text(n)
	default:
		return false
	}
	return true
}

// profileIn is the instance profile that values give to all machines, wherever they stand; empty if there are none.
func profileIn(n *yaml.Node) string {
	const field = "defaultInstanceProfile"
	if n.Kind == yaml.ScalarNode && strings.Contains(n.Value, field+":") && strings.Contains(n.Value, "\n") {
		inner := &document{text: n.Value}
		if inner.parse() == nil && inner.root != nil {
			return profileIn(inner.root)
		}
	}
	if strings.HasSuffix(text(child(n, "name")), "aws."+field) {
		return text(child(n, "value"))
	}
	if profile := text(child(child(n, "aws"), field)); profile != "" {
		return profile
	}
	for _, below := range n.Content {
		if profile := profileIn(below); profile != "" {
			return profile
		}
	}
	return ""
}

// parameter converts one value that is given by its path, and reports whether it is to go.
func (e *embedded) parameter(name, value *yaml.Node) (remove bool) {
	r, ok := chartvalues.Find(text(name))
	switch {
	case !ok:
	case r.To != "":
		name.Value, e.changed = r.To, true
	case r.AsksNothing(text(value)), r.Dropped, strings.HasSuffix(r.Path, "aws.defaultInstanceProfile"):
		e.to.note(e.in, name, about(e.in.root), "the parameter %s is removed", r.Path)
		e.changed = true
		return true
	default:
		e.to.problems = append(e.to.problems, Problem{
			File: e.in.file, Line: e.in.line(name), Object: about(e.in.root), Text: r.Refusal(),
		})
	}
	return false
}

// text converts values that stand in a text of their own.
func (e *embedded) text(n *yaml.Node) {
	inner := &document{file: e.in.file, first: e.in.line(n) + 1, text: n.Value}
	if err := inner.parse(); err != nil {
		if strings.Contains(n.Value, "aws:") {
			e.to.problems = append(e.to.problems, Problem{
				File:   e.in.file,
				Line:   e.in.line(n),
				Object: about(e.in.root),
				Text:   "the values in here are no YAML as they stand: convert what they come to",
			})
		}
		return
	}
	if inner.root == nil || inner.root.Kind != yaml.MappingNode || inner.root.Decode(new(map[string]any)) != nil {
		return
	}
	root := writtenOut(inner.root)
	if valuesOf(e.to, inner, root) {
		n.Value, e.changed = encoded(e.to, inner, root), true
	}
}
