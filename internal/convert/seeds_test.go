package convert_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dovetail-sh/dovetail/internal/convert"
)

// Tutorials that people follow hold manifests between other text.
func TestManifestsOfTutorialsConvert(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../../shared/seeds/*.md")
	if len(files) == 0 {
		t.Skip("there are no tutorials beside this repository")
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, block := range manifestsIn(string(text)) {
			found++
			got, _ := one(t, block, convert.Options{Role: "nodes"})
			if strings.Contains(got, "karpenter.sh/v1beta1") || strings.Contains(got, "karpenter.k8s.aws/v1beta1") {
				t.Errorf("%s: this became\n%s", file, got)
			}
		}
	}
	if found < 4 {
		t.Errorf("only %d blocks of manifests were found in %d files", found, len(files))
	}
}

// manifestsIn are the parts of a text from a line with apiVersion to the end of what kubectl or a file is given.
func manifestsIn(text string) []string {
	var out []string
	var block strings.Builder
	for line := range strings.Lines(text) {
		switch end := strings.TrimSpace(line); {
		case block.Len() == 0 && !strings.HasPrefix(line, "apiVersion: "):
		case end == "EOF" || strings.HasPrefix(end, "```") || strings.HasPrefix(end, "cat "):
			if strings.Contains(block.String(), "\nkind: ") {
				out = append(out, block.String())
			}
			block.Reset()
		default:
			block.WriteString(line)
		}
	}
	return out
}
