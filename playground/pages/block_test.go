package pages

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBlocksAreFound(t *testing.T) {
	t.Parallel()
	page := strings.Join([]string{
		"# A page", "```sh", "one", "two", "```", "", "```yaml", "kind: A", "```",
		"<!-- not run: needs EKS -->", "", "```bash", "eksctl create cluster", "```",
		"- in a list", "  ```sh", "  three", "  ```", "```text", "```",
	}, "\n")
	got, err := Blocks(page)
	want := []Block{
		{Line: 2, Text: "one\ntwo\n"},
		{Line: 12, Text: "eksctl create cluster\n", NotRun: "needs EKS"},
		{Line: 16, Text: "  three\n"},
	}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v; -want +got:\n%s", err, cmp.Diff(want, got))
	}
	script := Script("a.md", got)
	if want := "echo '== a.md:2' >&2\none\ntwo\necho '== a.md:16' >&2\n  three\n"; script != want {
		t.Errorf("the script is %q, want %q", script, want)
	}
	if _, err := Blocks("```sh\none\n"); err == nil {
		t.Error("a block without an end is accepted")
	}
}
