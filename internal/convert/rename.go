package convert

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// place is where a name stands that another one replaces.
type place struct {
	node     *yaml.Node
	old, now string
}

// rename gives names in a document today's form, and leaves everything else as it is written.
func (c *conversion) rename(d *document) string {
	places := c.places(d, d.root, "")
	if len(places) == 0 {
		return d.text
	}
	lines := strings.SplitAfter(d.text, "\n")
	// From the last to the first, so that columns stay true.
	slices.SortFunc(places, func(a, b place) int {
		if a.node.Line != b.node.Line {
			return b.node.Line - a.node.Line
		}
		return b.node.Column - a.node.Column
	})
	for _, p := range places {
		line := []rune(lines[p.node.Line-1])
		column := min(p.node.Column-1, len(line))
		lines[p.node.Line-1] = string(line[:column]) + strings.Replace(string(line[column:]), p.old, p.now, 1)
	}
	return strings.Join(lines, "")
}

// renameNodes does the same to nodes, of an item that is written anew.
func (c *conversion) renameNodes(d *document, n *yaml.Node) {
	for _, p := range c.places(d, n, "") {
		p.node.Value = p.now
	}
}

// places are the keys of maps, and the values of fields that name labels and taints, which have other names now.
func (c *conversion) places(d *document, n *yaml.Node, field string) []place {
	var out []place
	at := func(n *yaml.Node) {
		if now, ok := nameNow(n.Value); !ok {
			c.problems = append(
				c.problems,
				Problem{
					File:   d.file,
					Line:   d.line(n),
					Object: about(d.root),
					Field:  field,
					Text:   gone[n.Value] + "; remove it",
				},
			)
		} else if now != n.Value {
			out = append(out, place{n, n.Value, now})
		}
	}
	switch {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			out = append(out, c.places(d, item, field)...)
		}
	case n.Kind == yaml.MappingNode:
		c.twice(d, n)
		for i := 0; i+1 < len(n.Content); i += 2 {
			at(n.Content[i])
			out = append(out, c.places(d, n.Content[i+1], n.Content[i].Value)...)
		}
	case n.Kind == yaml.ScalarNode && (field == "key" || field == "topologyKey"):
		at(n)
	}
	return out
}

// twice refuses maps in which two keys come to the same.
func (c *conversion) twice(d *document, n *yaml.Node) {
	seen := map[string]string{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		now, _ := nameNow(key.Value)
		if before, ok := seen[now]; ok && (now != key.Value || now != before) {
			c.problems = append(
				c.problems,
				Problem{
					File:   d.file,
					Line:   d.line(key),
					Object: about(d.root),
					Text:   before + " and " + key.Value + " both mean " + now + " now; keep one",
				},
			)
		}
		seen[now] = key.Value
	}
	if text(child(n, "key")) == "karpenter.sh/disruption" && text(child(n, "value")) != "" {
		c.problems = append(c.problems, Problem{
			File:   d.file,
			Line:   d.line(n),
			Object: about(d.root),
			Text: "the taint karpenter.sh/disruption is called karpenter.sh/disrupted now and has no value: write " +
				"operator: Exists, and leave out the value",
		})
	}
}

// Old reports whether a text may hold something that Files changes. It is quick, and may be wrong in that direction
// alone.
func Old(text string) bool {
	for _, mark := range []string{"karpenter.sh/v1alpha5", "karpenter.sh/v1beta1", "karpenter.k8s.aws/v1alpha1",
		"karpenter.k8s.aws/v1beta1", "AWSNodeTemplate"} {
		if strings.Contains(text, mark) {
			return true
		}
	}
	return slices.ContainsFunc(slices.Collect(maps.Keys(renamed)), func(name string) bool {
		i := strings.Index(text, name)
		return i >= 0 && !strings.HasPrefix(text[i:], "karpenter.sh/disruption-")
	})
}
