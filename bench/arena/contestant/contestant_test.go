package contestant

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestContestantsHaveNamesOfTheirOwn(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range All {
		if seen[c.Name] || !strings.HasPrefix(c.Name, c.Controller) || c.Policy == "" {
			t.Errorf("%+v", c)
		}
		seen[c.Name] = true
	}
}

// Each controller is its own binary, and both are waited for.
func TestPrograms(t *testing.T) {
	t.Parallel()
	for _, c := range All {
		p := c.On(Own, Program{Binary: "/bin/" + c.Controller})
		if p.Binary != "/bin/"+c.Controller || p.Args == nil || p.Healthy == nil || p.Name != c.Controller {
			t.Errorf("%s: %+v", c.Name, p)
		}
	}
}

func TestDefinitionsAreRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := readDefinitions(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("of an empty folder: %v", err)
	}
	text := "metadata: {name: things.example.com}\nspec: {group: example.com}\n"
	if err := os.WriteFile(filepath.Join(dir, "things.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readDefinitions(dir)
	if err != nil || len(got) != 1 || got[0].Name != "things.example.com" || got[0].Spec.Group != "example.com" {
		t.Errorf("%v, %+v", err, got)
	}
}
