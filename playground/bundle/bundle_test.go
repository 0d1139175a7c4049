package bundle

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestLoadFillsInVariables(t *testing.T) {
	t.Parallel()
	files := fstest.MapFS{
		"a.yaml": {Data: []byte("# a comment\nkind: A\nmetadata: {name: \"${NAME}\"}\n---\n---\nkind: B\n")},
	}
	objects, err := Load(files, "a.yaml", map[string]string{"NAME": "x"})
	if err != nil || len(objects) != 2 || objects[0].GetName() != "x" || objects[1].GetKind() != "B" {
		t.Fatalf("got %v, %v; want A named x, and B", objects, err)
	}
	for name, want := range map[string]string{"a.yaml": "wants the variable NAME", "b.yaml": "reading manifest b"} {
		if _, err := Load(files, name, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s without variables: %v, want an error with %q", name, err, want)
		}
	}
}
