package convert

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Source is a file that is to be converted.
type Source struct {
	Name string
	Text []byte
}

// Problem is something that cannot be written in the new version, or that no version had.
type Problem struct {
	File   string
	Line   int    // from 1; 0 if it is about the whole file
	Object string // kind and name, such as "Provisioner default"; empty outside objects
	Field  string // its path, such as spec.provider.launchTemplate; empty for the whole object
	Text   string // what is wrong, and what to do
}

// Error is one line.
func (p Problem) Error() string {
	out := p.File
	if p.Line > 0 {
		out = fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	for _, part := range []string{p.Object, p.Field, p.Text} {
		if part != "" {
			out += ": " + part
		}
	}
	return out
}

// document is one YAML document of a file.
type document struct {
	file  string
	first int // line of the file that is the document's first, from 1
	text  string
	root  *yaml.Node // nil if there is nothing but comments

	hcl     *quoted // of a file of Terraform's; nil for others
	follows bool    // another document in the same heredoc
	changed bool    // what is outside of heredocs was changed
}

var separator = regexp.MustCompile(`^---(\s|$)`)

// documents splits a file.
func documents(s Source) ([]*document, error) {
	var out []*document
	current := &document{file: s.Name, first: 1}
	line := 0
	for text := range strings.Lines(string(s.Text)) {
		line++
		if separator.MatchString(text) {
			out = append(out, current)
			current = &document{file: s.Name, first: line + 1}
			continue
		}
		current.text += text
	}
	out = append(out, current)
	for _, d := range out {
		if err := d.parse(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d *document) parse() error {
	var node yaml.Node
	err := yaml.Unmarshal([]byte(strings.ReplaceAll(d.text, "\r\n", "\n")), &node) // comments would be lost
	if err == nil && strings.Contains(d.text, ": {{") && node.Decode(new(any)) != nil {
		err = errors.New("a map cannot be a key")
	}
	if err != nil {
		text := strings.TrimPrefix(err.Error(), "yaml: ")
		if strings.Contains(d.text, "{{") {
			text += " (it looks like a template: convert what helm template prints)"
		}
		return Problem{File: d.file, Line: d.first, Text: "the document that begins here is no YAML: " + text}
	}
	if len(node.Content) == 1 {
		d.root = resolve(node.Content[0])
	}
	return nil
}

// line is where a node stands in its file.
func (d *document) line(n *yaml.Node) int {
	if n == nil {
		return d.first
	}
	return d.first + n.Line - 1
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// child returns the value of a key of a map, nil if it is not there.
func child(n *yaml.Node, key string) *yaml.Node {
	n = resolve(n)
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return resolve(n.Content[i+1])
		}
	}
	return nil
}

func text(n *yaml.Node) string {
	if n == nil || n.Kind != yaml.ScalarNode {
		return ""
	}
	return n.Value
}
