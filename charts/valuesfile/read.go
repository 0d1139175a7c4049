package valuesfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Value is one key of a values file.
type Value struct {
	Path    string   // such as controller.image.tag
	Doc     string   // what the comment says, in one line
	Default string   // in JSON
	Types   []string // of JSON schema, without null
	Enum    []string // the only values; nil for all
	Open    bool     // a map in which every key is allowed
	Below   []*Value // of a closed map, in the file's order
}

// Read reads a values file. Every value but a closed map must be described.
func Read(text []byte) (*Value, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("reading values: %w", err)
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("reading values: the file is no map")
	}
	return closed("", document.Content[0])
}

func closed(path string, node *yaml.Node) (*Value, error) {
	v := &Value{Path: path, Types: []string{"object"}}
	var errs []error
	for i := 0; i < len(node.Content); i += 2 {
		name := node.Content[i].Value
		if path != "" {
			name = path + "." + name
		}
		below, err := value(name, node.Content[i].HeadComment, node.Content[i+1])
		errs = append(errs, err)
		v.Below = append(v.Below, below)
	}
	return v, errors.Join(errs...)
}

func value(path, comment string, node *yaml.Node) (*Value, error) {
	v := &Value{Path: path}
	if err := v.comment(comment); err != nil {
		return v, err
	}
	if node.Kind == yaml.MappingNode && len(node.Content) > 0 && !v.Open {
		doc := v.Doc
		v, err := closed(path, node)
		v.Doc = doc
		return v, err
	}
	if v.Doc == "" {
		return v, fmt.Errorf("value %s has no comment that describes it", path)
	}
	var standard any
	if err := node.Decode(&standard); err != nil {
		return v, fmt.Errorf("value %s: %w", path, err)
	}
	text, err := json.Marshal(standard)
	if err != nil {
		return v, fmt.Errorf("value %s: %w", path, err)
	}
	v.Default = string(text)
	return v, v.infer(standard)
}

// comment takes the description and the lines with @ apart. A blank line ends what was said of other things.
func (v *Value) comment(text string) error {
	paragraphs := strings.Split(text, "\n\n")
	var doc []string
	for line := range strings.SplitSeq(paragraphs[len(paragraphs)-1], "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "#"))
		mark, rest, _ := strings.Cut(line, " ")
		switch {
		case !strings.HasPrefix(line, "@"):
			doc = append(doc, line)
		case mark == "@type":
			v.Types = strings.Split(rest, "|")
		case mark == "@enum":
			v.Enum = strings.Split(rest, "|")
		case mark == "@open":
			v.Open = true
		default:
			return fmt.Errorf("value %s: there is no %s; there are @type, @enum and @open", v.Path, mark)
		}
	}
	v.Doc = strings.Join(doc, " ")
	return nil
}

// infer takes types from the default where the comment says none.
func (v *Value) infer(standard any) error {
	if v.Types != nil {
		return nil
	}
	switch standard.(type) {
	case bool:
		v.Types = []string{"boolean"}
	case string:
		v.Types = []string{"string"}
	case int:
		v.Types = []string{"integer"}
	case float64:
		v.Types = []string{"number"}
	case []any:
		v.Types = []string{"array"}
	case map[string]any:
		v.Types, v.Open = []string{"object"}, true
	default:
		return fmt.Errorf("value %s is null and has no @type", v.Path)
	}
	return nil
}
