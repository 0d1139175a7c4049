// Package crd holds the CustomResourceDefinitions of every kind in api.
//
// The YAML files beside this one are generated from the Go types and are the
// only copy: the chart, the playground and tests take them from here. Nothing
// in them is edited by hand.
package crd

import (
	"embed"
	"fmt"
	"io/fs"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

//go:embed *.yaml
var files embed.FS

// Files are the generated YAML files, one definition each.
func Files() fs.FS { return files }

// All returns the definitions, ordered by name of file. Each call returns new
// objects, which the caller may change.
//
// It panics when a generated file does not parse, which a test rules out.
func All() []*apiextensionsv1.CustomResourceDefinition {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		panic(fmt.Sprintf("crd: listing embedded files: %v", err))
	}
	all := make([]*apiextensionsv1.CustomResourceDefinition, 0, len(names))
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("crd: reading embedded %s: %v", name, err))
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.UnmarshalStrict(text, definition); err != nil {
			panic(fmt.Sprintf("crd: embedded %s does not parse; run make generate: %v", name, err))
		}
		all = append(all, definition)
	}
	return all
}
