package crdtest

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/api/crd/judge"
)

// limit is one thing that a schema demands, and a way to stop demanding it.
type limit struct {
	field string // as problems name it, with [] for any index and {} for any key
	name  string
	lift  func()
}

// limits walks a schema. The lift functions change that schema.
func limits(at string, s *apiextensionsv1.JSONSchemaProps) []limit {
	var out []limit
	add := func(present bool, name string, lift func()) {
		if present {
			out = append(out, limit{at, name, lift})
		}
	}
	add(s.Pattern != "", "pattern", func() { s.Pattern = "" })
	add(s.Enum != nil, "enum", func() { s.Enum = nil })
	add(s.Minimum != nil, "minimum", func() { s.Minimum = nil })
	add(s.Maximum != nil, "maximum", func() { s.Maximum = nil })
	add(s.MinLength != nil, "minLength", func() { s.MinLength = nil })
	add(s.MaxLength != nil, "maxLength", func() { s.MaxLength = nil })
	add(s.MinItems != nil, "minItems", func() { s.MinItems = nil })
	add(s.MaxItems != nil, "maxItems", func() { s.MaxItems = nil })
	add(s.MaxProperties != nil, "maxProperties", func() { s.MaxProperties = nil })
	add(s.Format == "date-time", "format", func() { s.Format = "" })
	for _, name := range s.Required {
		if s.Properties[name].Default != nil {
			continue // never missing
		}
		out = append(out, limit{join(at, name), "required", func() {
			s.Required = slices.DeleteFunc(slices.Clone(s.Required), func(n string) bool { return n == name })
		}})
	}
	if s.XListType != nil && *s.XListType != "atomic" {
		out = append(out, limit{at + "[]", "unique items", func() { s.XListType, s.XListMapKeys = nil, nil }})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if at == "" && name == "metadata" {
			continue
		}
		property := s.Properties[name]
		inner := limits(join(at, name), &property)
		out = append(out, rewrite(inner, func() { s.Properties[name] = property })...)
	}
	if s.Items != nil && s.Items.Schema != nil {
		out = append(out, limits(at+"[]", s.Items.Schema)...)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		out = append(out, limits(at+".{}", s.AdditionalProperties.Schema)...)
	}
	return out
}

// rewrite makes each lift also put a changed copy back where it came from.
func rewrite(in []limit, put func()) []limit {
	for i := range in {
		lift := in[i].lift
		in[i].lift = func() { lift(); put() }
	}
	return in
}

func join(at, name string) string { return strings.TrimPrefix(at+"."+name, ".") }

// retypes reports whether values have another type for rules without the limit.
func (l limit) retypes() bool { return l.name == "format" || l.name == "unique items" }

// expects reports whether a case has its problem at a field of a schema.
func (l limit) expects(c Case) bool {
	pattern := regexp.QuoteMeta(l.field)
	pattern = strings.ReplaceAll(pattern, `\[\]`, `\[\d+\]`)
	pattern = strings.ReplaceAll(pattern, `\.\{\}`, `\..+`)
	return c.Says != "" && regexp.MustCompile("^"+pattern+"$").MatchString(c.At)
}

// TestEveryLimitHasACase lifts each limit in turn and looks for a case that notices.
func TestEveryLimitHasACase(t *testing.T) {
	t.Parallel()
	for _, definition := range crd.All() {
		kind := definition.Spec.Names.Kind
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			cases := slices.DeleteFunc(Cases(), func(c Case) bool { return c.Kind != kind })
			total := len(limits("", definition.Spec.Versions[0].Schema.OpenAPIV3Schema))
			if total < 5 {
				t.Fatalf("found only %d limits", total)
			}
			whole, err := judge.New(definition)
			if err != nil {
				t.Fatal(err)
			}
			for i := range total {
				changed := definition.DeepCopy()
				l := limits("", changed.Spec.Versions[0].Schema.OpenAPIV3Schema)[i]
				l.lift()
				j, err := whole.WithSchema(changed)
				if l.retypes() {
					j, err = judge.New(changed)
				}
				if err != nil {
					t.Fatalf("%s without %s: %v", l.field, l.name, err)
				}
				if !slices.ContainsFunc(cases, func(c Case) bool { return l.expects(c) && notices(t, j, c) }) {
					t.Errorf("no case notices that %s has no %s", l.field, l.name)
				}
			}
		})
	}
}

func notices(t *testing.T, j *judge.Judge, c Case) bool {
	found, object, err := Try(t.Context(), j, c)
	return err != nil || c.Disagreement(found, object) != ""
}

// TestEveryRuleHasACase looks for a case that states the message of each rule
// and of no other rule of the same field, so that it fails without the rule.
func TestEveryRuleHasACase(t *testing.T) {
	t.Parallel()
	for _, definition := range crd.All() {
		kind := definition.Spec.Names.Kind
		byField := map[string][]string{}
		collectRules("", definition.Spec.Versions[0].Schema.OpenAPIV3Schema, byField)
		for field, messages := range byField {
			for _, message := range messages {
				stated := slices.ContainsFunc(Cases(), func(c Case) bool {
					if c.Kind != kind || !(limit{field: field}).expects(c) || !strings.Contains(message, c.Says) {
						return false
					}
					return !slices.ContainsFunc(messages, func(other string) bool {
						return other != message && strings.Contains(other, c.Says)
					})
				})
				if !stated {
					t.Errorf("%s: no case states %q at %s", kind, message, field)
				}
			}
		}
	}
}

func collectRules(at string, s *apiextensionsv1.JSONSchemaProps, out map[string][]string) {
	for _, rule := range s.XValidations {
		field := at + rule.FieldPath
		out[field] = append(out[field], rule.Message)
	}
	for name, property := range s.Properties {
		collectRules(join(at, name), &property, out)
	}
	if s.Items != nil && s.Items.Schema != nil {
		collectRules(at+"[]", s.Items.Schema, out)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		collectRules(at+".{}", s.AdditionalProperties.Schema, out)
	}
}

func TestRulesHaveMessages(t *testing.T) {
	t.Parallel()
	for _, definition := range crd.All() {
		byField := map[string][]string{}
		collectRules("", definition.Spec.Versions[0].Schema.OpenAPIV3Schema, byField)
		for field, messages := range byField {
			if slices.Contains(messages, "") {
				t.Errorf("%s: a rule at %s shows users its CEL instead of a message", definition.Name, field)
			}
		}
	}
}
