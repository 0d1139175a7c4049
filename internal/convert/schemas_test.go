package convert_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/dovetail-sh/dovetail/internal/convert"
)

var (
	schemas = flag.String("schemas", "", "folder with definitions of an old release of Karpenter, to make files of")
	objects = flag.Int("objects", 2000, "how many objects to make")
)

// maker makes random objects by a schema.
type maker struct {
	dice   *rand.Rand
	n      int
	leaves map[string]string // texts that were made, and where
}

// wanted are fields without which an object was good for nothing.
var wanted = map[string]bool{"providerRef": true, "nodeClassRef": true, "requirements": true, "instanceProfile": true,
	"role": true, "subnetSelector": true, "securityGroupSelector": true, "subnetSelectorTerms": true,
	"volumeSize":                 true,
	"securityGroupSelectorTerms": true, "amiFamily": true, "template": true, "spec": true}

// texts are tried in this order where a schema has a pattern.
var texts = []string{"mark%dx", "ami-%d", "subnet-%d", "sg-%d", "%ds", "%dGi", "%d%%", "%d", "0 %d * * *", "Never"}

func (m *maker) text(pattern, path string) string {
	m.n++
	for _, f := range texts {
		text := f
		if strings.Contains(f, "%d") {
			text = fmt.Sprintf(f, 100+m.n%900)
			if f == "0 %d * * *" || f == "%d%%" {
				text = fmt.Sprintf(f, m.n%24)
			}
		}
		if ok, err := regexp.MatchString(pattern, text); err == nil && ok {
			m.leaves[text] = path
			return text
		}
	}
	return "mark"
}

// choices are values of fields whose schema does not say what they must be like.
var choices = map[string][]any{
	"effect": {"NoSchedule", "PreferNoSchedule", "NoExecute"}, "timeAdded": {"2023-01-02T03:04:05Z"},
	"amiFamily": {"AL2", "AL2023", "Bottlerocket"}, "volumeSize": {"31Gi"}, "rootVolume": {false},
	"providerRef": {map[string]any{"name": "made"}}, "nodeClassRef": {map[string]any{"name": "made"}},
	"httpTokens": {"required", "optional"}, "httpEndpoint": {"enabled", "disabled"},
	"httpProtocolIPv6": {"enabled", "disabled"}, "httpPutResponseHopLimit": {1, 64},
	"volumeType": {"gp2", "gp3", "io1"}, "apiVersion": {"karpenter.k8s.aws/v1alpha1"}, "kind": {"AWS"},
}

// refusedNames are fields that are refused by their names.
var refusedNames = map[string]bool{
	"launchTemplate": true, "provider": true, "containerRuntime": true, "resources": true,
}

// item makes one of a list whose schema does not say what it must be like; nil for others.
func (m *maker) item(field, path string) any {
	switch field {
	case "requirements[]":
		if m.dice.IntN(2) == 0 {
			return map[string]any{"key": m.text("", path), "operator": "DoesNotExist"}
		}
		return map[string]any{"key": m.text("", path), "operator": "In", "values": []any{m.text("", path)}}
	case "subnetSelectorTerms[]", "securityGroupSelectorTerms[]":
		return map[string]any{"tags": map[string]any{"k": m.text("", path)}}
	case "amiSelectorTerms[]":
		return map[string]any{"id": m.text("^ami", path)}
	}
	return nil
}

func (m *maker) value(s apiextensionsv1.JSONSchemaProps, path string) any {
	field := path[strings.LastIndex(path, ".")+1:]
	if of := choices[field]; of != nil {
		return of[m.dice.IntN(len(of))]
	}
	if v := m.item(field, path); v != nil {
		return v
	}
	switch {
	case s.Type == "array":
		var out []any
		for range 1 + m.dice.IntN(2) {
			out = append(out, m.value(*s.Items.Schema, path+"[]"))
		}
		return out
	case s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		m.n++
		return map[string]any{fmt.Sprintf("key%dx", m.n): m.value(*s.AdditionalProperties.Schema, path+".*")}
	case s.Type != "object":
		return m.scalar(s, path)
	}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if refusedNames[name] {
			continue
		}
		if slices.Contains(s.Required, name) || wanted[name] || m.dice.IntN(3) == 0 {
			out[name] = m.value(s.Properties[name], path+"."+name)
		}
	}
	return out
}

func (m *maker) scalar(s apiextensionsv1.JSONSchemaProps, path string) any {
	switch {
	case len(s.Enum) > 0:
		var v any
		if err := yaml.Unmarshal(s.Enum[m.dice.IntN(len(s.Enum))].Raw, &v); err != nil {
			panic(err)
		}
		return v
	case s.XIntOrString:
		m.n++
		return strconv.Itoa(100 + m.n%900)
	case s.Type == "boolean":
		return m.dice.IntN(2) == 0
	case s.Type == "string":
		return m.text(s.Pattern, path)
	}
	low, high := 1, 100
	if s.Minimum != nil {
		low = max(low, int(*s.Minimum))
	}
	if s.Maximum != nil {
		high = min(high, int(*s.Maximum))
	}
	return low + m.dice.IntN(high-low+1)
}

// Objects of the kinds of an old release, made by its own definitions, come out whole or are named with file and line.
func TestOldSchemasAreConverted(t *testing.T) {
	if *schemas == "" {
		t.Skip("needs -schemas: a folder with definitions of a release before 1.0, such as pkg/apis/crds of 0.32")
	}
	files, err := filepath.Glob(filepath.Join(*schemas, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions in %s: %v", *schemas, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		crd := &apiextensionsv1.CustomResourceDefinition{}
		if err := yaml.Unmarshal(text, crd); err != nil {
			t.Fatal(err)
		}
		for _, v := range crd.Spec.Versions {
			t.Run(crd.Spec.Names.Kind+v.Name, func(t *testing.T) {
				t.Parallel()
				convertMade(t, crd, v)
			})
		}
	}
}

// besides are what objects of a kind need beside them.
var besides = map[string]string{
	"Provisioner": `apiVersion: karpenter.k8s.aws/v1alpha1
kind: AWSNodeTemplate
metadata: {name: made}
spec: {instanceProfile: p, subnetSelector: {a: b}, securityGroupSelector: {a: b}}
`, "NodePool": `apiVersion: karpenter.k8s.aws/v1beta1
kind: EC2NodeClass
metadata: {name: made}
spec: {amiFamily: AL2, role: r, subnetSelectorTerms: [{tags: {a: b}}], securityGroupSelectorTerms: [{tags: {a: b}}]}
`}

// outcome is what became of the objects of one kind.
type outcome struct {
	converted     int
	lost, refused map[string]int // by field, and by message
}

func convertMade(
	t *testing.T, crd *apiextensionsv1.CustomResourceDefinition, v apiextensionsv1.CustomResourceDefinitionVersion,
) {
	o := &outcome{lost: map[string]int{}, refused: map[string]int{}}
	for i := range *objects {
		m := &maker{dice: rand.New(rand.NewPCG(7, uint64(i))), leaves: map[string]string{}}
		old, err := yaml.Marshal(map[string]any{
			"apiVersion": crd.Spec.Group + "/" + v.Name, "kind": crd.Spec.Names.Kind,
			"metadata": map[string]any{"name": "made"},
			"spec":     m.value(v.Schema.OpenAPIV3Schema.Properties["spec"], "spec"),
		})
		if err != nil {
			t.Fatal(err)
		}
		o.add(t, string(old)+"---\n"+besides[crd.Spec.Names.Kind], m.leaves)
	}
	if len(o.lost) > 0 {
		t.Errorf("lost: %v", o.lost)
	}
	for _, line := range slices.Sorted(maps.Keys(o.refused)) {
		t.Logf("%5d %s", o.refused[line], line)
	}
	t.Logf("%d of %d objects converted", o.converted, *objects)
}

var (
	atLine = regexp.MustCompile(`^in\.yaml:\d+: `)
	figure = regexp.MustCompile(`\d+`)
)

// add converts one.
func (o *outcome) add(t *testing.T, old string, leaves map[string]string) {
	r, err := convert.Files([]convert.Source{{Name: "in.yaml", Text: []byte(old)}}, convert.Options{})
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !atLine.MatchString(line) {
				t.Errorf("a problem does not say where: %s\n%s", line, old)
			}
			o.refused[figure.ReplaceAllString(line, "N")]++
		}
		return
	}
	o.converted++
	got := string(r.Files[0].Text)
	for text, path := range leaves {
		if strings.Contains(got, text) {
			continue
		}
		if o.lost[path]++; o.lost[path] == 1 {
			t.Logf("%s (%s) is lost:\n%s\nbecame\n%s", path, text, old, got)
		}
	}
	again, err := convert.Files([]convert.Source{{Name: "in.yaml", Text: []byte(got)}}, convert.Options{})
	if err != nil || again.Files[0].Changed {
		t.Errorf("a second run changes it: %v\n%s\nbecame\n%s", err, old, got)
	}
}
