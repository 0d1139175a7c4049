// Package judge does in this process what an API server does with objects of our kinds before it keeps them: it fills
// in defaults and checks schema and rules. It asks nobody, and knows no object but the one that it is given.
package judge

import (
	"context"
	"fmt"
	"slices"

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

// New compiles a definition, which must have one version.
func New(definition *apiextensionsv1.CustomResourceDefinition) (*Judge, error) {
	j, err := newSchema(definition)
	if err != nil {
		return nil, err
	}
	j.rules = cel.NewValidator(j.structural, true, celconfig.PerCallLimit)
	return j, nil
}

// WithSchema returns the judge of a definition that has the same fields, of the same types, and the same rules as j's,
// and other limits. It shares the rules of j: compiling them takes nearly all the time that New takes.
func (j *Judge) WithSchema(definition *apiextensionsv1.CustomResourceDefinition) (*Judge, error) {
	other, err := newSchema(definition)
	if err != nil {
		return nil, err
	}
	other.rules = j.rules
	return other, nil
}

// newSchema compiles a definition without its rules.
func newSchema(definition *apiextensionsv1.CustomResourceDefinition) (*Judge, error) {
	internal := &apiextensions.CustomResourceDefinition{}
	convert := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition
	if err := convert(definition, internal, nil); err != nil {
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
	return &Judge{structural: structural, schema: checker}, nil
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
	errs := validation.ValidateCustomResourceUpdate(
		nil,
		object.Object,
		old.Object,
		j.schema,
		validation.WithRatcheting(pair),
	)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, j.structural, object.Object)...)
	if !blocksRules(errs) {
		more, _ := j.rules.Validate(
			ctx,
			nil,
			j.structural,
			object.Object,
			old.Object,
			celconfig.RuntimeCELCostBudget,
			cel.WithRatcheting(pair),
		)
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
		case field.ErrorTypeNotSupported,
			field.ErrorTypeRequired,
			field.ErrorTypeTooLong,
			field.ErrorTypeTooMany,
			field.ErrorTypeTypeInvalid:
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
