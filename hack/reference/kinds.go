package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/dovetail-sh/dovetail/api/crd"
)

type kindPage struct{ kind, file, text string }

// kindPages has a page for each kind and version that the API server stores.
func kindPages() []kindPage {
	var out []kindPage
	for _, definition := range crd.All() {
		for i := range definition.Spec.Versions {
			out = append(out, newKindPage(definition, &definition.Spec.Versions[i]))
		}
	}
	slices.SortFunc(out, func(a, b kindPage) int { return cmp.Compare(a.kind, b.kind) })
	return out
}

func newKindPage(
	definition *apiextensionsv1.CustomResourceDefinition, version *apiextensionsv1.CustomResourceDefinitionVersion,
) kindPage {
	names, schema := definition.Spec.Names, version.Schema.OpenAPIV3Schema
	page := kindPage{kind: names.Kind, file: strings.ToLower(names.Kind) + ".md"}
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n`%s/%s`, %s. %s\n", names.Kind, made, definition.Spec.Group, version.Name,
		scopes[definition.Spec.Scope], sentence(schema.Description))
	if len(names.ShortNames) > 0 {
		fmt.Fprintf(&b, "\nShort names for kubectl: %s.\n", codes(names.ShortNames))
	}
	for _, part := range []string{"spec", "status"} {
		if s, ok := schema.Properties[part]; ok {
			fmt.Fprintf(&b, "\n## %s\n\n", part)
			table(&b, "Field", "Type", "Default", "Rules", "Meaning")
			fields(&b, part, &s)
		}
	}
	page.text = b.String()
	return page
}

var scopes = map[apiextensionsv1.ResourceScope]string{
	apiextensionsv1.ClusterScoped:   "one for the whole cluster",
	apiextensionsv1.NamespaceScoped: "in a namespace",
}

// fields adds a row for every field below one, in alphabetical order, a parent before its children.
func fields(b *strings.Builder, path string, s *apiextensionsv1.JSONSchemaProps) {
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		field := s.Properties[name]
		at := path + "." + name
		rules := rulesOf(&field)
		if slices.Contains(s.Required, name) {
			rules = append([]string{"required"}, rules...)
		}
		meaning := sentence(firstParagraph(field.Description))
		row(b, code(at), typeOf(&field), code(defaultOf(&field)), strings.Join(rules, "; "), meaning)
		if at != "status.conditions" { // every kind's are alike, and conditions.md lists them
			inside(b, at, &field)
		}
	}
}

// inside goes into objects, lists of objects and maps of objects.
func inside(b *strings.Builder, at string, s *apiextensionsv1.JSONSchemaProps) {
	switch {
	case s.Items != nil && s.Items.Schema != nil:
		inside(b, at+"[]", s.Items.Schema)
	case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		inside(b, at+"{}", s.AdditionalProperties.Schema)
	default:
		fields(b, at, s)
	}
}

func typeOf(s *apiextensionsv1.JSONSchemaProps) string {
	switch {
	case s.XIntOrString:
		return "integer or string"
	case s.Items != nil && s.Items.Schema != nil:
		return "list of " + typeOf(s.Items.Schema)
	case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		return "map of " + typeOf(s.AdditionalProperties.Schema)
	default:
		return cmp.Or(s.Type, "any")
	}
}

func defaultOf(s *apiextensionsv1.JSONSchemaProps) string {
	if s.Default == nil {
		return ""
	}
	return string(s.Default.Raw)
}

// rulesOf are what the API server refuses, in words. Values of a list or a map are held to their own rules, which are
// told with the field.
func rulesOf(s *apiextensionsv1.JSONSchemaProps) []string {
	rules := slices.Concat(valueRules(s), sizeRules(s))
	for _, v := range s.XValidations {
		rules = append(rules, cell(cmp.Or(v.Message, v.Rule)))
	}
	if s.Items != nil && s.Items.Schema != nil && len(s.Items.Schema.Properties) == 0 {
		for _, rule := range rulesOf(s.Items.Schema) {
			rules = append(rules, "each: "+rule)
		}
	}
	return rules
}

func valueRules(s *apiextensionsv1.JSONSchemaProps) (rules []string) {
	if len(s.Enum) > 0 {
		values := make([]string, len(s.Enum))
		for i, v := range s.Enum {
			values[i] = strings.Trim(string(v.Raw), `"`)
		}
		rules = append(rules, "one of "+codes(values))
	}
	if s.Pattern != "" {
		rules = append(rules, "matches "+code(s.Pattern))
	}
	if s.Minimum != nil {
		rules = append(rules, fmt.Sprintf("at least %g", *s.Minimum))
	}
	if s.Maximum != nil {
		rules = append(rules, fmt.Sprintf("at most %g", *s.Maximum))
	}
	return rules
}

func sizeRules(s *apiextensionsv1.JSONSchemaProps) (rules []string) {
	for _, size := range []struct {
		limit *int64
		words string
	}{
		{s.MinLength, "%d characters or more"}, {s.MaxLength, "%d characters or fewer"},
		{s.MinItems, "%d items or more"}, {s.MaxItems, "%d items or fewer"},
		{s.MinProperties, "%d entries or more"}, {s.MaxProperties, "%d entries or fewer"},
	} {
		if size.limit != nil {
			rules = append(rules, fmt.Sprintf(size.words, *size.limit))
		}
	}
	return rules
}

// firstParagraph is what says what a field is; what follows are details that `kubectl explain` shows.
func firstParagraph(text string) string {
	first, _, _ := strings.Cut(text, "\n\n")
	return first
}
