package crdtest_test

import (
	"testing"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/api/crd/crdtest"
)

// judges compiles the generated definitions, by kind.
func judges(t *testing.T) map[string]*crdtest.Judge {
	t.Helper()
	out := map[string]*crdtest.Judge{}
	for _, definition := range crd.All() {
		judge, err := crdtest.NewJudge(definition)
		if err != nil {
			t.Fatal(err)
		}
		out[definition.Spec.Names.Kind] = judge
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
			found, object, err := byKind[c.Kind].Try(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if disagreement := c.Disagreement(found, object); disagreement != "" {
				t.Errorf("%s%s%s\n%s", c.Create, c.Update, c.Status, disagreement)
			}
		})
	}
}
