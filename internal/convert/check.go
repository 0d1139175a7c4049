package convert

import (
	"context"
	"encoding/json"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/api/crd/judge"
)

// judges hold new objects against what an API server does, by kind.
var judges = sync.OnceValues(func() (map[string]*judge.Judge, error) {
	out := map[string]*judge.Judge{}
	for _, definition := range crd.All() {
		j, err := judge.New(definition)
		if err != nil {
			return nil, err
		}
		out[definition.Spec.Names.Kind] = j
	}
	return out, nil
})

// check refuses new objects that an API server would refuse. Those with names of variables in them cannot be judged
// before they are expanded.
func (c *conversion) check(parts []*part) {
	for _, p := range parts {
		for _, object := range p.objects {
			c.judge(p.in, object)
		}
	}
}

func (c *conversion) judge(d *document, object map[string]any) {
	kind, _ := object["kind"].(string)
	meta, _ := object["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	refuse := func(field, text string) {
		c.problems = append(
			c.problems,
			Problem{
				File:   d.file,
				Line:   d.first,
				Object: strings.TrimSpace(kind + " " + name),
				Field:  field,
				Text:   text,
			},
		)
	}
	all, err := judges()
	if err != nil {
		refuse("", err.Error())
		return
	}
	text, err := json.Marshal(object)
	if err != nil {
		refuse("", err.Error())
		return
	}
	version, _ := object["apiVersion"].(string)
	if all[kind] == nil || !strings.HasPrefix(version, "karpenter.") {
		return
	}
	if stands.Match(text) {
		c.note(d, d.root, kind+" "+name, "it holds interpolations: terraform plan shows whether it is served")
		return
	}
	if strings.Contains(string(text), "${") {
		c.note(d, d.root, kind+" "+name, "it holds variables of a shell: expand them before it is applied")
		return
	}
	u := &unstructured.Unstructured{}
	if err := utiljson.Unmarshal(text, &u.Object); err != nil {
		refuse("", err.Error())
		return
	}
	for _, p := range all[kind].Create(context.Background(), u) {
		refuse(p.Field, p.Message)
	}
}
