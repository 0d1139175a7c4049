package crdtest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/model"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation/field"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/common"
)

// Problem is one thing that the server holds against an object.
type Problem struct {
	// Field is its path, such as spec.template.spec.taints[0].key.
	Field string
	// Message is what the user reads.
	Message string
}

// Judge does in this process what an API server does with the objects of one
// definition: fill in defaults, refuse unknown fields, check schema and rules.
type Judge struct {
	structural *structuralschema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

// NewJudge compiles a definition, which must have one version.
func NewJudge(definition *apiextensionsv1.CustomResourceDefinition) (*Judge, error) {
	internal := &apiextensions.CustomResourceDefinition{}
	if err := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition(definition, internal, nil); err != nil {
		return nil, fmt.Errorf("converting %s: %w", definition.Name, err)
	}
	// The conversion lifts the schema of a single version up.
	schema := internal.Spec.Validation
	if schema == nil {
		return nil, fmt.Errorf("definition %s has no schema, or several versions", definition.Name)
	}
	structural, err := structuralschema.NewStructural(schema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("reading the schema of %s: %w", definition.Name, err)
	}
	checker, _, err := validation.NewSchemaValidator(schema.OpenAPIV3Schema)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema of %s: %w", definition.Name, err)
	}
	return &Judge{
		structural: structural,
		schema:     checker,
		rules:      cel.NewValidator(structural, true, celconfig.PerCallLimit),
	}, nil
}

// Default fills in defaults as the server does when it reads an object.
func (j *Judge) Default(object *unstructured.Unstructured) {
	defaulting.PruneNonNullableNullsWithoutDefaults(object.Object, j.structural)
	defaulting.Default(object.Object, j.structural)
}

// Create judges a new object. It fills in defaults.
func (j *Judge) Create(ctx context.Context, object *unstructured.Unstructured) []Problem {
	if unknown := j.unknown(object); len(unknown) > 0 {
		return unknown
	}
	j.Default(object)
	errs := validation.ValidateCustomResource(nil, object.Object, j.schema)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, j.structural, object.Object)...)
	if !blocksRules(errs) {
		more, _ := j.rules.Validate(ctx, nil, j.structural, object.Object, nil, celconfig.RuntimeCELCostBudget)
		errs = append(errs, more...)
	}
	return problems(errs)
}

// Update judges a change to an object. It fills in defaults.
func (j *Judge) Update(ctx context.Context, object, old *unstructured.Unstructured) []Problem {
	if unknown := j.unknown(object); len(unknown) > 0 {
		return unknown
	}
	j.Default(object)
	pair := common.NewCorrelatedObject(object.Object, old.Object, &model.Structural{Structural: j.structural})
	errs := validation.ValidateCustomResourceUpdate(nil, object.Object, old.Object, j.schema, validation.WithRatcheting(pair))
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, j.structural, object.Object)...)
	if !blocksRules(errs) {
		more, _ := j.rules.Validate(ctx, nil, j.structural, object.Object, old.Object, celconfig.RuntimeCELCostBudget, cel.WithRatcheting(pair))
		errs = append(errs, more...)
	}
	return problems(errs)
}

func (j *Judge) unknown(object *unstructured.Unstructured) []Problem {
	paths := pruning.PruneWithOptions(object.DeepCopy().Object, j.structural, true,
		structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true})
	slices.Sort(paths)
	out := make([]Problem, 0, len(paths))
	for _, path := range paths {
		out = append(out, Problem{Message: fmt.Sprintf("unknown field %q", path)})
	}
	return out
}

// blocksRules reports whether the schema refuses an object in a way that keeps
// the server from looking at the rules at all.
func blocksRules(errs field.ErrorList) bool {
	return slices.ContainsFunc(errs, func(err *field.Error) bool {
		switch err.Type {
		case field.ErrorTypeNotSupported, field.ErrorTypeRequired, field.ErrorTypeTooLong, field.ErrorTypeTooMany, field.ErrorTypeTypeInvalid:
			return true
		default:
			return false
		}
	})
}

func problems(errs field.ErrorList) []Problem {
	out := make([]Problem, 0, len(errs))
	for _, err := range errs {
		out = append(out, Problem{Field: err.Field, Message: err.ErrorBody()})
	}
	return out
}

// Try plays a case through and returns the problems of its last step and the
// object as it then is. An error means that the case itself is wrong.
func (j *Judge) Try(ctx context.Context, c Case) ([]Problem, *unstructured.Unstructured, error) {
	object, err := Valid(c.Kind, "case")
	if err != nil {
		return nil, nil, err
	}
	if err := Assign(object, c.Create); err != nil {
		return nil, nil, err
	}
	found := j.Create(ctx, object)
	for _, next := range []string{c.Update, c.Status} {
		if strings.TrimSpace(next) == "" {
			continue
		}
		if len(found) > 0 {
			return nil, nil, fmt.Errorf("case %q of %s does not get as far as its update: %v", c.Name, c.Kind, found)
		}
		old := object.DeepCopy()
		if err := Assign(object, next); err != nil {
			return nil, nil, err
		}
		found = j.Update(ctx, object, old)
	}
	return found, object, nil
}

// Disagreement says how the outcome of a case differs from what it states, or
// is empty. The problem must be the only one: a user gets one clear message.
func (c Case) Disagreement(found []Problem, object *unstructured.Unstructured) string {
	if c.Says == "" {
		if len(found) > 0 {
			return fmt.Sprintf("must be accepted, but: %v", found)
		}
		differences, err := Differences(object, c.Becomes)
		if err != nil {
			return err.Error()
		}
		return strings.Join(differences, "; ")
	}
	if len(found) == 0 {
		return fmt.Sprintf("was accepted, must be refused at %s with %q", c.At, c.Says)
	}
	said := false
	for _, p := range found {
		switch {
		case p.Field == c.At && strings.Contains(p.Message, c.Says):
			said = true
		case c.Also == "" || p.Field != c.Also:
			return fmt.Sprintf("%s says %q, want only %s with %q", p.Field, p.Message, c.At, c.Says)
		}
	}
	if !said {
		return fmt.Sprintf("only %s speaks up, want %s with %q", c.Also, c.At, c.Says)
	}
	return ""
}
