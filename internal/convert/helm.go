package convert

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dovetail-sh/dovetail/internal/chartvalues"
)

// chartValues converts a document that is no object: values of a Helm chart, or of one around it.
func chartValues(c *conversion, d *document, p *part) {
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
	if err := d.root.Decode(new(map[string]any)); err != nil {
		c.problems = append(c.problems, Problem{File: d.file, Line: d.line(d.root), Text: err.Error()})
		return
	}
	root := writtenOut(d.root)
	if !valuesOf(c, d, root) {
		c.passed = append(c.passed, Problem{File: d.file, Line: d.line(d.root), Text: "values of a chart"}.Error())
		return
	}
	p.changed = true
	p.text = encoded(c, d, root)
}

// valuesOf converts a map of values in place, or what a chart around Karpenter's gives it by its name.
func valuesOf(c *conversion, d *document, root *yaml.Node) (changed bool) {
	if isKarpenters(d.file, root) {
		changed = move(c, d, root, "")
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, below := root.Content[i], root.Content[i+1]
		if below.Kind == yaml.MappingNode && ofKarpenter(key.Value) && !chartvalues.Known(key.Value) {
			changed = move(c, d, below, key.Value+".") || changed
		}
	}
	return changed
}

// isKarpenters reports whether values are for Karpenter's chart, and not for any other that has resources and replicas.
func isKarpenters(file string, root *yaml.Node) bool {
	if ofKarpenter(filepath.Base(file)) {
		return true
	}
	return slices.ContainsFunc(keysOf(root, ""), func(at keyAt) bool {
		r, removed := chartvalues.Find(at.path)
		return removed && r.To != "" && at.path != "resources" || speaking(at.path, child(root, at.key.Value))
	})
}

// speaking reports whether a map holds what only Karpenter's chart has.
func speaking(path string, n *yaml.Node) bool {
	if n.Kind != yaml.MappingNode || !slices.Contains([]string{"settings", "aws", "controller", "logConfig"}, path) {
		return false
	}
	return slices.ContainsFunc(keysOf(n, path), func(at keyAt) bool {
		_, removed := chartvalues.Find(at.path)
		return removed || chartvalues.Above(at.path) || path == "settings" && chartvalues.Known(at.path)
	})
}

// ofKarpenter reports whether a chart, a release or an object is Karpenter's by its name.
func ofKarpenter(name string) bool {
	name = strings.ToLower(name[strings.LastIndex(name, "/")+1:])
	return strings.Contains(name, "karpenter") && !strings.Contains(name, "crd")
}

// encoded is a document as text, with the comments that it had.
func encoded(c *conversion, d *document, root *yaml.Node) string {
	var b strings.Builder
	bare(root)
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		c.problems = append(c.problems, Problem{File: d.file, Line: d.line(d.root), Text: err.Error()})
	}
	return b.String()
}

// bare takes off anchors, which nothing refers to any more.
func bare(n *yaml.Node) {
	n.Anchor = ""
	for _, below := range n.Content {
		bare(below)
	}
}

// writtenOut is a copy in which aliases and merges are replaced by what they stand for: what is moved away from an
// anchor would leave them nothing to refer to.
func writtenOut(n *yaml.Node) *yaml.Node {
	n = resolve(n)
	out := *n
	out.Content = nil // and the anchor stays for those who ask what stood for others
	if n.Kind != yaml.MappingNode {
		for _, item := range n.Content {
			out.Content = append(out.Content, writtenOut(item))
		}
		return &out
	}
	merged := []*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag != "!!merge" {
			out.Content = append(out.Content, key, writtenOut(value))
			continue
		}
		from := []*yaml.Node{value}
		if resolve(value).Kind == yaml.SequenceNode {
			from = resolve(value).Content
		}
		for _, m := range from {
			merged = append(merged, writtenOut(m).Content...)
		}
	}
	for i := 0; i+1 < len(merged); i += 2 {
		if child(&out, merged[i].Value) == nil { // what is written wins, then what is merged first
			out.Content = append(out.Content, merged[i], merged[i+1])
		}
	}
	return &out
}

// valueMove is the conversion of one map of values.
type valueMove struct {
	to      *conversion
	in      *document
	root    *yaml.Node
	prefix  string // of paths in messages
	changed bool
	strays  []Problem // keys that no chart of Karpenter had
	anchors []keyAt   // keys of the user's own, for others to refer to
}

// move gives values their present places, and reports whether any had another one.
func move(c *conversion, d *document, root *yaml.Node, prefix string) (changed bool) {
	v := &valueMove{to: c, in: d, root: root, prefix: prefix}
	v.image()
	v.sidecars()
	v.walk(root, "")
	if !v.changed {
		return false
	}
	c.problems = append(c.problems, v.strays...)
	for _, at := range v.anchors {
		v.note(at.key, "%s is removed: it was there for what is written out where it was referred to", at.path)
		remove(root, at.path)
	}
	prune(root, "")
	c.renameNodes(d, root)
	return true
}

func (v *valueMove) problem(at *yaml.Node, format string, args ...any) {
	v.to.problems = append(v.to.problems, Problem{File: v.in.file, Line: v.in.line(at), Text: v.said(format, args)})
}

func (v *valueMove) note(at *yaml.Node, format string, args ...any) {
	v.to.note(v.in, at, "", "%s", v.said(format, args))
	v.changed = true
}

func (v *valueMove) said(format string, args []any) string {
	return v.prefix + fmt.Sprintf(format, args...)
}

func (v *valueMove) walk(n *yaml.Node, path string) {
	for _, at := range keysOf(n, path) {
		r, ok := chartvalues.Find(at.path)
		switch below := child(n, at.key.Value); {
		case ok:
			v.one(r, at.key, below)
		case !chartvalues.Known(at.path) && !chartvalues.Above(at.path) && anchored(below):
			v.anchors = append(v.anchors, at)
		case !chartvalues.Known(at.path) && !chartvalues.Above(at.path):
			v.strays = append(v.strays, Problem{File: v.in.file, Line: v.in.line(at.key), Text: v.said(
				"%s is a value of no chart of Karpenter, which took no notice of it: correct or remove it",
				[]any{at.path},
			)})
		case below.Kind == yaml.MappingNode && !chartvalues.Open(at.path):
			v.walk(below, at.path)
		}
	}
}

// anchored reports whether a value, or one in it, is there for others to refer to.
func anchored(n *yaml.Node) bool { return n.Anchor != "" || slices.ContainsFunc(n.Content, anchored) }

type keyAt struct {
	key  *yaml.Node
	path string
}

// keysOf are the keys of a map, as they are before anything is moved.
func keysOf(n *yaml.Node, path string) (out []keyAt) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, keyAt{n.Content[i], strings.TrimPrefix(path+"."+n.Content[i].Value, ".")})
	}
	return out
}

// one moves, drops or refuses a removed value.
func (v *valueMove) one(r chartvalues.Removed, key, value *yaml.Node) {
	var plain any
	if err := value.Decode(&plain); err != nil {
		v.problem(key, "%s: %v", r.Path, err)
		return
	}
	there := nodeAt(v.root, r.To)
	switch {
	case r.AsksNothing(plain):
		v.note(key, "%s asks for nothing that is not so anyway: removed", r.Path)
	case r.Dropped:
		v.note(key, "%s is removed: %s", r.Path, strings.TrimSuffix(r.Instead, ": remove it"))
	case strings.HasSuffix(r.Path, "aws.defaultInstanceProfile"):
		v.note(
			key,
			"%s is removed: it goes into EC2NodeClasses that are made of AWSNodeTemplates of the same run",
			r.Path,
		)
	case r.To == "":
		v.problem(key, "%s", r.Refusal())
		return
	case there != nil && !empty(there) && !equal(there, value):
		v.problem(key, "%s, which is there, too; keep one", r.Refusal())
		return
	default:
		put(v.root, r.To, key, value)
		v.changed = true
	}
	remove(v.root, r.Path)
}

// image leaves out the image of Karpenter's own controller: the chart has its own. Before 0.25 an image was one value.
func (v *valueMove) image() {
	image := nodeAt(v.root, "controller.image")
	if image == nil || empty(image) {
		return
	}
	repository := image
	if image.Kind == yaml.MappingNode {
		repository = child(image, "repository")
	}
	name, _, _ := strings.Cut(text(repository), "@")
	if strings.Contains(strings.ToLower(name), "karpenter") {
		v.note(repository, "controller.image is Karpenter's own, %s: removed, the chart has one", name)
		remove(v.root, "controller.image")
	}
}

// sidecars leaves out an empty map in place of the list that they are by now.
func (v *valueMove) sidecars() {
	if n := nodeAt(v.root, "controller.sidecarContainer"); n != nil && n.Kind == yaml.MappingNode && empty(n) {
		remove(v.root, "controller.sidecarContainer")
		v.changed = true
	}
}

// nodeAt is the value at a path with dots; nil if there is none.
func nodeAt(n *yaml.Node, path string) *yaml.Node {
	if path == "" {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		n = child(n, name)
	}
	return n
}

func empty(n *yaml.Node) bool {
	return n.Tag == "!!null" || n.Kind != yaml.ScalarNode && len(n.Content) == 0 ||
		n.Kind == yaml.ScalarNode && n.Value == ""
}

func equal(a, b *yaml.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !equal(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// put sets the value at a path, with the comments of the key that it had.
func put(n *yaml.Node, path string, key, value *yaml.Node) {
	name, rest, more := strings.Cut(path, ".")
	i := index(n, name)
	if !more {
		moved := *key
		moved.Value, moved.Style = name, 0
		if i >= 0 {
			n.Content[i], n.Content[i+1] = &moved, value
			return
		}
		n.Content = append(n.Content, &moved, value)
		return
	}
	if i < 0 || n.Content[i+1].Kind != yaml.MappingNode {
		below := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		if i >= 0 {
			n.Content[i+1] = below
		} else {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: name}, below)
		}
		put(below, rest, key, value)
		return
	}
	put(n.Content[i+1], rest, key, value)
}

// remove takes a value away.
func remove(n *yaml.Node, path string) {
	above, name := "", path
	if i := strings.LastIndex(path, "."); i >= 0 {
		above, name = path[:i], path[i+1:]
		n = nodeAt(n, above)
	}
	if i := index(n, name); i >= 0 {
		n.Content = append(n.Content[:i:i], n.Content[i+2:]...)
	}
}

// index is where a key of a map stands, less than 0 if it does not.
func index(n *yaml.Node, name string) int {
	if n == nil || n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return i
		}
	}
	return -1
}

// prune removes maps of the paths of removed values in which nothing is left.
func prune(n *yaml.Node, path string) {
	for _, at := range keysOf(n, path) {
		below := child(n, at.key.Value)
		if !chartvalues.Above(at.path) || below == nil {
			continue
		}
		if below.Kind == yaml.MappingNode {
			prune(below, at.path)
		}
		if empty(below) {
			remove(n, at.key.Value)
		}
	}
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
