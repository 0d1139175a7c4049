package convert

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	k8syaml "sigs.k8s.io/yaml"
)

// Options say what old files leave open.
type Options struct {
	// Role and InstanceProfile are those of nodes whose AWSNodeTemplate names none. Role wins.
	Role, InstanceProfile string
	// Alias is the alias of images for groups of nodes; empty for the latest of the family that they have now.
	Alias string
	// IgnoreDefaults leaves out the requirements that every Provisioner had without saying so.
	IgnoreDefaults bool
}

// File is what became of a Source.
type File struct {
	Name    string
	Text    []byte
	Changed bool // Text differs from that of the Source
}

// Result is what a conversion comes to.
type Result struct {
	Files  []File
	Notes  []string // what was decided, with file and line
	Passed []string // objects that hold nothing old, with file and line
}

// conversion is one that is under way.
type conversion struct {
	options  Options
	problems []Problem
	notes    []string
	passed   []string
	made     []map[string]any // new objects of the document at hand
	users    []*user
	classes  map[string]map[string]any // new EC2NodeClasses by name
	stands   standIns
}

func (c *conversion) note(d *document, at *yaml.Node, about, format string, args ...any) {
	c.notes = append(
		c.notes,
		Problem{File: d.file, Line: d.line(at), Object: about, Text: fmt.Sprintf(format, args...)}.Error(),
	)
}

// part is what became of a document: objects, or text.
type part struct {
	in      *document
	objects []map[string]any
	text    string
	changed bool
}

// Files converts files together: settings move from one object to another. The error joins a Problem for each thing
// that stands in the way, and then there is no Result.
func Files(sources []Source, o Options) (*Result, error) {
	c := &conversion{options: o, classes: map[string]map[string]any{}, stands: standIns{}}
	var all []*document
	for _, s := range sources {
		split := documents
		if isTerraform(s.Name) {
			split = func(s Source) ([]*document, error) { return terraform(c, s) }
		}
		docs, err := split(s)
		if err != nil {
			return nil, err
		}
		all = append(all, docs...)
	}
	c.standing(all)
	var parts []*part
	for _, d := range all {
		parts = append(parts, c.document(d))
	}
	before := len(c.made)
	c.moveKubelets()
	if n := len(parts); n > 0 && len(c.made) > before { // classes that were split off
		parts[n-1].objects = append(parts[n-1].objects, c.made[before:]...)
		parts[n-1].changed = true
	}
	if len(c.problems) == 0 {
		c.check(parts)
	}
	if len(c.problems) > 0 {
		return nil, c.trouble()
	}
	return c.result(sources, parts)
}

func (c *conversion) trouble() error {
	slices.SortStableFunc(
		c.problems,
		func(a, b Problem) int { return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line)) },
	)
	var errs []error
	for _, p := range c.problems {
		p.Object, p.Text = c.stands.words(p.Object), c.stands.words(p.Text)
		errs = append(errs, p)
	}
	return errors.Join(errs...)
}

// document converts what one document holds.
func (c *conversion) document(d *document) *part {
	p := &part{in: d, text: d.text}
	if d.hcl != nil && d.hcl.outside {
		p.changed = d.changed
		return p
	}
	if d.root == nil {
		return p
	}
	if child(d.root, "apiVersion") == nil && child(d.root, "kind") == nil {
		chartValues(c, d, p)
		return p
	}
	items := []*yaml.Node{d.root}
	if list := child(d.root, "items"); list != nil && strings.HasSuffix(text(child(d.root, "kind")), "List") {
		items = nil
		for _, item := range list.Content {
			items = append(items, resolve(item))
		}
	}
	if !slices.ContainsFunc(items, func(n *yaml.Node) bool { return maker(d, n) != nil }) {
		c.keep(d, items, p)
		return p
	}
	first := len(c.made)
	for _, item := range items {
		if convert := maker(d, item); convert != nil {
			convert(&fields{to: c, in: d, about: about(item), node: item})
			continue
		}
		c.renameNodes(d, item)
		var object map[string]any
		if err := item.Decode(&object); err != nil {
			c.problems = append(
				c.problems,
				Problem{File: d.file, Line: d.line(item), Object: about(item), Text: err.Error()},
			)
			continue
		}
		c.made = append(c.made, object)
	}
	p.objects, p.text, p.changed = slices.Clone(c.made[first:]), "", true
	return p
}

// keep leaves a document as it is but for names, and values of the chart in it.
func (c *conversion) keep(d *document, items []*yaml.Node, p *part) {
	if release(c, d, p) {
		return
	}
	p.text = c.rename(d)
	p.changed = p.text != d.text
	if p.changed {
		return
	}
	for _, item := range items {
		c.passed = append(c.passed, Problem{File: d.file, Line: d.line(item), Text: about(item)}.Error())
	}
}

func about(n *yaml.Node) string {
	meta := child(n, "metadata")
	return strings.TrimSpace(
		text(child(n, "kind")) + " " + cmp.Or(text(child(meta, "name")), text(child(meta, "generateName"))),
	)
}

// maker is how an old object becomes a new one; nil if it is none.
func maker(d *document, n *yaml.Node) func(*fields) {
	group, version, _ := strings.Cut(text(child(n, "apiVersion")), "/")
	kind := text(child(n, "kind"))
	switch {
	case !strings.HasPrefix(group, "karpenter."):
		if kind == "ConfigMap" && text(child(child(n, "metadata"), "name")) == "karpenter-global-settings" {
			return settingsMap
		}
		return nil
	case kind == "Provisioner":
		return provisioner
	case kind == "AWSNodeTemplate":
		return nodeTemplate
	case kind == "Machine":
		return machine
	case version != "v1beta1":
		return nil
	}
	return map[string]func(*fields){"NodePool": betaPool, "NodeClaim": betaClaim, "EC2NodeClass": betaClass}[kind]
}

// machine refuses: a Machine is what a controller remembers of an instance, and no manifest.
func machine(f *fields) {
	f.problem(
		nil,
		"",
		"a Machine is a controller's own record of an instance and is not written by hand: remove it; upgrade "+
			"Karpenter itself by way of 0.32, which makes NodeClaims of Machines",
	)
}

// standing notes what old objects refer to: the EC2NodeClasses of today's version, whose names are taken, and the
// instance profile of a chart's values.
func (c *conversion) standing(all []*document) {
	for _, d := range all {
		if d.root != nil && c.options.InstanceProfile == "" {
			c.options.InstanceProfile = profileIn(d.root)
		}
		if text(child(d.root, "kind")) != "EC2NodeClass" || text(child(d.root, "apiVersion")) != classes {
			continue
		}
		var object map[string]any
		if err := d.root.Decode(&object); err == nil {
			c.classes[text(child(child(d.root, "metadata"), "name"))] = object
		}
	}
}

func (c *conversion) result(sources []Source, parts []*part) (*Result, error) {
	out := &Result{Passed: c.passed}
	for _, note := range c.notes {
		out.Notes = append(out.Notes, c.stands.words(note))
	}
	for _, s := range sources {
		file := File{Name: s.Name}
		var texts []string
		var inPlace strings.Builder
		for _, p := range parts {
			if p.in.file != s.Name {
				continue
			}
			file.Changed = file.Changed || p.changed
			written, err := p.written()
			if err != nil {
				return nil, fmt.Errorf("writing %s: %w", s.Name, err)
			}
			texts = append(texts, written...)
			inPlace.WriteString(c.stands.inPlace(p, written))
		}
		file.Text = s.Text
		switch {
		case file.Changed && isTerraform(s.Name):
			file.Text = []byte(inPlace.String())
		case file.Changed:
			file.Text = join(texts)
		}
		out.Files = append(out.Files, file)
	}
	return out, nil
}

// written is a part as documents.
func (p *part) written() ([]string, error) {
	if len(p.objects) == 0 {
		return []string{p.text}, nil
	}
	var out []string
	if strings.TrimSpace(p.text) != "" {
		out = append(out, p.text)
	}
	for _, object := range p.objects {
		text, err := k8syaml.Marshal(object)
		if err != nil {
			return nil, err
		}
		out = append(out, string(text))
	}
	return out, nil
}

// join puts documents after each other.
func join(texts []string) []byte {
	var b bytes.Buffer
	for i, text := range texts {
		if i > 0 {
			if b.Len() > 0 && !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
				b.WriteByte('\n')
			}
			b.WriteString("---\n")
		}
		b.WriteString(text)
	}
	return b.Bytes()
}

// AnyRole is a role for files that are only planned with, where it does not matter which one nodes have.
const AnyRole = "any"
