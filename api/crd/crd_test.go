package crd_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation"

	"github.com/dovetail-sh/dovetail/api/crd"
)

func TestAllParsesEveryFile(t *testing.T) {
	t.Parallel()
	names, err := fs.Glob(crd.Files(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all := crd.All()
	if len(all) != len(names) || len(all) != 6 {
		t.Fatalf("All has %d definitions of %d files, want 6", len(all), len(names))
	}
	for i, definition := range all {
		if want := definition.Spec.Group + "_" + definition.Spec.Names.Plural + ".yaml"; names[i] != want {
			t.Errorf("file %s holds %s", names[i], want)
		}
	}
	all[0].Name = "changed"
	if crd.All()[0].Name == "changed" {
		t.Error("a caller's change shows in what the next caller gets")
	}
}

// TestServerAcceptsDefinitions runs what the API server runs before it serves a
// definition, which includes the worst case that each rule could cost.
func TestServerAcceptsDefinitions(t *testing.T) {
	t.Parallel()
	for _, definition := range crd.All() {
		t.Run(definition.Name, func(t *testing.T) {
			t.Parallel()
			apiextensionsv1.SetDefaults_CustomResourceDefinition(definition)
			apiextensionsv1.SetDefaults_CustomResourceDefinitionSpec(&definition.Spec)
			definition.Status.StoredVersions = []string{definition.Spec.Versions[0].Name}
			internal := &apiextensions.CustomResourceDefinition{}
			convert := apiextensionsv1.Convert_v1_CustomResourceDefinition_To_apiextensions_CustomResourceDefinition
			if err := convert(definition, internal, nil); err != nil {
				t.Fatal(err)
			}
			if errs := validation.ValidateCustomResourceDefinition(t.Context(), internal); len(errs) > 0 {
				t.Error(errs.ToAggregate())
			}
		})
	}
}

// looks is what users see of a kind without reading an object.
type looks struct {
	Version, Scope, ShortNames, Categories, Subresources, Columns string
}

// TestLooks holds what kubectl shows to what users of Karpenter know. A column
// in parentheses is shown only with -o wide.
func TestLooks(t *testing.T) {
	t.Parallel()
	want := map[string]looks{
		"nodepools.karpenter.sh": {
			"v1", "Cluster", "", "karpenter", "status, scale .spec.replicas .status.nodes",
			"NodeClass Nodes Ready Age Outdated Held (Weight) (CPU) (Memory)",
		},
		"nodeclaims.karpenter.sh": {
			"v1", "Cluster", "", "karpenter", "status",
			"Type Capacity Zone Node Ready Age (ImageID) (ID) (NodePool) (NodeClass) (Drifted)",
		},
		"nodeoverlays.karpenter.sh": {
			"v1alpha1", "Cluster", "overlays", "karpenter", "status", "Ready Age (Weight)",
		},
		"ec2nodeclasses.karpenter.k8s.aws": {
			"v1", "Cluster", "ec2nc ec2ncs", "karpenter", "status", "Ready Age (Role)",
		},
		"capacitybuffers.autoscaling.x-k8s.io": {
			"v1beta1", "Namespaced", "cb", "autoscaling", "status",
			"Strategy PodTemplate Replicas ConditionsType ConditionsStatus ConditionsReason Age",
		},
		"kwoknodeclasses.karpenter.kwok.sh": {
			"v1alpha1", "Cluster", "kwoknc kwokncs", "karpenter", "status", "",
		},
	}
	got := map[string]looks{}
	for _, definition := range crd.All() {
		got[definition.Name] = look(definition)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func look(definition *apiextensionsv1.CustomResourceDefinition) looks {
	version := definition.Spec.Versions[0]
	var columns, subresources []string
	for _, column := range version.AdditionalPrinterColumns {
		name := column.Name
		if column.Priority > 0 {
			name = "(" + name + ")"
		}
		columns = append(columns, name)
	}
	if s := version.Subresources; s != nil {
		if s.Status != nil {
			subresources = append(subresources, "status")
		}
		if s.Scale != nil {
			subresources = append(subresources, "scale "+s.Scale.SpecReplicasPath+" "+s.Scale.StatusReplicasPath)
		}
	}
	return looks{
		Version:      version.Name,
		Scope:        string(definition.Spec.Scope),
		ShortNames:   strings.Join(definition.Spec.Names.ShortNames, " "),
		Categories:   strings.Join(definition.Spec.Names.Categories, " "),
		Subresources: strings.Join(subresources, ", "),
		Columns:      strings.Join(columns, " "),
	}
}
