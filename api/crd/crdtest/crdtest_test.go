package crdtest_test

import (
	"testing"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/api/crd/crdtest"
	"github.com/dovetail-sh/dovetail/api/crd/judge"
)

// judges compiles the generated definitions, by kind.
func judges(t *testing.T) map[string]*judge.Judge {
	t.Helper()
	out := map[string]*judge.Judge{}
	for _, definition := range crd.All() {
		j, err := judge.New(definition)
		if err != nil {
			t.Fatal(err)
		}
		out[definition.Spec.Names.Kind] = j
	}
	return out
}

func TestCases(t *testing.T) {
	t.Parallel()
	byKind := judges(t)
	seen := map[string]bool{}
	for _, c := range crdtest.Cases() {
		name := c.Kind + "/" + c.Name
		if seen[name] {
			t.Errorf("there are two cases %q", name)
		}
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			found, object, err := crdtest.Try(t.Context(), byKind[c.Kind], c)
			if err != nil {
				t.Fatal(err)
			}
			if disagreement := c.Disagreement(found, object); disagreement != "" {
				t.Errorf("%s%s%s\n%s", c.Create, c.Update, c.Status, disagreement)
			}
		})
	}
}
