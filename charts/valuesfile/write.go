package valuesfile

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/dovetail-sh/dovetail/internal/chartvalues"
)

// template is what a string may hold in place of a number or a switch.
const template = `\{\{.*\}\}`

// patterns are what a string must look like that stands for a value of another type.
var patterns = map[string]string{"boolean": "true|false", "integer": "-?[0-9]+", "number": `-?[0-9]*\.?[0-9]+`}

// Schema is the JSON schema of the values. It holds types and enumerations. Unknown keys pass it, unless strict: the
// chart itself refuses them, and names what was probably meant, which a schema cannot.
func Schema(v *Value, strict bool) ([]byte, error) {
	schema := schemaOf(v, strict)
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	properties, ok := schema["properties"].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("the values are no map")
	}
	properties["global"] = map[string]any{
		"type":        []string{"object", "null"},
		"description": "Values of charts around this one.",
	}
	properties["enabled"] = map[string]any{"description": "Read by a chart around this one."}
	text, err := json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

func schemaOf(v *Value, strict bool) map[string]any {
	out := map[string]any{}
	if v.Doc != "" {
		out["description"] = v.Doc
	}
	if v.Default != "" {
		out["default"] = json.RawMessage(v.Default)
	}
	types := append(slices.Clone(v.Types), "null")
	if pattern, ok := patterns[v.Types[0]]; ok && !slices.Contains(types, "string") {
		types = append(types, "string")
		out["pattern"] = "^(" + pattern + "|" + template + ")?$"
	}
	out["type"] = types
	if v.Enum != nil {
		alternatives := slices.Clone(v.Enum)
		if v.Default == `""` {
			alternatives = append(alternatives, "")
		}
		out["pattern"] = "^(" + strings.Join(append(alternatives, template), "|") + ")$"
	}
	if v.Below != nil {
		properties := map[string]any{}
		for _, b := range v.Below {
			properties[b.name()] = schemaOf(b, strict)
		}
		out["properties"] = properties
		if strict {
			out["additionalProperties"] = false
		}
	}
	return out
}

func (v *Value) name() string { return v.Path[strings.LastIndex(v.Path, ".")+1:] }

// Table is a Markdown table of all values, in the file's order.
func Table(v *Value) string {
	var b strings.Builder
	b.WriteString("| Value | Default | Meaning |\n|---|---|---|\n")
	v.each(func(v *Value) {
		fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", v.Path, strings.ReplaceAll(v.Default, "|", `\|`), v.meaning())
	})
	return b.String()
}

func (v *Value) meaning() string {
	if v.Enum == nil || strings.Contains(v.Doc, v.Enum[0]) {
		return v.Doc
	}
	return v.Doc + " One of " + strings.Join(v.Enum, ", ") + "."
}

// each visits every value but closed maps.
func (v *Value) each(visit func(*Value)) {
	if v.Below == nil {
		visit(v)
	}
	for _, b := range v.Below {
		b.each(visit)
	}
}

// Paths lists all values, one a line and in order; a slash follows those below which any key may stand.
func Paths(v *Value) []byte {
	var lines []string
	var walk func(*Value)
	walk = func(v *Value) {
		if v.Path != "" {
			line := v.Path
			if v.Below == nil && slices.Contains(v.Types, "object") {
				line += "/"
			}
			lines = append(lines, line)
		}
		for _, b := range v.Below {
			walk(b)
		}
	}
	walk(v)
	slices.Sort(lines)
	return []byte(strings.Join(lines, "\n") + "\n")
}

type refusal struct {
	Refusal  string   `json:"refusal"`
	Harmless []string `json:"harmless"`
}

// Known is a template that comes to what the chart's check needs: keys by the path of their map, and removed values.
func Known(v *Value) ([]byte, error) {
	keys := map[string][]string{}
	var walk func(*Value)
	walk = func(v *Value) {
		if v.Below == nil {
			return
		}
		keys[v.Path] = []string{}
		for _, b := range v.Below {
			keys[v.Path] = append(keys[v.Path], b.name())
			walk(b)
		}
	}
	walk(v)
	removed := map[string]refusal{}
	for _, r := range chartvalues.All() {
		removed[r.Path] = refusal{Refusal: r.Refusal(), Harmless: append([]string{}, r.Harmless...)}
		for path, _, more := cutLast(r.Path); more; path, _, more = cutLast(path) {
			if _, ok := keys[path]; !ok {
				keys[path] = []string{}
			}
		}
	}
	text, err := json.MarshalIndent(map[string]any{"keys": keys, "removed": removed}, "", "  ")
	if err != nil {
		return nil, err
	}
	const head = "{{- /* Made from values.yaml by make generate. */ -}}\n{{- define \"dovetail.known\" -}}\n"
	return []byte(head + escape(string(text)) + "\n{{- end -}}\n"), nil
}

// escape keeps what looks like a template from being one.
func escape(text string) string { return strings.ReplaceAll(text, "{{", "{{ \"{{\" }}") }

func cutLast(path string) (before, after string, found bool) {
	i := strings.LastIndex(path, ".")
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}
