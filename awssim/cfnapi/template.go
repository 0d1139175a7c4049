package cfnapi

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// template is what a stack is made from.
type template struct {
	Description string
	Parameters  map[string]parameter
	Mappings    map[string]any
	Conditions  map[string]any
	Resources   map[string]resource
	Outputs     map[string]output
}

type parameter struct {
	Type, Description     string
	Default               any
	NoEcho                bool
	AllowedValues         []any
	AllowedPattern        string
	MinLength, MaxLength  any
	ConstraintDescription string
}

type resource struct {
	Type       string
	Properties map[string]any
	DependsOn  any // a name or a list of them
	Condition  string
}

type output struct {
	Description string
	Value       any
	Condition   string
	Export      map[string]any
}

func invalid(format string, args ...any) error {
	return apierror.New("ValidationError", format, args...)
}

// parse reads a template, YAML or JSON. Short forms such as !Ref mean the same
// as the long ones.
func parse(text string) (*template, error) {
	if strings.TrimSpace(text) == "" {
		return nil, invalid("Either Template URL or Template Body must be specified.")
	}
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(text), &root); err != nil {
		return nil, invalid("Template format error: YAML not well-formed. (%v)", err)
	}
	if len(root.Content) == 0 {
		return nil, invalid("Template format error: unsupported structure.")
	}
	plain, err := plainOf(root.Content[0])
	if err != nil {
		return nil, err
	}
	top, ok := plain.(map[string]any)
	if !ok {
		return nil, invalid("Template format error: unsupported structure.")
	}
	for _, section := range []string{"Transform", "Rules", "Macros"} {
		if _, has := top[section]; has {
			return nil, invalid("Templates with %s are not simulated.", section)
		}
	}
	again, err := yaml.Marshal(top)
	if err != nil {
		return nil, invalid("Template format error: %v", err)
	}
	t := &template{}
	decoder := sections{}
	if err := yaml.Unmarshal(again, &decoder); err != nil {
		return nil, invalid("Template format error: %v", err)
	}
	*t = template(decoder)
	if len(t.Resources) == 0 {
		return nil, invalid("Template format error: At least one Resources member must be defined.")
	}
	for name, r := range t.Resources {
		if r.Type == "" {
			return nil, invalid(
				"Template format error: [/Resources/%s] Every Resources member must have a Type.",
				name,
			)
		}
	}
	return t, nil
}

// sections gives the parts of a template the names that CloudFormation has for
// them; yaml would have them in lower case.
type sections struct {
	Description string               `yaml:"Description"`
	Parameters  map[string]parameter `yaml:"Parameters"`
	Mappings    map[string]any       `yaml:"Mappings"`
	Conditions  map[string]any       `yaml:"Conditions"`
	Resources   map[string]resource  `yaml:"Resources"`
	Outputs     map[string]output    `yaml:"Outputs"`
}

// UnmarshalYAML reads a parameter by CloudFormation's names.
func (p *parameter) UnmarshalYAML(node *yaml.Node) error {
	raw := struct {
		Type           string `yaml:"Type"`
		Description    string `yaml:"Description"`
		Default        any    `yaml:"Default"`
		NoEcho         bool   `yaml:"NoEcho"`
		AllowedValues  []any  `yaml:"AllowedValues"`
		AllowedPattern string `yaml:"AllowedPattern"`
		MinLength      any    `yaml:"MinLength"`
		MaxLength      any    `yaml:"MaxLength"`
		Constraint     string `yaml:"ConstraintDescription"`
	}{}
	if err := node.Decode(&raw); err != nil {
		return err
	}
	*p = parameter{
		raw.Type,
		raw.Description,
		raw.Default,
		raw.NoEcho,
		raw.AllowedValues,
		raw.AllowedPattern,
		raw.MinLength,
		raw.MaxLength,
		raw.Constraint,
	}
	return nil
}

// UnmarshalYAML reads a resource by CloudFormation's names.
func (r *resource) UnmarshalYAML(node *yaml.Node) error {
	raw := struct {
		Type       string         `yaml:"Type"`
		Properties map[string]any `yaml:"Properties"`
		DependsOn  any            `yaml:"DependsOn"`
		Condition  string         `yaml:"Condition"`
	}{}
	if err := node.Decode(&raw); err != nil {
		return err
	}
	*r = resource{raw.Type, raw.Properties, raw.DependsOn, raw.Condition}
	return nil
}

// UnmarshalYAML reads an output by CloudFormation's names.
func (o *output) UnmarshalYAML(node *yaml.Node) error {
	raw := struct {
		Description string         `yaml:"Description"`
		Value       any            `yaml:"Value"`
		Condition   string         `yaml:"Condition"`
		Export      map[string]any `yaml:"Export"`
	}{}
	if err := node.Decode(&raw); err != nil {
		return err
	}
	*o = output{raw.Description, raw.Value, raw.Condition, raw.Export}
	return nil
}

// plainOf turns a node into maps, lists and scalars, short forms into long ones.
func plainOf(node *yaml.Node) (any, error) {
	var value any
	switch node.Kind {
	case yaml.AliasNode:
		return plainOf(node.Alias)
	case yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(node.Content); i += 2 {
			item, err := plainOf(node.Content[i+1])
			if err != nil {
				return nil, err
			}
			out[node.Content[i].Value] = item
		}
		value = out
	case yaml.SequenceNode:
		out := []any{}
		for _, child := range node.Content {
			item, err := plainOf(child)
			if err != nil {
				return nil, err
			}
			out = append(out, item)
		}
		value = out
	default:
		value = scalarOf(node)
	}
	name, short := strings.CutPrefix(node.Tag, "!")
	if !short || strings.HasPrefix(name, "!") {
		return value, nil
	}
	if name == "GetAtt" {
		if text, ok := value.(string); ok {
			resource, attribute, _ := strings.Cut(text, ".")
			value = []any{resource, attribute}
		}
	}
	if name != "Ref" && name != "Condition" {
		name = "Fn::" + name
	}
	return map[string]any{name: value}, nil
}

// scalarOf keeps dates as they are written: policies have them as text.
func scalarOf(node *yaml.Node) any {
	switch node.Tag {
	case "!!int", "!!bool", "!!float", "!!null":
		var out any
		if node.Decode(&out) == nil {
			return out
		}
	}
	return node.Value
}

// values checks what was given for the parameters, and adds the defaults.
func (t *template) values(given map[string]string) (map[string]any, error) {
	for name := range given {
		if _, known := t.Parameters[name]; !known {
			return nil, invalid("Parameters: [%s] do not exist in the template", name)
		}
	}
	out := map[string]any{}
	var missing []string
	for name, p := range t.Parameters {
		text, has := given[name]
		if !has {
			if p.Default == nil {
				missing = append(missing, name)
				continue
			}
			text = fmt.Sprint(p.Default)
		}
		if err := p.check(name, text); err != nil {
			return nil, err
		}
		if p.Type == "CommaDelimitedList" || strings.HasPrefix(p.Type, "List<") {
			list := []any{}
			for item := range strings.SplitSeq(text, ",") {
				list = append(list, strings.TrimSpace(item))
			}
			out[name] = list
			continue
		}
		out[name] = text
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return out, nil
}

func (p parameter) check(name, text string) error {
	limit := func(v any) (int, bool) {
		n, err := strconv.Atoi(fmt.Sprint(v))
		return n, v != nil && err == nil
	}
	least, hasLeast := limit(p.MinLength)
	most, hasMost := limit(p.MaxLength)
	switch {
	case len(p.AllowedValues) > 0 && !slices.ContainsFunc(p.AllowedValues,
		func(v any) bool { return fmt.Sprint(v) == text }):
		return invalid("Parameter '%s' must be one of AllowedValues", name)
	case hasLeast && len(text) < least:
		return invalid("Parameter '%s' must contain at least %d characters", name, least)
	case hasMost && len(text) > most:
		return invalid("Parameter '%s' must contain at most %d characters", name, most)
	}
	if p.AllowedPattern != "" {
		pattern, err := regexp.Compile("^(?:" + p.AllowedPattern + ")$")
		if err == nil && !pattern.MatchString(text) {
			return invalid("Parameter '%s' must match pattern %s", name, p.AllowedPattern)
		}
	}
	return nil
}

// capabilities are those that a template asks its caller to grant.
func (t *template) capabilities() []string {
	out := []string{}
	for _, r := range t.Resources {
		if !strings.HasPrefix(r.Type, "AWS::IAM::") {
			continue
		}
		for _, name := range []string{"RoleName", "ManagedPolicyName", "InstanceProfileName", "PolicyName"} {
			if _, named := r.Properties[name]; named && r.Type != "AWS::IAM::Policy" {
				return []string{"CAPABILITY_NAMED_IAM"}
			}
		}
		out = []string{"CAPABILITY_IAM"}
	}
	return out
}
