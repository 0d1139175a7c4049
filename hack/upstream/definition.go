package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// collectDefinition lists every field of a CustomResourceDefinition with all that its schema demands, and the columns.
func collectDefinition(out Facts, text []byte) error {
	var definition apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &definition); err != nil {
		return fmt.Errorf("reading a definition: %w", err)
	}
	for _, version := range definition.Spec.Versions {
		at := definition.Spec.Names.Kind + "/" + version.Name
		for _, column := range version.AdditionalPrinterColumns {
			out.add(Field, at+" column "+column.Name, column.JSONPath)
		}
		if version.Schema != nil && version.Schema.OpenAPIV3Schema != nil {
			collectSchema(out, at, version.Schema.OpenAPIV3Schema)
		}
	}
	return nil
}

func collectSchema(out Facts, at string, s *apiextensionsv1.JSONSchemaProps) {
	own := *s.DeepCopy()
	own.Description, own.Properties, own.Items, own.AdditionalProperties = "", nil, nil, nil
	slices.Sort(own.Required)
	slices.SortFunc(
		own.Enum, func(a, b apiextensionsv1.JSON) int { return strings.Compare(string(a.Raw), string(b.Raw)) },
	)
	for i := range own.XValidations {
		own.XValidations[i].Message = "" // how it is said is not what is demanded
	}
	slices.SortFunc(
		own.XValidations, func(a, b apiextensionsv1.ValidationRule) int { return strings.Compare(a.Rule, b.Rule) },
	)
	text, err := json.Marshal(own)
	if err != nil {
		text = []byte(err.Error()) // cannot be: it was read from JSON
	}
	out.add(Field, at, string(text))
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		property := s.Properties[name]
		collectSchema(out, at+"."+name, &property)
	}
	if s.Items != nil && s.Items.Schema != nil {
		collectSchema(out, at+"[]", s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		collectSchema(out, at+".{}", s.AdditionalProperties.Schema)
	}
}
