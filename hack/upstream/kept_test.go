package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	autoscalingv1beta1 "github.com/dovetail-sh/dovetail/api/autoscaling/v1beta1"
	awsv1 "github.com/dovetail-sh/dovetail/api/aws/v1"
	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/api/crd/crdtest"
	"github.com/dovetail-sh/dovetail/api/crd/judge"
	karpenterv1 "github.com/dovetail-sh/dovetail/api/karpenter/v1"
	karpenterv1alpha1 "github.com/dovetail-sh/dovetail/api/karpenter/v1alpha1"
)

// versions are one of each minor version that a cluster may come from, and the newest.
var versions = []string{"v1.9.3", "v1.10.0", "v1.11.0", "v1.12.0", "v1.13.0", "v1.14.1", "v1.15.2"}

func moduleFiles(t *testing.T, module, version string) fs.FS {
	t.Helper()
	dir, err := Download(t.Context(), module, version)
	if err != nil {
		t.Skipf("needs the module from the Go proxy (and GOTOOLCHAIN=auto for those that want a newer Go): %v", err)
	}
	return os.DirFS(dir)
}

// definitions are a version's, by kind. The provider's module has the core's too.
func definitions(t *testing.T, version string) map[string]*apiextensionsv1.CustomResourceDefinition {
	t.Helper()
	module := moduleFiles(t, modules["aws"], version)
	names, err := fs.Glob(module, "pkg/apis/crds/*.yaml")
	if err != nil || len(names) < 3 {
		t.Fatalf("found definitions %v, %v", names, err)
	}
	out := map[string]*apiextensionsv1.CustomResourceDefinition{}
	for _, name := range names {
		text, err := fs.ReadFile(module, name)
		if err != nil {
			t.Fatal(err)
		}
		definition := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, definition); err != nil {
			t.Fatalf("%s: %v", path.Base(name), err)
		}
		out[definition.Spec.Names.Kind] = definition
	}
	return out
}

// everything is a value with every field that a schema has. It need not be valid: rules are another test's.
func everything(s *apiextensionsv1.JSONSchemaProps) any {
	switch {
	case len(s.Enum) > 0:
		var out any
		if err := json.Unmarshal(s.Enum[0].Raw, &out); err != nil {
			panic(err) // it was read from JSON
		}
		return out
	case s.Type == "object" && len(s.Properties) > 0:
		out := map[string]any{}
		for name := range s.Properties {
			property := s.Properties[name]
			out[name] = everything(&property)
		}
		return out
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		return map[string]any{"key": everything(s.AdditionalProperties.Schema)}
	case s.XPreserveUnknownFields != nil && *s.XPreserveUnknownFields:
		return map[string]any{"podsPerCore": int64(7), "memorySwap": map[string]any{"swapBehavior": "LimitedSwap"}}
	case s.Type == "array":
		return []any{everything(s.Items.Schema)}
	}
	return scalar(s)
}

// scalar is a value that is neither a list nor has fields.
func scalar(s *apiextensionsv1.JSONSchemaProps) any {
	switch {
	case s.Type == "boolean":
		return true
	case s.Type == "integer":
		return int64(7)
	case s.Type == "number":
		return 7.5
	case s.Format == "date-time":
		return "2026-01-02T03:04:05Z"
	case strings.Contains(s.Pattern, "(s|m|h)"), strings.Contains(strings.ToLower(s.Description), "duration"):
		return "7m0s" // as Go writes it, so that it reads back the same
	}
	return "7"
}

// object is a kind's object with every field.
func object(definition *apiextensionsv1.CustomResourceDefinition) *unstructured.Unstructured {
	version := definition.Spec.Versions[0]
	content, _ := everything(version.Schema.OpenAPIV3Schema).(map[string]any)
	content["apiVersion"] = definition.Spec.Group + "/" + version.Name
	content["kind"] = definition.Spec.Names.Kind
	content["metadata"] = map[string]any{"name": "everything"}
	return &unstructured.Unstructured{Object: content}
}

// leaves lists an object's values by path.
func leaves(at string, value any, out map[string]string) {
	switch value := value.(type) {
	case map[string]any:
		for key, child := range value {
			leaves(at+"."+key, child, out)
		}
	case []any:
		for i, child := range value {
			leaves(fmt.Sprintf("%s[%d]", at, i), child, out)
		}
	default:
		out[at] = fmt.Sprint(value)
	}
}

// lost are the fields that one object has and the other has not, or has otherwise.
func lost(before, after map[string]any) []string {
	was, is := map[string]string{}, map[string]string{}
	leaves("", before, was)
	leaves("", after, is)
	var out []string
	for _, at := range slices.Sorted(maps.Keys(was)) {
		if is[at] != was[at] {
			out = append(out, fmt.Sprintf("%s: %q became %q", strings.TrimPrefix(at, "."), was[at], is[at]))
		}
	}
	return out
}

var goTypes = map[string]func() any{
	"NodePool":       func() any { return &karpenterv1.NodePool{} },
	"NodeClaim":      func() any { return &karpenterv1.NodeClaim{} },
	"NodeOverlay":    func() any { return &karpenterv1alpha1.NodeOverlay{} },
	"EC2NodeClass":   func() any { return &awsv1.EC2NodeClass{} },
	"CapacityBuffer": func() any { return &autoscalingv1beta1.CapacityBuffer{} },
}

// Objects that any version since 1.9 wrote keep every field: our definitions prune none, and our types, which is how
// the controller writes, lose none.
func TestObjectsOfEveryVersionKeepTheirFields(t *testing.T) {
	t.Parallel()
	ours := map[string]*judge.Judge{}
	for _, definition := range crd.All() {
		j, err := judge.New(definition)
		if err != nil {
			t.Fatal(err)
		}
		ours[definition.Spec.Names.Kind] = j
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			for kind, definition := range definitions(t, version) {
				if ours[kind] == nil || goTypes[kind] == nil {
					t.Errorf("%s has kind %s, which is not known here", version, kind)
					continue
				}
				written := object(definition)
				stored := written.DeepCopy()
				for _, p := range ours[kind].Create(t.Context(), stored) {
					if strings.Contains(p.Message, "unknown field") {
						t.Errorf("%s: %s", kind, p.Message)
					}
				}
				if n := len(lost(map[string]any{}, written.Object)); n > 0 {
					t.Fatalf("comparing is broken: %d", n)
				}
				for _, field := range lost(written.Object, stored.Object) {
					t.Errorf("%s is not stored as it was written: %s", kind, field)
				}
				for _, field := range throughGo(t, kind, written) {
					t.Errorf("%s is not written as it was read: %s", kind, field)
				}
			}
		})
	}
}

// throughGo reads an object into our type, writes it, and lists what is lost.
func throughGo(t *testing.T, kind string, written *unstructured.Unstructured) []string {
	t.Helper()
	text, err := json.Marshal(written.Object)
	if err != nil {
		t.Fatal(err)
	}
	typed := goTypes[kind]()
	if err := json.Unmarshal(text, typed); err != nil {
		return []string{err.Error()}
	}
	if text, err = json.Marshal(typed); err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	return lost(written.Object, back)
}

// stricter are the cases that we refuse on purpose although some version accepts them, and why nothing stored is in
// danger. Unchanged fields of objects that are stored already are not judged again.
var stricter = map[string]string{
	"NodePool/budget with a reason twice":                         "refused since 1.14",
	"NodePool/requirement with a value that is no label value":    "no node could have it: docs/compatibility.md",
	"NodePool/requirement with a value of 64 characters":          "no node could have it: docs/compatibility.md",
	"NodeClaim/requirement with a value that is no label value":   "no node could have it: docs/compatibility.md",
	"NodeClaim/requirement with a value of 64 characters":         "no node could have it: docs/compatibility.md",
	"NodeOverlay/requirement with a value that is no label value": "no node could have it: docs/compatibility.md",
	"NodeOverlay/requirement with a value of 64 characters":       "no node could have it: docs/compatibility.md",
	"EC2NodeClass/second subnet by ID and tags":                   "meant to be refused: docs/compatibility.md",
	"EC2NodeClass/disk of Ti":                                     "no number: no controller could read it",
	"NodeClaim/condition without a reason":                        "every controller writes one",
	"NodeClaim/condition with an empty reason":                    "every controller writes one",
	"NodeClaim/condition without a message":                       "every controller writes one, if an empty one",
	"NodeClaim/condition twice":                                   "refused since 1.14",
	"NodeOverlay/condition twice":                                 "refused since 1.14",
	"NodePool/condition twice":                                    "refused since 1.14",
}

// looser are the cases that we accept on purpose although the newest version refuses them.
var looser = map[string]string{
	"NodePool/status of a rollout under a hold": "fields of our own",
	"EC2NodeClass/disk of 18Ti":                 "Karpenter's pattern leaves out 11 to 19, 21 to 29 and so on",
}

// What an API server with the definitions of a version accepts, one with ours accepts: everything that is stored stays
// valid. The objects are those of our own table of cases. What is newer than the version it refuses as unknown.
func TestWhatAnyVersionAcceptsIsAccepted(t *testing.T) {
	t.Parallel()
	// The oldest, the one that most clusters run, and the newest: the rest lies between.
	for _, version := range []string{versions[0], versions[len(versions)-2], versions[len(versions)-1]} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			judges := map[string]*judge.Judge{}
			for kind, definition := range definitions(t, version) {
				j, err := judge.New(definition)
				if err != nil {
					t.Fatalf("%s of %s: %v", kind, version, err)
				}
				judges[kind] = j
			}
			tried := 0
			for _, c := range crdtest.Cases() {
				theirs := judges[c.Kind]
				if theirs == nil {
					continue
				}
				found, _, err := crdtest.Try(t.Context(), theirs, c)
				if err != nil {
					continue // refuses what comes before the last step
				}
				tried++
				name := c.Kind + "/" + c.Name
				if c.Says != "" && len(found) == 0 && stricter[name] == "" {
					t.Errorf("%s: %s accepts what we refuse at %s with %q", name, version, c.At, c.Says)
				}
				if c.Says == "" && len(found) > 0 && version == versions[len(versions)-1] && looser[name] == "" {
					t.Errorf("%s: we accept what %s refuses: %v", name, version, found)
				}
			}
			if tried < 100 {
				t.Errorf("only %d cases could be tried", tried)
			}
		})
	}
}
